"""The exact Hessian of an MLP's objective: whole, by layers, its diagonal, its trace.

All are sums over examples, which are taken a chunk at a time. Weights of the examples enter in the last layer's δ
and R, in which everything is linear; the penalty's Hessian is added at the end.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn import checks, chunks, mlp, tree
from jaxnn.derivatives import budget, flat
from jaxnn.derivatives.jacobians import needs_split, shares
from jaxnn.derivatives.structured import blocks, memory, network, penalties, recursion
from jaxnn.objective import Objective, split
from jaxnn.types import Activation, Batch, Params

Activations = Activation | Sequence[Activation]


class _Task(NamedTuple):
    """What is constant while a program is compiled: hashable, compared by the identity of the functions."""

    objective: Objective
    activations: Activation | tuple[Activation, ...]
    kind: str
    block_bytes: int | None


def mlp_hessian(
    objective: Callable[..., Any],
    params: Params,
    batch: Batch,
    *,
    activation: Activations,
    kind: str = "hessian",
    block_bytes: int | None = None,
    memory_bytes: int | None = None,
) -> Float[Array, "n n"]:
    """The exact Hessian of J(params, batch) for a multi-layer perceptron, by the block recursion.

    It is as exact as `jax.hessian`, with about a tenth of its arithmetic and a hundredth of its memory, and exactly
    symmetric. It works in jit and under vmap, and is compiled once for an objective, an activation and the shapes.

    If an activation has a kink, such as ReLU at 0, J has no Hessian where a unit lies exactly on it. There, the result
    is the Hessian of the smooth piece that `jax.grad` chooses: for ReLU, that of an inactive unit. Elsewhere the result
    is exact, but holds only as far as the nearest kink: `kinked_units` counts the units that are close to one. Between
    kinks, a ReLU network's J is not quadratic: blocks of one layer equal Gauss-Newton's, blocks of two layers do not.

    Args:
        objective: an `Objective` whose `predict` is `mlp.apply` with this activation, or its single output as (batch,);
            any loss of each example's outputs, any penalty.
        params: a tuple of `Layer`; biases may be None.
        batch: (x, targets) or (x, targets, weight), x (batch, n_in).
        activation: as `mlp.apply` takes it: an elementwise function with two derivatives, or one per hidden layer.
        kind: "hessian", or "gauss_newton" for Σ Aᵀ ∇²ℓ A, which leaves out the curvature of the network.
        block_bytes: bound on the arrays with an axis of examples, which are taken a chunk at a time; by default 8 MiB
            or a quarter of the Hessian, whichever is more.
        memory_bytes: the most memory for the n × n matrix; by default half of this machine's memory.

    Returns:
        (n, n) in the order of `ravel_pytree`, in the widest dtype of the parameters, float32 at least.

    Raises:
        ValueError: not an `Objective`; params of something else than an MLP; a predict that is not the MLP with this
            activation (checked on random parameters); an activation that is not elementwise; shapes that do not fit.
        MemoryBudgetError: the matrix is larger than `memory_bytes`.
    """
    task = _task("mlp_hessian", objective, params, batch, activation, kind, block_bytes)
    instead = "mlp_hessian_blocks, mlp_hessian_diagonal, or products with hvp"
    budget.check_square("The Hessian", tree.size(params), flat.dtype(params), memory_bytes, instead)
    return _whole(task, params, _arrays(batch))


def mlp_hessian_blocks(
    objective: Callable[..., Any],
    params: Params,
    batch: Batch,
    *,
    activation: Activations,
    kind: str = "hessian",
    block_bytes: int | None = None,
) -> tuple[Float[Array, "_ _"], ...]:
    """The blocks of the Hessian on its diagonal, one for every layer; arguments as for `mlp_hessian`.

    Returns:
        For each layer (p_l, p_l), with p_l = n_out (n_in + 1), in the order of `ravel_pytree` of that layer.
    """
    task = _task("mlp_hessian_blocks", objective, params, batch, activation, kind, block_bytes)
    return _blocks(task, params, _arrays(batch))


def mlp_hessian_diagonal(
    objective: Callable[..., Any],
    params: Params,
    batch: Batch,
    *,
    activation: Activations,
    kind: str = "hessian",
    block_bytes: int | None = None,
) -> Float[Array, " n"]:
    """The diagonal of the Hessian, exact, at the price of a few products with vectors; arguments as for `mlp_hessian`.

    Returns:
        (n,) in the order of `ravel_pytree`.
    """
    task = _task("mlp_hessian_diagonal", objective, params, batch, activation, kind, block_bytes)
    return _diagonal(task, params, _arrays(batch))


def mlp_hessian_trace(
    objective: Callable[..., Any],
    params: Params,
    batch: Batch,
    *,
    activation: Activations,
    kind: str = "hessian",
    block_bytes: int | None = None,
) -> Float[Array, ""]:
    """The sum of the Hessian's diagonal and so of its eigenvalues, exact; arguments as for `mlp_hessian`."""
    task = _task("mlp_hessian_trace", objective, params, batch, activation, kind, block_bytes)
    return jnp.sum(_diagonal(task, params, _arrays(batch)))


@partial(jax.jit, static_argnums=0)
def _whole(task: _Task, params: Params, batch: Batch) -> Array:
    layers = network.layers(params)
    sums = _over_examples(task, "whole", layers, batch, blocks.all_sums)
    return penalties.added_to_matrix(task.objective.penalty, layers, blocks.matrix(layers, sums))


@partial(jax.jit, static_argnums=0)
def _blocks(task: _Task, params: Params, batch: Batch) -> tuple[Array, ...]:
    layers = network.layers(params)
    sums = _over_examples(task, "blocks", layers, batch, blocks.diagonal_sums)
    found = tuple(
        blocks.diagonal_block(summed, blocks.rows(layer), layer.w.shape[1])
        for layer, summed in zip(layers, sums, strict=True)
    )
    return penalties.added_to_blocks(task.objective.penalty, layers, found)


@partial(jax.jit, static_argnums=0)
def _diagonal(task: _Task, params: Params, batch: Batch) -> Array:
    layers = network.layers(params)
    sums = _over_examples(task, "diagonal", layers, batch, blocks.entry_sums)
    found = jnp.concatenate([summed.ravel() for summed in sums])
    return penalties.added_to_diagonal(task.objective.penalty, layers, found)


def _over_examples(task: _Task, part: memory.Part, params: mlp.Params, batch: Batch, sums: Callable[..., Any]) -> Any:
    """The sums over all examples; `sums` makes them for a chunk, of the forward pass and the last layer's δ and R."""
    x, targets, weight = split(batch)
    activations = network.per_layer(task.activations, params)
    network.require_mlp(task.objective, params, activations)
    squeezed = len(network.output_shape(task.objective, params, x).shape) == 1

    def contribution(x: Array, targets: Any, share: Array) -> Any:
        passed = recursion.forward(params, x, activations)
        outputs = passed.outputs[:, 0] if squeezed else passed.outputs
        last = recursion.at_outputs(task.objective, outputs, targets, share)
        if task.kind == "gauss_newton":  # φ'' = 0, and no δ
            passed = passed._replace(bends=tuple(jnp.zeros_like(bend) for bend in passed.bends))
            last = last._replace(gradient=jnp.zeros_like(last.gradient))
        return sums(params, passed, last)

    x = x.astype(params[0].w.dtype)
    size = memory.rows_at_once(params, part, len(x), task.block_bytes, x.dtype.itemsize)
    with jax.default_matmul_precision("highest"):  # some accelerators would round float32 factors to fewer bits
        return chunks.summed(contribution, (x, targets), shares(len(x), weight, x.dtype), size)


def _task(
    who: str,
    objective: Any,
    params: Params,
    batch: Batch,
    activation: Activations,
    kind: str,
    block_bytes: int | None,
) -> _Task:
    """The arguments, as far as values and not shapes are wrong with them: the rest is found where it is traced."""
    objective = needs_split(objective, who)
    if kind not in ("hessian", "gauss_newton"):
        raise ValueError(f'kind must be "hessian" or "gauss_newton", got {kind!r}.')
    if block_bytes is not None:
        checks.whole(1, block_bytes=block_bytes)
    network.require_layers(params)
    x, targets, weight = split(batch)
    network.require_targets(objective, network.output_shape(objective, params, jnp.asarray(x)), targets, weight)
    return _Task(objective, activation if callable(activation) else tuple(activation), kind, block_bytes)


def _arrays(batch: Batch) -> Batch:
    """The batch with lists of numbers as arrays."""
    return tuple(jnp.asarray(part) if isinstance(part, list) else part for part in batch)
