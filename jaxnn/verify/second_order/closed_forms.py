"""Hessians that can be written down: single layers, linear networks, and functions of two variables.

    one layer, squared error    H = 2/B X̃ᵀX̃ ⊗ I                           X̃ = [x, 1], the layer as one matrix [w; b]
    one layer, softmax          H = 1/B Σ x̃x̃ᵀ ⊗ (diag p - p pᵀ)
    two linear layers, at 0     H = -2/B [0, XᵀY ⊗ …; …, 0]: eigenvalues ±2/B σ(XᵀY), each once for every hidden unit
    softmax on any network      H v = 0 for v that adds one number to a row of the last [w; b]: n + 1 directions

References:
    Bishop, Pattern Recognition and Machine Learning, 2006, section 4.3.
    Dauphin et al., Identifying and attacking the saddle point problem, 2014, figure 2.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import losses, mlp
from jaxnn.objective import Objective, l2
from jaxnn.types import Batch, Params
from jaxnn.verify.certificates import DEGENERATE, MINIMUM, NOT_STATIONARY, SADDLE
from jaxnn.verify.second_order import more_garbow_hillstrom

BATCH = 12


class Known(NamedTuple):
    """A point and the Hessian there."""

    name: str
    objective: Objective
    params: Params
    batch: Batch
    matrix: np.ndarray  # (n, n) in ravel order


def known() -> list[Known]:
    """All of them; arrays of JAX's default float."""
    return [_one_layer(), _softmax_layer(), _two_linear_layers(), *_two_variables()]


class Nature(NamedTuple):
    """A point, and what it is."""

    name: str
    objective: Any  # an `Objective`, or J(params, batch)
    params: Params
    batch: Any
    verdict: str
    eigenvalue: float | None  # the smallest one of the Hessian, where it is known


def natures() -> list[Nature]:
    """A minimum, a degenerate one, and saddles of the second and third order."""
    problems = {problem.name.partition(" ")[2]: problem for problem in more_garbow_hillstrom.problems()}
    rosenbrock, powell = problems["Rosenbrock"], problems["Powell singular"]
    least = float(np.linalg.eigvalsh([[401.0, -200.0], [-200.0, 100.0]])[0])
    two_layers = _two_linear_layers()
    down = float(spectrum_at_zero(two_layers)[0])
    free, held = softmax_fitted(0.0), softmax_fitted(0.01)
    zero = jnp.zeros(2)
    return [
        Nature("Rosenbrock at (1, 1)", rosenbrock.objective, jnp.ones(2), rosenbrock.batch, MINIMUM, least),
        Nature("Powell's singular function at 0", powell.objective, jnp.zeros(4), powell.batch, DEGENERATE, 0.0),
        Nature("5x² - y² at 0", lambda p, _: 5 * p[0] ** 2 - p[1] ** 2, zero, None, SADDLE, -2.0),
        Nature("x³ - 3xy² at 0", lambda p, _: p[0] ** 3 - 3 * p[0] * p[1] ** 2, zero, None, SADDLE, 0.0),
        Nature(two_layers.name, two_layers.objective, two_layers.params, two_layers.batch, SADDLE, down),
        Nature("one layer, softmax, fitted", free.objective, free.params, free.batch, DEGENERATE, 0.0),
        Nature("one layer, softmax, fitted with l2", held.objective, held.params, held.batch, MINIMUM, 0.01),
        Nature(
            "Rosenbrock at (1, 1.01)",
            rosenbrock.objective,
            jnp.array([1, 1.01]),
            rosenbrock.batch,
            NOT_STATIONARY,
            None,
        ),
    ]


def identity(z: Any) -> Any:
    """The activation of a linear unit."""
    return z


def linear(params: Params, x: Any) -> Any:
    """A network whose every unit is linear."""
    return mlp.apply(params, x, activation=identity)


def _one_layer() -> Known:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(BATCH, 3)), rng.normal(size=(BATCH, 2))
    extended = np.column_stack([x, np.ones(BATCH)])
    matrix = np.kron(2 / BATCH * extended.T @ extended, np.eye(2)) + 0.1 * np.eye(8)
    layer = mlp.Layer(jnp.asarray(rng.normal(size=(3, 2))), jnp.asarray(rng.normal(size=2)))
    objective = Objective(linear, losses.squared_error, l2(0.1))
    return Known("one layer, squared error, l2", objective, (layer,), _batch(x, y), matrix)


def _softmax_layer() -> Known:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(BATCH, 3)), rng.integers(4, size=BATCH)
    theta = rng.normal(size=(4, 4))
    matrix = _softmax_derivatives(theta, x, y, 0.0)[1]
    params = (mlp.Layer(jnp.asarray(theta[:-1]), jnp.asarray(theta[-1])),)
    return Known("one layer, softmax", Objective(linear, losses.softmax_cross_entropy), params, _batch(x, y), matrix)


def softmax_fitted(strength: float) -> Known:
    """One softmax layer at its minimum, found by Newton's method on the formulae in NumPy; l2 of `strength`."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4 * BATCH, 3)), rng.integers(4, size=4 * BATCH)
    theta = np.zeros((4, 4))
    for _ in range(20):
        gradient, matrix = _softmax_derivatives(theta, x, y, strength)
        theta = theta - np.linalg.lstsq(matrix, gradient, rcond=1e-10)[0].reshape(theta.shape)  # shifts are not moved
    params = (mlp.Layer(jnp.asarray(theta[:-1]), jnp.asarray(theta[-1])),)
    objective = Objective(linear, losses.softmax_cross_entropy, l2(strength) if strength else None)
    return Known("one layer, softmax, fitted", objective, params, _batch(x, y), matrix)


def softmax_network() -> Known:
    """A network 3-4-3 with tanh, at any point; its Hessian is not known, but some of its null directions are."""
    rng = np.random.default_rng(4)
    sizes = ((3, 4), (4, 3))
    params = tuple(
        mlp.Layer(jnp.asarray(rng.normal(size=size)), jnp.asarray(rng.normal(size=size[1]))) for size in sizes
    )
    objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.softmax_cross_entropy)
    batch = _batch(rng.normal(size=(BATCH, 3)), rng.integers(3, size=BATCH))
    return Known("3-4-3, tanh, softmax", objective, params, batch, np.zeros((0, 0)))


def _softmax_derivatives(theta: np.ndarray, x: np.ndarray, y: np.ndarray, strength: float) -> Any:
    """Gradient and Hessian of the mean cross-entropy, and of ½ strength ‖θ‖², by θ = [w; b]."""
    extended = np.column_stack([x, np.ones(len(x))])
    outputs = extended @ theta
    p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    gradient = extended.T @ (p - np.eye(theta.shape[1])[y]) / len(x) + strength * theta
    inner = [np.diag(row) - np.outer(row, row) for row in p]
    matrix = sum(np.kron(np.outer(e, e), each) for e, each in zip(extended, inner, strict=True)) / len(x)
    return gradient.ravel(), matrix + strength * np.eye(theta.size)


def _two_linear_layers() -> Known:
    """Widths 3-4-2 without bias, at 0: ∂²J/∂U_ij ∂V_jk = -2/B (XᵀY)_ik, and nothing else."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(BATCH, 3)), rng.normal(size=(BATCH, 2))
    products = -2 / BATCH * x.T @ y
    mixed = np.zeros((3, 4, 4, 2))
    for unit in range(4):
        mixed[:, unit, unit, :] = products
    off = mixed.reshape(12, 8)
    matrix = np.block([[np.zeros((12, 12)), off], [off.T, np.zeros((8, 8))]])
    params = (mlp.Layer(jnp.zeros((3, 4)), None), mlp.Layer(jnp.zeros((4, 2)), None))
    return Known("two linear layers at 0", Objective(linear, losses.squared_error), params, _batch(x, y), matrix)


def _two_variables() -> list[Known]:
    """Rosenbrock at (1, 1), Beale at (3, ½): Σ r², and so m times the mean."""
    at = {
        "1 Rosenbrock": ((1.0, 1.0), [[802, -400], [-400, 200]]),
        "5 Beale": ((3.0, 0.5), [[3.15625, -11.4375], [-11.4375, 46.125]]),
    }
    return [
        Known(
            f"{problem.name.partition(' ')[2]} at its minimum",
            problem.objective,
            jnp.asarray(at[problem.name][0]),
            problem.batch,
            np.array(at[problem.name][1]) / len(problem.y),
        )
        for problem in more_garbow_hillstrom.problems()
        if problem.name in at
    ]


def spectrum_at_zero(case: Known) -> np.ndarray:
    """The eigenvalues (n,) of a linear network of two layers at 0, ascending."""
    x, y = (np.asarray(each) for each in case.batch)
    units = case.params[0].w.shape[1]
    sigma = 2 / len(x) * np.linalg.svd(x.T @ y, compute_uv=False)
    ends = np.repeat(sigma, units)
    return np.sort(np.concatenate([ends, -ends, np.zeros(len(case.matrix) - 2 * len(ends))]))


def shifts(params: mlp.Params) -> np.ndarray:
    """The directions (n + 1, size) that add one number to all outputs, orthonormal, in ravel order."""
    last = params[-1]
    n, k = last.w.shape
    before = sum(leaf.size for leaf in jax.tree.leaves(params[:-1]))
    return np.column_stack([np.zeros((n + 1, before)), np.kron(np.eye(n + 1), np.full(k, k**-0.5))])


def _batch(x: Any, y: Any) -> Batch:
    return jnp.asarray(x), jnp.asarray(y)
