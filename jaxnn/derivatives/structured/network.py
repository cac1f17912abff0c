"""Is this objective's prediction that MLP? Asked of functions, when they are traced, so that it costs nothing later.

The recursion never calls `objective.predict`: it is told the activations and believes them. Told wrongly, it would give
the Hessian of another network without a word. So both are evaluated on drawn parameters and inputs, once for every
compilation, and the claim is refused where they differ.
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
    """Refuses what is no tuple of `Layer`."""
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
    """Lets the loss and the mean refuse targets and weights whose values are known now, and no longer when traced."""
    jax.eval_shape(lambda outputs: weighted_mean(objective.loss(outputs, targets), weight), outputs)


def require_mlp(objective: Objective, params: mlp.Params, activations: tuple[Activation, ...]) -> None:
    """Refuses an objective whose prediction is not the MLP with these activations.

    Args:
        objective: its `predict` is asked.
        params: for their shapes and their dtype; values do not matter, and may be traced.
        activations: one per hidden layer.

    Raises:
        ValueError: outputs differ by more than rounding, or an activation is not elementwise.
    """
    with jax.ensure_compile_time_eval(), jax.default_matmul_precision("highest"):
        rng = np.random.default_rng(0)
        drawn = jax.tree.map(lambda leaf: _normal(rng, leaf.shape, leaf.dtype) / max(1, leaf.ndim) ** 0.5, params)
        drawn = tuple(layer._replace(w=layer.w / layer.w.shape[0] ** 0.5) for layer in drawn)
        x = _normal(rng, (_ROWS, params[0].w.shape[0]), params[0].w.dtype)
        expected, kept = mlp.forward(drawn, x, activation=activations)
        for sigma, z in zip(activations, kept.pre_activations, strict=True):
            _require_elementwise(sigma, z, _normal(rng, z.shape, z.dtype))
        given = objective.outputs(drawn, x)
        last = drawn[-1]
        scale = jnp.max(jnp.abs((kept.inputs, *kept.hidden)[-1]) @ jnp.abs(last.w)) + 1
    if any(isinstance(array, jax.core.Tracer) for array in (given, expected, scale)):
        return  # a function that closes over values being traced: nothing can be known of it here
    difference = np.abs(np.asarray(given, float).reshape(expected.shape) - np.asarray(expected, float))
    if np.nanmax(difference, initial=0.0) > jnp.finfo(x.dtype).eps ** (2 / 3) * float(scale):
        names = ", ".join(map(_name_of, activations)) or "no hidden layer"
        raise ValueError(
            f"objective.predict must be mlp.apply with the activation that is given ({names}), but on drawn parameters "
            f"and inputs they differ by {np.nanmax(difference):.2g}: give the activation that predict uses, or, where "
            f"it does more than that, {_INSTEAD}."
        )


def _require_elementwise(sigma: Activation, z: Any, direction: Any) -> None:
    """As a matrix, the derivative of an elementwise function is diagonal: what ones are mapped to is all of it."""
    slope = jax.jvp(sigma, (z,), (jnp.ones_like(z),))[1]
    change = jax.jvp(sigma, (z,), (direction,))[1]
    if isinstance(change, jax.core.Tracer):
        return
    if not np.allclose(
        change, slope * direction, rtol=1e-3, atol=1e-3 * float(jnp.max(jnp.abs(slope))), equal_nan=True
    ):
        raise ValueError(
            f"activation must be elementwise, but {_name_of(sigma)} mixes the units of a layer: {_INSTEAD}."
        )


def _normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    return jnp.asarray(rng.standard_normal(shape), dtype)


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


def _name(params: Any) -> str:
    return f"{type(params).__name__} of {len(params)}" if isinstance(params, tuple | list) else type(params).__name__
