"""Hyperparameters at which a known form comes nearest to a path that was seen.

Common values first: one block of roles after another, each block on a grid. Then Levenberg and Marquardt's method,
for values that nobody has listed, from derivatives by central differences. A form is compiled once for many
hyperparameters at a time; everything around it is NumPy.

Paths are sums of updates, (steps, coordinates); each coordinate counts in units of the farthest it ever moved.

References:
    Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.compiling import quick_to_compile
from jaxnn.verify.first_order import given_gradients
from jaxnn.verify.recognition.known import Form

Values: TypeAlias = dict[str, float]  # of a form's roles, and "scale", by which the learning rate is multiplied

EQUAL = 1e-12  # of the way a coordinate ever went
BATCH = 128
ROUNDS = 2
FIRST = (0.9, 0.0, 0.5, 0.8, 0.95, 0.98, 0.99)
SECOND = (0.999, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.9995, 0.9999)
DECAY = (0.0, 1e-5, 1e-4, 5e-4, 1e-3, 4e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5)
GRID = {
    "b1": FIRST,
    "momentum": FIRST,
    "b2": SECOND,
    "decay": SECOND,
    "l2": DECAY,
    "decoupled": DECAY,
    "eps": (1e-8, 0.0, 1e-12, 1e-10, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
    "eps_root": (0.0, 1e-12, 1e-8, 1e-6, 1e-4),
    "initial": (0.0, 0.01, 0.1, 1.0),
    "lr_decay": (0.0, 1e-4, 1e-3, 1e-2, 0.1),
    "dampening": (0.0, 0.1, 0.5, 0.9),
}
KEPT = ("b1", "decay", "momentum", "scale")  # where the search off the grid begins; the rest as usual
FORGETTING = ("b1", "b2", "decay", "momentum")  # in [0, 1), and delicate near 1
HUNDREDTHS = (*(hundredth / 100 for hundredth in range(100)), 0.995, 0.999)
DAMPINGS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2, 1.0, 100.0)


class Case(NamedTuple):
    """A path that was seen, and what it was seen on; float64, the parameters as one vector."""

    params: np.ndarray  # (coordinates,)
    grads: np.ndarray  # (steps, coordinates)
    rates: np.ndarray  # (steps,) learning rates
    seen: np.ndarray  # (steps, coordinates) sums of updates

    @property
    def unit(self) -> np.ndarray:
        """How far each coordinate ever went, (coordinates,); 1 where it never moved."""
        farthest = np.abs(self.seen).max(axis=0, initial=0.0)
        return np.where(farthest > 0, farthest, 1.0)


class Fit(NamedTuple):
    """A form at hyperparameters, and how far from the path that was seen it is after each step."""

    form: Form
    values: Values
    apart: np.ndarray  # (steps,)

    @property
    def worst(self) -> float:
        """The largest distance."""
        return float(self.apart.max())

    @property
    def equal(self) -> bool:
        """Whether the two are the same but for rounding."""
        return self.worst <= EQUAL

    @property
    def leaves(self) -> int:
        """The first step, from 1, after which they are not the same; 0 if there is none."""
        return 0 if self.equal else int(np.argmax(self.apart > EQUAL)) + 1


def at(form: Form, values: Values, case: Case) -> Fit:
    """The form at these hyperparameters."""
    return Fit(form, values, given_gradients.differences(_paths(form, [values], case)[0], case.seen))


def nearest(form: Form, case: Case, *, free: bool, start: Values | None = None, fine: bool = False) -> Fit:
    """The form at the common hyperparameters nearest to a path.

    Args:
        form: the formula.
        case: the path.
        free: whether the learning rate may be any multiple of the one given.
        start: where to begin; the form's own defaults if None.
        fine: whether to go through every hundredth where a rule takes signs.
    """
    best = dict(start) if start else defaults(form)
    for _ in range(ROUNDS):
        before = best
        for block in _blocks(form, fine and form.takes_signs):
            points = [best, *({**best, **change} for change in block)]
            points = [point for point in points if form.spellings_of(point)] or [best]
            paths = _paths(form, points, case)
            scales = _scales(paths, case) if free else np.ones(len(points))
            i = int(np.argmin(_scores(paths * scales[:, None, None], case)))
            best = {**points[i], "scale": points[i]["scale"] * float(scales[i])}
        if best == before:
            break
    return at(form, best, case)


def refined(fit: Fit, case: Case) -> Fit:
    """A fit with hyperparameters and learning rate off the grid, in turn with those that are on it or 0."""
    solved = [at(fit.form, _solve(fit.form, start, case), case) for start in _starts(fit)]
    best = min(solved, key=lambda each: each.worst)
    for _ in range(2):
        if best.equal:
            break
        # What hardly matters is found last, once all that matters is exact: so from round values, too.
        starts = [best.values, *({r: _round(r, v, digits) for r, v in best.values.items()} for digits in (2, 3, 4))]
        steps = [
            nearest(fit.form, case, free=True, start=start, fine=True)
            for start in starts
            if fit.form.spellings_of(start)
        ]
        better = min(steps, key=lambda each: each.worst)
        if not better.equal:
            better = at(fit.form, _solve(fit.form, better.values, case), case)
        if not better.worst < best.worst:
            break
        best = better
    return rounded(best, case) if best.equal else min(fit, best, key=lambda each: each.worst)


def _starts(fit: Fit) -> list[Values]:
    """Where to begin: at the fit, and with each kind of weight decay, everything else but the decay rates as usual.

    One kind of decay, or a large ε, can make up for another in part, and would hold the search where it is.
    """
    usual = {role: value for role, value in defaults(fit.form).items() if role not in KEPT}
    decays = [role for role in ("l2", "decoupled") if role in fit.values]
    decay = max((fit.values[role] for role in decays), default=0.0) or 1e-2
    plain = fit.values | usual | dict.fromkeys(decays, 0.0)
    starts = [fit.values, plain, *({**plain, role: decay} for role in decays)]
    return [start for start in starts if fit.form.spellings_of(start)]


def rounded(fit: Fit, case: Case) -> Fit:
    """An equal fit with each hyperparameter at the roundest value at which it stays equal."""
    values = fit.values
    for role in (*fit.form.roles, "scale"):
        choices = [{**values, role: value} for value in _round_values(fit.form, role, values[role])]
        choices = [choice for choice in choices if fit.form.spellings_of(choice)]
        values = next((choice for choice in choices if at(fit.form, choice, case).equal), values)
    return at(fit.form, values, case)


def _round_values(form: Form, role: str, value: float) -> Iterable[float]:
    defaults = (spelling.default(role) for spelling in form.spellings)
    yield from (default for default in defaults if isinstance(default, int | float))
    for digits in range(1, 9):
        yield _round(role, value, digits)
        yield float(f"{value:.{digits - 1}e}")


def _round(role: str, value: float, digits: int) -> float:
    """A value with so many digits: of 1 - β for what forgets."""
    if role in FORGETTING:
        return round(1 - float(f"{1 - value:.{digits - 1}e}"), 12)
    return float(f"{value:.{digits - 1}e}")


def defaults(form: Form) -> Values:
    """What a form's first spelling takes if nobody says otherwise; no weight decay."""
    values: Values = {"scale": 1.0}
    for role in form.roles:
        default = form.spellings[0].default(role)
        values[role] = 0.0 if role in ("l2", "decoupled") or default is None else float(default)
    return values | ({form.needs: 0.9} if form.needs else {})


def _blocks(form: Form, fine: bool) -> list[list[Values]]:
    """Changes to try together: what forgets; each weight decay; and the rest."""

    def product(roles: Sequence[str]) -> list[Values]:
        axes = [HUNDREDTHS if fine and role in FORGETTING else GRID[role] for role in roles]
        return [dict(zip(roles, values, strict=True)) for values in itertools.product(*axes)]

    free = form.roles
    forgetting = [role for role in free if role in FORGETTING]
    decays = [role for role in free if role in ("l2", "decoupled")]
    rest = [role for role in free if role not in (*forgetting, *decays)]
    either = [{**dict.fromkeys(decays, 0.0), **change} for role in decays for change in product([role])]
    return [block for block in (product(forgetting), either, product(rest)) if block]


@functools.cache
def _program(form: Form) -> Callable[..., Any]:
    roles = [*form.roles, "scale"]

    def path(row: Any, params: Any, grads: Any, rates: Any) -> Any:
        values = {role: row[i] for i, role in enumerate(roles)}
        optimiser = form.make(lambda step: values["scale"] * rates[jnp.minimum(step, len(rates) - 1)], values)

        def step(carry: Any, g: Any) -> Any:
            params, moved, state = carry
            updates, state = optimiser.update(g, state, params)
            return (params + updates, moved + updates, state), moved + updates

        return jax.lax.scan(step, (params, jnp.zeros_like(params), optimiser.init(params)), grads)[1]

    many = jax.vmap(path, in_axes=(0, None, None, None))
    return jax.jit(many, compiler_options=quick_to_compile(optimised=True))


def _paths(form: Form, points: Sequence[Values], case: Case) -> np.ndarray:
    """The path at each point, (points, steps, coordinates)."""
    rows = np.array([[point[role] for role in (*form.roles, "scale")] for point in points])
    padded = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % BATCH, axis=0)])
    batches = padded.reshape(-1, BATCH, rows.shape[1])
    program = _program(form)
    paths = [np.asarray(program(batch, case.params, case.grads, case.rates)) for batch in batches]
    return np.concatenate(paths)[: len(rows)]


def _scores(paths: np.ndarray, case: Case) -> np.ndarray:
    """The root mean square distance of each path, infinite where it is not finite."""
    with np.errstate(all="ignore"):
        scores = np.sqrt(np.mean(((paths - case.seen) / case.unit) ** 2, axis=(1, 2)))
    return np.where(np.isfinite(scores), scores, np.inf)


def _scales(paths: np.ndarray, case: Case) -> np.ndarray:
    """What each path has to be multiplied with to come nearest, by least squares."""
    with np.errstate(all="ignore"):
        ours = paths / case.unit
        scales = np.sum(ours * (case.seen / case.unit), axis=(1, 2)) / np.sum(ours**2, axis=(1, 2))
    return np.where(np.isfinite(scales) & (abs(scales) > 0) & (abs(scales - 1) > 1e-9), scales, 1.0)


def _solve(form: Form, values: Values, case: Case, iterations: int = 30) -> Values:
    """Levenberg and Marquardt's method over the logarithms of what is not 0: of 1 - β for what forgets."""
    roles = [role for role in (*form.roles, "scale") if values[role]]

    def point(z: np.ndarray) -> Values:
        moved = dict(zip(roles, z, strict=True))
        return values | {role: _value(role, float(each), values[role]) for role, each in moved.items()}

    def residuals(rows: Sequence[np.ndarray]) -> np.ndarray:
        with np.errstate(all="ignore"):
            apart = (_paths(form, [point(z) for z in rows], case) - case.seen) / case.unit
        return apart.reshape(len(rows), -1)

    z = np.array([math.log(1 - values[role] if role in FORGETTING else abs(values[role])) for role in roles])
    h = 1e-5  # the error of a central difference is h², and ε / h
    score, slow = math.inf, 0
    for _ in range(iterations):
        shifts = h * np.eye(len(z))
        r, *sides = residuals([z, *(z + shifts), *(z - shifts)])
        jacobian = np.transpose(np.array(sides[: len(z)]) - np.array(sides[len(z) :])) / (2 * h)
        score = min(score, float(np.sum(r**2)))
        if not (np.isfinite(jacobian).all() and jacobian.any()):
            break
        size = np.linalg.norm(jacobian, axis=0)
        size = np.where(size > 0, size, 1.0)
        u, s, vt = np.linalg.svd(jacobian / size, full_matrices=False)
        kept = s > 1e-13 * s[0]  # directions that change nothing are not gone into
        u, s, vt = u[:, kept], s[kept], vt[kept]
        steps = [-(vt.T @ (s / (s**2 + damping * s[0] ** 2) * (u.T @ r))) / size for damping in DAMPINGS]
        trials = [z + np.clip(step, -2.0, 2.0) for step in steps]
        scores = np.sum(residuals(trials) ** 2, axis=1)
        i = int(np.argmin(np.where(np.isfinite(scores), scores, np.inf)))
        if not scores[i] < score:
            break
        slow = slow + 1 if scores[i] > 0.99 * score else 0
        z, score = trials[i], float(scores[i])
        if slow == 3:  # no way from here to nothing
            break
    return point(z)


def _value(role: str, z: float, before: float) -> float:
    """A role's value from its logarithm, within its range."""
    if role in FORGETTING:
        return 1 - math.exp(min(max(z, -25.0), 0.0))
    return math.copysign(math.exp(min(max(z, -45.0), 20.0)), before)
