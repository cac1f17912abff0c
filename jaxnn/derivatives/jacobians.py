"""The two factors of Gauss-Newton's matrix: the outputs' derivatives, and the loss's curvature in the outputs.

    J = Σᵢ wᵢ ℓ(oᵢ, yᵢ) / Σᵢ wᵢ,  o = f(x; θ)
    ∇J = Aᵀ g,  G = Aᵀ Λ A          A = ∂o/∂θ;  gᵢ = wᵢ ∇ℓ / Σ w,  Λᵢ = wᵢ ∇²ℓ / Σ w, by the outputs of each example

The Jacobian is kept transposed, parameters first: XLA's product of two matrices on a CPU runs on all cores only with
the short side first, and there are mostly fewer parameters than outputs of all examples.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import tree
from jaxnn.derivatives import flat
from jaxnn.objective import Objective, names, split, weighted_mean
from jaxnn.types import Batch, Params

_FORWARD = 4  # so many tangents cost what one cotangent does: measured on NIST's models and small networks


def needs_split(objective: Any, who: str) -> Objective:
    """The objective, if it has a separate prediction and loss.

    Args:
        objective: what was given.
        who: the method that asks, as the message names it.

    Raises:
        ValueError: a plain function, whose outputs are hidden.
    """
    if isinstance(objective, Objective):
        return objective
    got = "a plain function" if callable(objective) else type(objective).__name__
    raise ValueError(f"{who} needs the split into predict and loss: pass an Objective(predict, loss), got {got}.")


def output_jacobian(objective: Objective, params: Params, batch: Batch, key: Any = None) -> Float[Array, "n outputs"]:
    """The derivatives of the raw outputs with respect to the parameters, transposed.

    Args:
        objective: its predict treats each row on its own, so an example's outputs depend on no other example.
        params: a pytree of n numbers.
        batch: (inputs, targets) or (inputs, targets, weight); the inputs any pytree of arrays, rows first.
        key: for a `predict` that names it, one draw for the whole batch.

    Returns:
        (n, rows · k): parameters in ravel order by outputs, the k of each example side by side; in float32 or wider.

    Raises:
        ValueError: outputs that are neither (batch,) nor (batch, k).
    """
    x = split(batch)[0]
    shape = jax.eval_shape(lambda p: objective.outputs(p, x, key), params)
    outputs = width(shape)
    drawn = key is not None and names(objective.predict, "key")  # for the batch as a whole: rows alone would differ
    by_rows = not drawn and tree.size(params) > _FORWARD * outputs
    return (_reverse if by_rows else _forward)(lambda p, x: objective.outputs(p, x, key), params, x, outputs)


def width(outputs: Any) -> int:
    """The number k of outputs of each example; 1 for outputs of shape (batch,).

    Raises:
        ValueError: any other shape.
    """
    if len(outputs.shape) not in (1, 2):
        raise ValueError(f"predict must give outputs of shape (batch,) or (batch, k), got {outputs.shape}.")
    return outputs.shape[1] if len(outputs.shape) == 2 else 1


def _reverse(predict: Callable[..., Any], params: Params, x: Any, outputs: int) -> Array:
    """Row by row, a cotangent for each output: the price of k gradients."""

    def row(x: Any) -> Params:
        value, pull = jax.vjp(lambda p: predict(p, jax.tree.map(lambda leaf: leaf[None], x)).reshape(outputs), params)
        return jax.vmap(lambda unit: pull(unit)[0], out_axes=-1)(jnp.eye(outputs, dtype=value.dtype))

    leaves = jax.tree.leaves(jax.vmap(row, out_axes=-2)(x))  # (*shape, rows, k)
    kind = flat.dtype(params)
    parts = [
        leaf.reshape(jnp.size(p), -1).astype(kind) for leaf, p in zip(leaves, jax.tree.leaves(params), strict=True)
    ]
    return jnp.concatenate(parts)


def _forward(predict: Callable[..., Any], params: Params, x: Any, outputs: int) -> Array:
    """The whole batch at once, a tangent for each parameter: cheaper where these are few."""
    _, push = jax.linearize(lambda p: predict(p, x), params)
    kind, count = flat.dtype(params), tree.size(params)
    back = flat.unravel(params)
    columns = jax.vmap(lambda unit: push(back(unit)))(jnp.eye(count, dtype=kind))
    return columns.reshape(count, -1).astype(kind)


def output_curvature(
    objective: Objective, outputs: Array, targets: Any, weight: Any = None
) -> tuple[Float[Array, "batch k"], Float[Array, "batch k k"]]:
    """Gradient and Hessian of the weighted mean loss by the outputs of each example; examples do not mix.

    Args:
        objective: whose loss is meant.
        outputs: raw outputs, (batch, k), or (batch,), which is taken as k = 1.
        targets: as the loss takes them, rows first.
        weight: (batch,) ≥ 0, or None for equal ones.

    Returns:
        wᵢ ∇ℓ(oᵢ) / Σ w, (batch, k), and wᵢ ∇²ℓ(oᵢ) / Σ w, (batch, k, k), symmetric to the last bit; in float32 or
        wider. Where the loss has a kink they are what automatic differentiation makes of it.

    Raises:
        ValueError: outputs of another shape; weights of another shape or, where they are known, below 0.
    """
    gradient, hessian = example_curvature(objective, outputs, targets)
    share = shares(len(gradient), weight, gradient.dtype)
    return share[:, None] * gradient, share[:, None, None] * hessian


def example_curvature(
    objective: Objective, outputs: Array, targets: Any
) -> tuple[Float[Array, "batch k"], Float[Array, "batch k k"]]:
    """∇ℓ and ∇²ℓ of each example by its outputs, as `output_curvature` has them before they are weighted."""
    rows, k = outputs.shape[0], width(outputs)
    outputs = outputs.astype(tree.wide_dtype(outputs.dtype))

    def loss(o: Array, y: Any) -> Array:
        row = o.reshape(1, *outputs.shape[1:])
        return objective.loss(row, jax.tree.map(lambda leaf: leaf[None], y))[0]

    flat_outputs, targets = outputs.reshape(rows, k), jax.tree.map(jnp.asarray, targets)
    gradient = jax.vmap(jax.grad(loss))(flat_outputs, targets)
    hessian = jax.vmap(jax.hessian(loss))(flat_outputs, targets)
    return gradient, 0.5 * (hessian + hessian.mT)


def shares(rows: int, weight: Any, dtype: Any) -> Float[Array, " batch"]:
    """The weight of each example in the mean: wᵢ / Σ w, or 1 / rows; 0 where all weights are 0."""
    return jax.grad(weighted_mean)(jnp.zeros(rows, dtype), weight)
