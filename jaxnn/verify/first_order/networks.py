"""Gradients: backpropagation by hand against `jax.grad`, and everything that states a derivative against differences.

Four parts, each a function of what it checks: `backward_passes` (by hand), `slopes` (each activation's derivative),
`by_outputs` (each loss) and `objectives` (the whole of J). All in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, backprop, losses, mlp
from jaxnn.derivatives import GradientCheck, check_gradient
from jaxnn.objective import Objective, l2
from jaxnn.types import Activation, Batch, LossFunction, Params
from jaxnn.verify.compiling import compiler_options
from jaxnn.verify.first_order.given_gradients import differences
from jaxnn.verify.table import FAILED, HOLDS, Row, Table, verdict_of, versions

DRAWS = 20  # of parameters and data for each network
BATCH = 5
BY_HAND = 1e-12  # the same sums of products, in another order
BY_DIFFERENCES = 1e-9  # differences themselves are sure to about 1e-10 in float64
BY_COMPLEX_STEP = 1e-13  # rounding alone: GELU's cancels most
POINTS = (-6.3, -2.1, -0.9, -0.4, 0.4, 1.1, 2.3, 5.7)  # away from the kinks at 0
ELEMENTWISE = tuple(name for name in activations.TABLE if name != "softmax")

Gradient: TypeAlias = Callable[[Callable[[Params], Any]], Callable[[Params], Params]]  # as jax.grad is


def check() -> Table:
    """Every row of the group "gradients", in float64 whatever the caller computes in."""
    with jax.enable_x64(True):
        rows = (
            backward_passes(backprop.backward)
            + slopes(activations.DERIVATIVES)
            + by_outputs(jax.grad)
            + objectives(jax.grad)
        )
    return Table(tuple(rows), versions("jax", "numpy"))


class Network(NamedTuple):
    """A network of one shape, and `DRAWS` sets of parameters and data along a leading axis; NumPy arrays."""

    sizes: tuple[int, ...]
    activation: tuple[Activation, ...]  # one for each hidden layer
    loss: str
    params: Params
    data: Batch


def backward_passes(backward: Callable[..., Params]) -> list[Row]:
    """The reverse pass by hand against `jax.grad`: a row for each loss, over networks of depth 1 to 5.

    Args:
        backward: as `backprop.backward` is.
    """
    drawn = cases()
    given = [(case.params, case.data) for case in drawn]

    # one program: each network alone would take as long to compile as ten together
    @partial(jax.jit, compiler_options=compiler_options([case.params for case in drawn]))
    def both(arrays: Sequence[tuple[Params, Batch]]) -> list[tuple[Params, Params]]:
        def one(case: Network, params: Params, data: Batch) -> tuple[Params, Params]:
            x, y = data
            apply, loss = partial(mlp.apply, activation=case.activation), losses.TABLE[case.loss]
            outputs, kept = mlp.forward(params, x, activation=case.activation)
            grad_outputs = jax.grad(partial(_mean_loss, loss))(outputs, y)
            by_jax = jax.grad(partial(_value, Objective(apply, loss)))(params, data)
            return backward(params, kept, grad_outputs, activation=case.activation), by_jax

        return [jax.vmap(partial(one, case))(*array) for case, array in zip(drawn, arrays, strict=True)]

    worst = [float(differences(*pair).max()) for pair in both(given)]
    rows = []
    for name in losses.TABLE:
        chosen = [(case, w) for case, w in zip(drawn, worst, strict=True) if case.loss == name]
        shapes = ", ".join("-".join(map(str, case.sizes)) for case, _ in chosen)
        found = verdict_of(
            max(w for _, w in chosen), BY_HAND, otherwise="the two gradients differ by more than rounding"
        )
        rows.append(_row(f"backprop.backward, {name}", "jax.grad", f"{DRAWS} draws each of {shapes}", found))
    return rows


def cases() -> list[Network]:
    """Two networks for each loss: between them every depth from 1 to 5 and every elementwise activation."""
    rng = np.random.default_rng(0)
    return [_draw(rng, i, loss) for i, loss in enumerate(name for name in losses.TABLE for _ in range(2))]


def slopes(derivatives: Mapping[str, Activation]) -> list[Row]:
    """Each activation's derivative against differences, and against the complex step where it is analytic.

    Args:
        derivatives: by name, as `activations.DERIVATIVES` is.
    """
    z, rows = jnp.array(POINTS), []
    for name in ELEMENTWISE:
        sigma = activations.TABLE[name]
        report = check_gradient(partial(_summed, sigma), z, grad=derivatives[name])
        how = f"at {len(POINTS)} points from {min(POINTS)} to {max(POINTS)}"
        rows.append(_row(f"derivative of {name}", "differences", how, _by_differences(report)))
        if report.complex_error is not None:
            found = verdict_of(report.complex_error, BY_COMPLEX_STEP, otherwise="it is another number", passed=HOLDS)
            rows.append(_row(f"derivative of {name}", "complex step", how, found))
    return rows


def by_outputs(gradient: Gradient) -> list[Row]:
    """The gradient of each loss by the outputs, against differences.

    Args:
        gradient: as `jax.grad` is.
    """
    rng = np.random.default_rng(1)
    rows = []
    for name, loss in losses.TABLE.items():
        outputs = jnp.asarray(rng.normal(size=(4, 3)))
        f = partial(_mean_loss, loss, targets=_targets(rng, name, (4, 3)))
        report = check_gradient(f, outputs, grad=jax.jit(gradient(f)))
        rows.append(_row(f"{name}, by the outputs", "differences", "4 examples, 3 outputs", _by_differences(report)))
    return rows


def objectives(gradient: Gradient) -> list[Row]:
    """The gradient of a whole objective by the network's parameters, against differences.

    Args:
        gradient: as `jax.grad` is.
    """
    rng = np.random.default_rng(2)
    rows = []
    for name, sizes, penalty in (
        ("squared_error", (4, 5, 3), None),
        ("softmax_cross_entropy", (10, 16, 5), l2(0.01)),
    ):
        params = _params(rng, sizes, bias=True)
        batch = (jnp.asarray(rng.normal(size=(8, sizes[0]))), _targets(rng, name, (8, sizes[-1])), rng.uniform(size=8))
        objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.TABLE[name], penalty)
        f = partial(_value, objective, batch=batch)
        report = check_gradient(f, params, grad=jax.jit(gradient(f)))
        places = f"{report.directions} {'coordinates' if report.every_coordinate else 'directions'}"
        how = f"mlp {'-'.join(map(str, sizes))}, tanh, weighted{', l2' if penalty else ''}; {places}"
        rows.append(_row(f"Objective, {name}", "differences", how, _by_differences(report)))
    return rows


def _summed(sigma: Activation, z: Any) -> Any:
    return sigma(z).sum()


def _mean_loss(loss: LossFunction, outputs: Any, targets: Any) -> Any:
    return loss(outputs, targets).mean()


def _value(objective: Objective, params: Params, batch: Batch) -> Any:
    return objective(params, batch)


def _draw(rng: np.random.Generator, i: int, loss: str) -> Network:
    """Network number i: depths 1 to 5, every other one without bias, the activations in turn."""
    depth = 1 + i % 5
    sizes = tuple(int(n) for n in rng.integers(1, 8, size=depth + 1))
    names = [ELEMENTWISE[(2 * i + k) % len(ELEMENTWISE)] for k in range(depth - 1)]
    data = (rng.normal(size=(DRAWS, BATCH, sizes[0])), _targets(rng, loss, (DRAWS, BATCH, sizes[-1])))
    params = _params(rng, sizes, bias=i % 2 == 0, draws=(DRAWS,))
    return Network(sizes, tuple(activations.TABLE[name] for name in names), loss, params, data)


def _params(rng: np.random.Generator, sizes: Sequence[int], *, bias: bool, draws: tuple[int, ...] = ()) -> Params:
    return tuple(
        mlp.Layer(
            jnp.asarray(rng.normal(size=(*draws, n_in, n_out)) / np.sqrt(n_in)),
            jnp.asarray(rng.normal(size=(*draws, n_out))) if bias else None,
        )
        for n_in, n_out in pairwise(sizes)
    )


def _targets(rng: np.random.Generator, loss: str, shape: tuple[int, ...]) -> Any:
    """Targets as the loss takes them, for outputs of that shape."""
    if loss == "softmax_cross_entropy":
        return rng.integers(shape[-1], size=shape[:-1])
    if loss == "sigmoid_cross_entropy":
        return rng.integers(2, size=shape).astype(np.float64)
    if loss == "poisson":
        return rng.poisson(2.0, size=shape).astype(np.float64)
    return rng.normal(size=shape)


def _by_differences(report: GradientCheck) -> dict[str, Any]:
    """A row's verdict: what the report says, and that it could say it to many digits."""
    worst = report.error if np.isfinite(report.error) else np.inf
    found = verdict_of(worst, BY_DIFFERENCES, otherwise=report.why, passed=HOLDS)
    return found if report.ok else found | {"verdict": FAILED, "why": f"{report.verdict}: {report.why}"}


def _row(rule: str, reference: str, mapping: str, found: dict[str, Any]) -> Row:
    return Row("gradients", rule, reference, mapping, 0, **found)
