"""Gauss-Newton's part of the Hessian, and the Fisher information: sums over examples of A_iᵀ M_i A_i.

    Hessian             Σᵢ A_iᵀ Λ_i A_i + Σᵢ Σⱼ gᵢⱼ ∇²oᵢⱼ + ∇²R      of J(θ) = Σᵢ wᵢ ℓ(oᵢ, yᵢ) / Σ w + R(θ)
    Gauss-Newton        Σᵢ A_iᵀ Λ_i A_i               + ∇²R      Λ_i = wᵢ ∇²ℓ / Σ w
    Fisher              Σᵢ A_iᵀ F_i A_i                          F_i = wᵢ E[∇ℓ ∇ℓᵀ] / Σ w, targets drawn from the model
    empirical Fisher    Σᵢ A_iᵀ E_i A_i                          E_i = wᵢ ∇ℓ ∇ℓᵀ / Σ w, at the targets that are there

A_i = ∂oᵢ/∂θ, derivatives of ℓ by the outputs. Where ℓ is minus the logarithm of a density in the exponential family
with o its natural parameter, F_i = Λ_i, and Fisher's matrix is Gauss-Newton's. The empirical one is another matrix: it
vanishes where all examples are fitted.

References:
    Schraudolph, Fast curvature matrix-vector products for second-order gradient descent, 2002.
    Martens, New insights and perspectives on the natural gradient method, 2020, JMLR 21.
    Kunstner, Balles & Hennig, Limitations of the empirical Fisher approximation, 2019.
"""

import functools
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import chunks, losses, tree
from jaxnn.derivatives import budget, dense, flat
from jaxnn.derivatives.jacobians import example_curvature, needs_split, output_jacobian, shares, width
from jaxnn.objective import Objective, names, split
from jaxnn.types import Batch, LossFunction, Params

BLOCK_BYTES = 2**26  # of the Jacobian of the rows that are taken together: 64 MiB

_INSTEAD = "gauss_newton_vp (products with vectors), mlp_hessian_blocks, or the optimisers newton_cg and lbfgs"

_Core = Callable[[Array, Any, Any], Array]  # outputs, targets, shares of the mean -> M, (rows, k, k)


def gauss_newton_matrix(
    objective: Any,
    params: Params,
    batch: Batch,
    *,
    key: Any = None,
    block_bytes: int | None = None,
    memory_bytes: int | None = None,
) -> Float[Array, "n n"]:
    """Aᵀ Λ A + ∇²R: the Hessian without the curvature of the outputs in the parameters.

    It is positive semidefinite for a loss that is convex in the outputs, as all of `jaxnn.losses` are, and a penalty
    that is convex; and the Hessian itself where the outputs are linear in the parameters, or fit every example.

    Args:
        objective: an `Objective` whose predict treats each row on its own.
        params: a pytree of n floating-point numbers.
        batch: (inputs, targets) or (inputs, targets, weight), rows first.
        key: for a `predict` with that argument; all rows are then taken at once, since they share a draw.
        block_bytes: the most memory for the Jacobian of the rows that are taken together; 64 MiB if None.
        memory_bytes: the most memory for the matrix; half of this machine's memory if None.

    Returns:
        The matrix in ravel order, symmetric to the last bit, in float32 or wider.

    Raises:
        ValueError: a plain function for an objective; parameters that are not floating point.
        MemoryBudgetError: the matrix would take more than `memory_bytes`; raised before anything is allocated.
    """
    objective = needs_split(objective, "gauss_newton_matrix")

    def core(outputs: Array, y: Any, share: Array) -> Array:
        return share[:, None, None] * example_curvature(objective, outputs, y)[1]

    total = _sum(objective, params, batch, core, key, block_bytes, memory_bytes, "A Gauss-Newton matrix")
    if objective.penalty is None:
        return total
    return total + dense.hessian(objective.penalty, params, memory_bytes=memory_bytes)


def fisher(
    objective: Any,
    params: Params,
    batch: Batch,
    *,
    key: Any = None,
    block_bytes: int | None = None,
    memory_bytes: int | None = None,
) -> Float[Array, "n n"]:
    """Fisher's information: the mean over examples of E[∇ log p ∇ log pᵀ], targets drawn from the model's own p(y | x).

        squared_error            y ~ N(o, ½)               F = 2
        softmax_cross_entropy    P(y = j) = softmax(o)ⱼ    F = diag p - p pᵀ
        sigmoid_cross_entropy    P(y = 1) = σ(o)           F = σ(o) σ(-o)
        poisson                  y ~ Poisson(eᵒ)           F = eᵒ

    The targets of the batch do not enter, its weights do; nor does the penalty. It equals `gauss_newton_matrix` without
    the penalty.

    Args:
        objective: an `Objective` with one of these losses.
        params: as for `gauss_newton_matrix`, and so are the other arguments.
        batch: likewise.
        key: likewise.
        block_bytes: likewise.
        memory_bytes: likewise.

    Raises:
        ValueError: another loss, whose distribution is not known; and as for `gauss_newton_matrix`.
        MemoryBudgetError: as there.
    """
    objective = needs_split(objective, "fisher")
    information = next((known for loss, known in _INFORMATION.items() if loss is objective.loss), None)
    if information is None:
        raise ValueError(
            f"fisher needs a loss with a known distribution, one of {', '.join(map(_name, _INFORMATION))}; got "
            f"{_name(objective.loss)}: use gauss_newton_matrix or empirical_fisher."
        )

    def core(outputs: Array, y: Any, share: Array) -> Array:
        o = outputs.astype(tree.wide_dtype(outputs.dtype)).reshape(len(share), -1)
        return share[:, None, None] * jax.vmap(information)(o)

    return _sum(objective, params, batch, core, key, block_bytes, memory_bytes, "A Fisher matrix")


def empirical_fisher(
    objective: Any,
    params: Params,
    batch: Batch,
    *,
    key: Any = None,
    block_bytes: int | None = None,
    memory_bytes: int | None = None,
) -> Float[Array, "n n"]:
    """Σ w ∇ℓ ∇ℓᵀ / Σ w over the examples, derivatives by the parameters: the second moment of their gradients.

    For any loss; without the penalty. It is no approximation of the Hessian unless the model is right and the examples
    are many.

    Args:
        objective: as for `gauss_newton_matrix`.
        params: likewise, and so are the other arguments.
        batch: likewise.
        key: likewise.
        block_bytes: likewise.
        memory_bytes: likewise.

    Raises:
        ValueError, MemoryBudgetError: as for `gauss_newton_matrix`.
    """
    objective = needs_split(objective, "empirical_fisher")

    def example_losses(params: Params, row: Any) -> Array:
        return keyed(params, row)

    def keyed(params: Params, row: Any, *, key: Any = None) -> Array:
        x, y = row
        return objective.loss(objective.outputs(params, x, key), y)

    def core(outputs: Array, y: Any, share: Array) -> Array:
        return share[:, None, None]

    x, y, weight = split(batch)
    each = Objective(keyed if names(objective.predict, "key") else example_losses, objective.loss)
    what = "An empirical Fisher matrix"
    return _sum(each, params, ((x, y), y, weight), core, key, block_bytes, memory_bytes, what)


def _sum(
    objective: Objective,
    params: Params,
    batch: Batch,
    core: _Core,
    key: Any,
    block_bytes: int | None,
    memory_bytes: int | None,
    what: str,
) -> Array:
    """Σᵢ A_iᵀ M_i A_i, M = core(outputs, targets, shares), over blocks of rows."""
    params = flat.floating(params)
    n, kind = tree.size(params), flat.dtype(params)
    budget.check_square(what, n, kind, memory_bytes, _INSTEAD)
    x, y, weight = split(batch)
    x, y = jax.tree.map(jnp.asarray, (x, y))
    outputs = jax.eval_shape(lambda p: objective.outputs(p, x, key), params)
    rows, k = outputs.shape[0], width(outputs)
    share = shares(rows, weight, tree.wide_dtype(outputs.dtype))

    def block(x: Any, y: Any, share: Array) -> Array:
        jacobian = output_jacobian(objective, params, (x, y), key)  # (n, rows k)
        m = core(objective.outputs(params, x, key), y, share).astype(kind)
        return jacobian @ _weighted(jacobian, m).T

    drawn = key is not None and names(objective.predict, "key")
    most = (block_bytes or BLOCK_BYTES) // (n * k * kind.itemsize)
    total = chunks.summed(block, (x, y), share, rows if drawn else chunks.even(rows, most))
    return 0.5 * (total + total.T)


def _weighted(jacobian: Array, m: Array) -> Array:
    """Each example's columns of the transposed Jacobian times its symmetric M: (n, rows k)."""
    rows, k, _ = m.shape
    if k == 1:
        return jacobian * m[:, 0, 0]
    per_example = jacobian.reshape(-1, rows, k)
    return jnp.einsum("nij,ijl->nil", per_example, m).reshape(jacobian.shape)


_INFORMATION: MappingProxyType[LossFunction, Callable[[Array], Array]] = MappingProxyType(
    {
        losses.squared_error: lambda o: 2 * jnp.eye(o.size, dtype=o.dtype),
        losses.softmax_cross_entropy: lambda o: (
            jnp.diag(jax.nn.softmax(o)) - jnp.outer(jax.nn.softmax(o), jax.nn.softmax(o))
        ),
        losses.sigmoid_cross_entropy: lambda o: jnp.diag(jax.nn.sigmoid(o) * jax.nn.sigmoid(-o)),
        losses.poisson: lambda o: jnp.diag(jnp.exp(o)),
    }
)


def _name(loss: Any) -> str:
    inner = loss.func if isinstance(loss, functools.partial) else loss
    return getattr(inner, "__name__", repr(inner))
