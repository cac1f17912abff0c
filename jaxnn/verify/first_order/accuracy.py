"""The rounding error of each rule in narrow formats: that of the displacement after 1, 10, 100 and 1000 steps, in ulp.

Many coordinates start at 0 and follow gradients whose sizes go over five decades. The truth is the rule's oracle in
extended precision. An error is the median over coordinates of the distance from it, in units in the last place of the
parameters' format at the true value: a maximum would be dominated by coordinates that pass near 0.

The *floor* is the best that numbers of that width allow: all arithmetic is in double precision, and only what is
carried from step to step, parameters and state, is rounded. A library is measured against the oracle of its own
convention. The learning rate is 2⁻¹⁰, exact in every format; the other hyperparameters are the defaults that the
conventions share.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import optimisers
from jaxnn.types import Optimiser
from jaxnn.verify.first_order import given_gradients, libraries, twins
from jaxnn.verify.first_order.oracles import ORACLES, exactly
from jaxnn.verify.table import FAILED, HOLDS, UNCHECKED, Row, unexpected

STEPS = (1, 10, 100, 1000)
SEEN = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1000)  # where errors are measured, for a picture
COORDINATES = 4000
FEWER = 1000  # in bfloat16, where XLA's loop on a CPU widens the gradients of all steps at every step
RATE = 2.0**-10
# How far above the floor: 15 %, or little more than one rounding. Over 20 seeds of 1000 coordinates each, with fused
# multiply-adds and without, the middle seed lies 0.99 to 1.04 times the floor after 1000 steps, up to 0.44 ulp above it
# in the first ones, and one seed differs from another by 5 %: of 4000 coordinates by 2.5 %.
RATIO, ROUNDING = 1.15, 0.6
LEGEND = "accuracy: the median error in ulp after 1, 10, 100 and 1000 steps of coordinates that started at 0"
FORMATS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Contest(NamedTuple):
    """One convention of a rule, and the libraries that have it: by our keywords, and by theirs."""

    rule: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Mapping[str, Any]]  # reference -> its keywords


RACED = ("optax", "torch", "keras")
KERAS_EPS = {"eps": 1e-7}
OUTSIDE = {"learning_rate_inside": False}


def as_it_comes(rule: str) -> Contest:
    """A rule at its defaults, against the libraries that the table of twins has in the same convention."""
    ours = inspect.signature(optimisers.TABLE[rule]).parameters
    theirs: dict[str, Mapping[str, Any]] = {}
    for twin in twins.EQUAL_RULES:
        chain = "(" in twin.reference  # of transformations: nobody's optimiser as it comes
        if twin.rule == rule and not twin.ours and twin.library in RACED and not chain:
            at_defaults = {their: ours[mine].default for mine, their in twin.words.items()}
            theirs.setdefault(twin.reference, {**twin.theirs, **at_defaults})
    return Contest(rule, {}, theirs)


# What else a rule is measured in: other libraries' conventions.
CONVENTIONS: tuple[Contest, ...] = (
    Contest("momentum", OUTSIDE, {"optax.sgd": {"momentum": 0.9}, "torch.SGD": {"momentum": 0.9}}),
    Contest(
        "nesterov",
        OUTSIDE,
        {"optax.sgd": {"momentum": 0.9, "nesterov": True}, "torch.SGD": {"momentum": 0.9, "nesterov": True}},
    ),
    Contest("adagrad", {"eps_inside": True, "initial_accumulator": 0.1}, {"optax.adagrad": {}, "keras.Adagrad": {}}),
    Contest("rmsprop", {"eps_inside": False}, {"torch.RMSprop": {"alpha": 0.9, "eps": 1e-6}}),
    Contest(
        "rmsprop",
        {"centred": True},
        {"optax.rmsprop": {"eps": 1e-6, "centered": True}, "keras.RMSprop": {"epsilon": 1e-6, "centered": True}},
    ),
    Contest("adam", {"eps_hat": True} | KERAS_EPS, {"keras.Adam": {}}),
    Contest("adamw", {"eps_hat": True} | KERAS_EPS, {"keras.AdamW": {"weight_decay": 1e-2}}),
    Contest("adamax", {"eps_inside": False} | KERAS_EPS, {"keras.Adamax": {}}),
    Contest("amsgrad", {"maximum": "raw"}, {"torch.Adam": {"amsgrad": True}}),
    Contest("nadam", {"momentum_decay": float("inf")}, {"optax.nadam": {}}),
    Contest("nadam", {"momentum_decay": 1.0} | KERAS_EPS, {"keras.Nadam": {}}),
    Contest("radam", {"eps_hat": True}, {"torch.RAdam": {}}),
)
CANCELLING: tuple[Contest, ...] = (  # where 1 - β₂ᵗ and RAdam's length cancel most
    Contest("adam", {"b2": 0.99999}, {"optax.adam": {"b2": 0.99999}, "torch.Adam": {"betas": (0.9, 0.99999)}}),
    Contest("radam", {"b2": 0.99999}, {"optax.radam": {"b2": 0.99999}}),
)
CONTESTS: tuple[Contest, ...] = (
    *(
        contest
        for rule in optimisers.TABLE
        for contest in (as_it_comes(rule), *(other for other in CONVENTIONS if other.rule == rule))
    ),
    *CANCELLING,
)
NARROW: tuple[Contest, ...] = (
    Contest("sgd", {}, {"optax.sgd": {}, "torch.SGD": {}, "keras.SGD": {}}),
    Contest("momentum", OUTSIDE, {"optax.sgd": {"momentum": 0.9}, "torch.SGD": {"momentum": 0.9}}),
    Contest("rmsprop", {}, {"optax.rmsprop": {"eps": 1e-6}, "keras.RMSprop": {"epsilon": 1e-6}}),
    Contest("adam", {}, {"optax.adam": {}, "torch.Adam": {}}),
    Contest("adam", {"eps_hat": True} | KERAS_EPS, {"keras.Adam": {}}),
)


def gradients(dtype: Any, steps: int = STEPS[-1], coordinates: int | None = None, seed: int = 0) -> np.ndarray:
    """Gradients of `dtype` whose sizes go from 1e-4 to 10, coordinate by coordinate; (steps, coordinates)."""
    coordinates = coordinates or (COORDINATES if jnp.finfo(dtype).bits >= 32 else FEWER)
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(steps, coordinates)) * 10 ** rng.uniform(-4, 1, size=coordinates)).astype(dtype)


def exact(contest: Contest, grads: np.ndarray) -> np.ndarray:
    """The oracle's parameters at `SEEN`, in extended precision where the machine has it."""
    wide = np.longdouble
    keywords = exactly(ORACLES[contest.rule], contest.ours, wide)
    start = np.zeros(grads.shape[1], wide)
    rates = [wide(RATE)] * len(grads)
    path = ORACLES[contest.rule](start, (g.astype(wide) for g in grads), rates, **keywords)
    return np.stack([theta for t, theta in enumerate(path, start=1) if t in SEEN])


def rounded(optimiser: Optimiser, dtype: Any) -> Optimiser:
    """The floor: an optimiser in double precision whose state is rounded to float32, and parameters to `dtype`."""
    bits = jnp.finfo(dtype)

    def narrow(x: Any) -> Any:
        return jax.lax.reduce_precision(x, 8, 23) if jnp.issubdtype(x.dtype, jnp.floating) else x

    def update(grads: Any, state: Any, params: Any) -> Any:
        updates, state = optimiser.update(grads, state, params)
        after = jax.lax.reduce_precision(params + updates, bits.nexp, bits.nmant)
        return after - params, jax.tree.map(narrow, state)

    return Optimiser(optimiser.init, update)


def _floor(make: Callable[[], Optimiser], dtype: Any) -> Optimiser:
    return rounded(make(), dtype)


def ulps(path: np.ndarray, truth: np.ndarray, dtype: Any) -> np.ndarray:
    """The median distance of the coordinates from the truth at `SEEN`, in spacings of `dtype`.

    Args:
        path: every step's parameters, (steps, coordinates).
        truth: those of `exact`, (len(SEEN), coordinates).
        dtype: the format of the parameters.
    """
    size = np.maximum(np.abs(truth).astype(np.float64), float(jnp.finfo(dtype).tiny))
    spacing = 2.0 ** (np.floor(np.log2(size)) - jnp.finfo(dtype).nmant)
    distances = np.abs(path[np.array(SEEN) - 1].astype(np.longdouble) - truth) / spacing
    return np.median(np.where(np.isfinite(distances), distances, np.inf), axis=1).astype(np.float64)


class Errors(NamedTuple):
    """The errors of one contest at `SEEN`, in ulp; for a library that is not installed, or fails, the reason."""

    contest: Contest
    ours: np.ndarray
    floor: np.ndarray
    theirs: Mapping[str, np.ndarray | str]  # reference -> errors, or why there are none


def measured(contests: Sequence[Contest], dtype: Any, against: Sequence[str]) -> list[Errors]:
    """Runs several contests among the libraries named, in parameters and gradients of `dtype`."""
    grads = gradients(dtype)
    start = np.zeros(grads.shape[1], grads.dtype)
    makers = [functools.partial(optimisers.get(c.rule), RATE, **c.ours) for c in contests]
    calls = [call for contest in contests for call in contest.theirs.items()]
    ready = [call for call in calls if call[0].partition(".")[0] in against and _missing(call[0]) is None]
    with jax.enable_x64(False):
        mine = given_gradients.follow_each(makers, start, grads)
        paths = libraries.follow_each(ready, lambda step: RATE + 0.0 * step, start, grads)
    with jax.enable_x64(True):
        floors = [functools.partial(_floor, make, dtype) for make in makers]
        best = given_gradients.follow_each(floors, start.astype(float), grads.astype(float))
    found = iter(paths)
    errors = []
    for contest, ours, floor in zip(contests, mine, best, strict=True):
        if isinstance(ours, Exception) or isinstance(floor, Exception):
            raise ours if isinstance(ours, Exception) else floor  # ours run, or nothing can be said
        truth = exact(contest, grads)
        theirs: dict[str, np.ndarray | str] = {}
        for call in contest.theirs.items():
            if call in ready:
                path = next(found)
                theirs[call[0]] = unexpected(path) if isinstance(path, Exception) else ulps(path, truth, dtype)
            elif call[0].partition(".")[0] in against:
                theirs[call[0]] = _missing(call[0]) or ""
        errors.append(Errors(contest, ulps(ours, truth, dtype), ulps(floor, truth, dtype), theirs))
    return errors


def _missing(reference: str) -> str | None:
    return libraries.missing(reference.partition(".")[0])


def at(errors: np.ndarray) -> str:
    """The errors at STEPS as a table shows them."""
    return " ".join(_rounded(errors[SEEN.index(t)]) for t in STEPS)


def _rounded(error: float) -> str:
    return f"{error:.2g}" if error < 100 else f"{error:.0f}"


def near(ours: np.ndarray, other: np.ndarray) -> bool:
    """Whether errors at STEPS exceed others by no more than 15 % or 0.6 ulp; both are given at SEEN.

    Medians of random walks of roundings differ by some percent from one sample of gradients to the next.
    """
    index = [SEEN.index(t) for t in STEPS]
    allowed = np.maximum(RATIO * other, other + ROUNDING)
    return bool(np.all(np.isfinite(ours[index]) & (ours[index] <= allowed[index])))


def rows(found: Errors, name: str) -> Iterator[Row]:
    """The rows of one contest: ours against the floor, then against each library; `worst` is our largest error."""
    contest = found.contest
    keywords = ", ".join(f"{word}={value}" for word, value in contest.ours.items())
    mine = float(max(found.ours[SEEN.index(t)] for t in STEPS))

    def row(reference: str, errors: np.ndarray | None, verdict: str, why: str = "") -> Row:
        parts = [keywords, f"ours {at(found.ours)} ulp", "" if errors is None else f"theirs {at(errors)}"]
        mapping = "; ".join(part for part in parts if part)
        expected = "" if errors is None else f"within {RATIO - 1:.0%} or {ROUNDING} ulp of {at(errors)}, or nearer"
        return Row(f"accuracy, {name}", contest.rule, reference, mapping, STEPS[-1], mine, expected, verdict, why)

    def compared(reference: str, errors: np.ndarray, otherwise: str) -> Row:
        good = near(found.ours, errors)
        return row(reference, errors, HOLDS if good else FAILED, "" if good else otherwise)

    yield compared("floor", found.floor, "roundings that double precision would not make")
    for reference, errors in found.theirs.items():
        if isinstance(errors, str):
            yield row(reference, None, UNCHECKED if _missing(reference) else FAILED, errors)
        else:
            yield compared(reference, errors, "ours is farther from the truth")


TOGETHER = 7  # contests in one program


def measure(against: Sequence[str], rule: str | None = None) -> dict[str, list[Errors]]:
    """The errors of every contest in every format, or of those of one rule."""
    tables = {"float32": CONTESTS, "bfloat16": NARROW}
    chosen = {name: [c for c in table if rule in (None, c.rule)] for name, table in tables.items()}
    tasks = [(name, table[i : i + TOGETHER]) for name, table in chosen.items() for i in range(0, len(table), TOGETHER)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda task: measured(task[1], FORMATS[task[0]], against), tasks))
    return {
        name: [e for task, each in zip(tasks, found, strict=True) if task[0] == name for e in each] for name in chosen
    }


def check(found: Mapping[str, Sequence[Errors]]) -> list[Row]:
    """The rows of what was measured."""
    return [row for name, errors in found.items() for each in errors for row in rows(each, name)]


def curves(errors: Sequence[Errors]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Rule -> library -> (steps, errors) for a picture; ours and the floor are those of a rule's first convention."""
    drawn: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for each in errors:
        panel = drawn.setdefault(each.contest.rule, {})
        found = {"jaxnn": each.ours, "floor": each.floor}
        found |= {name.partition(".")[0]: their for name, their in each.theirs.items() if not isinstance(their, str)}
        for name, curve in found.items():
            panel.setdefault(name, (np.array(SEEN), curve))
    return drawn
