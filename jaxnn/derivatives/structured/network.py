"""Checks that an objective's prediction is the given MLP, while the functions are traced, so it costs nothing later.

The recursion never calls `objective.predict`, but relies on the activations that it is given. With wrong ones, it would
silently return the Hessian of another network. So both networks are evaluated on random parameters and inputs, once for
every compilation, and an error is raised if they differ.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import mlp
from jaxnn.derivatives import flat
from jaxnn.objective import Objective, weighted_mean
from jaxnn.types import Activation, Params

_ROWS = 8
_ROUNDINGS = 1e3
_INSTEAD = "use derivatives.hessian, which takes any function"


def layers(params: Params) -> mlp.Params:
    """The parameters in one dtype, the widest among them and at least float32.

    Raises:
        ValueError: something else than a tuple of `Layer`; numbers that are not real floating-point ones.
    """
    require_layers(params)
    params = flat.floating(params)
    kind = flat.dtype(params)
    return jax.tree.map(lambda leaf: leaf.astype(kind), params)


def require_layers(params: Params) -> None:
    """Refuses anything but a tuple of `Layer`."""
    if not isinstance(params, tuple) or not params or not all(isinstance(layer, mlp.Layer) for layer in params):
        raise ValueError(f"params must be an MLP's tuple of Layer(w, b), got {_name(params)}: {_INSTEAD}.")


def per_layer(activation: Activation | Sequence[Activation], params: mlp.Params) -> tuple[Activation, ...]:
    """One activation for every hidden layer.

    Raises:
        ValueError: another number of them; softmax, which is not elementwise.
        TypeError: something that is not a function.
    """
    jax.eval_shape(lambda p, x: mlp.apply(p, x, activation=activation), params, params[0].w[:, 0])  # its own checks
    activations = (activation,) * (len(params) - 1) if callable(activation) else tuple(activation)
    if jax.nn.softmax in activations:
        raise ValueError(f"activation must be elementwise, got softmax, which mixes the units of a layer: {_INSTEAD}.")
    return activations


@partial(jax.jit, static_argnums=0)
def _outputs(objective: Objective, params: Params, x: Any) -> Any:
    return objective.outputs(params, x)


def output_shape(objective: Objective, params: Params, x: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of the prediction, which is not computed.

    Raises:
        ValueError: inputs that are not (batch, n_in); outputs that are neither (batch, n_out) nor (batch,) of one.
    """
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x must have shape (batch, {params[0].w.shape[0]}) with a batch ≥ 1, got {x.shape}.")
    found = _outputs.eval_shape(objective, params, x)  # traced once for an objective and the shapes
    full = len(x), params[-1].w.shape[1]
    if found.shape != full and (found.shape != full[:1] or full[1] != 1):
        raise ValueError(
            f"objective.predict must give the MLP's outputs {full}, or (batch,) of one, got {found.shape}."
        )
    return found


def require_targets(objective: Objective, outputs: jax.ShapeDtypeStruct, targets: Any, weight: Any) -> None:
    """Lets the loss and the mean check targets and weights while their values are known: when traced, they are not."""
    jax.eval_shape(lambda outputs: weighted_mean(objective.loss(outputs, targets), weight), outputs)


def require_mlp(objective: Objective, params: mlp.Params, activations: tuple[Activation, ...]) -> None:
    """Refuses an objective whose prediction is not the MLP with these activations.

    Args:
        objective: its `predict` is checked.
        params: for their shapes and their dtype; values do not matter, and may be traced.
        activations: one per hidden layer.

    Raises:
        ValueError: outputs differ by more than rounding, or an activation is not elementwise.
    """
    rng = np.random.default_rng(0)
    kind = params[0].w.dtype
    drawn = jax.tree.map(lambda leaf: _normal(rng, leaf.shape, kind) / leaf.shape[0] ** ((leaf.ndim - 1) / 2), params)
    x = _normal(rng, (_ROWS, params[0].w.shape[0]), kind)
    directions = [_normal(rng, (_ROWS, layer.w.shape[1]), kind) for layer in params[:-1]]
    with jax.ensure_compile_time_eval(), jax.default_matmul_precision("highest"):
        found = _both(objective, activations, drawn, x, directions)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(found)):
        return  # predict closes over values that are being traced: it cannot be checked here
    difference, scale, mixed = jax.tree.map(float, found)
    for sigma, share in zip(activations, mixed, strict=True):
        if share > _ROUNDINGS * jnp.finfo(kind).eps:
            raise ValueError(
                f"activation must be elementwise, but {_name_of(sigma)} mixes the units of a layer: {_INSTEAD}."
            )
    if difference > jnp.finfo(kind).eps ** (2 / 3) * scale:
        names = ", ".join(map(_name_of, activations)) or "no hidden layer"
        raise ValueError(
            f"objective.predict must be mlp.apply with the given activation ({names}), but on random parameters "
            f"and inputs they differ by {difference:.2g}: pass the activation that predict uses, or, if predict does "
            f"more than that, {_INSTEAD}."
        )


@partial(jax.jit, static_argnums=(0, 1))
def _both(objective: Any, activations: Any, params: Any, x: Any, directions: Any) -> Any:
    """The largest difference of the two outputs, their scale, and how far each activation is from elementwise.

    As a matrix, the derivative of an elementwise function is diagonal: what ones are mapped to is all of it.
    """
    expected, kept = mlp.forward(params, x, activation=activations)
    given = objective.outputs(params, x).reshape(expected.shape)
    scale = 1 + jnp.max(jnp.abs((kept.inputs, *kept.hidden)[-1]) @ jnp.abs(params[-1].w))
    mixed = []
    for sigma, z, direction in zip(activations, kept.pre_activations, directions, strict=True):
        slope, change = (jax.jvp(sigma, (z,), (tangent,))[1] for tangent in (jnp.ones_like(z), direction))
        mixed.append(_largest(change - slope * direction) / (1 + _largest(slope)))
    return _largest(given - expected), scale, mixed


def _largest(x: Any) -> Any:
    """The largest magnitude of what is finite: a network of exponentials may overflow."""
    return jnp.max(jnp.where(jnp.isfinite(x), jnp.abs(x), 0), initial=0)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


def _name(params: Any) -> str:
    return f"{type(params).__name__} of {len(params)}" if isinstance(params, tuple | list) else type(params).__name__
