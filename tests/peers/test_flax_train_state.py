"""Our optimisers in flax's TrainState."""

import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState

from jaxnn import optimisers
from tests import laws


def test_train_state_takes_ours():
    p = {"w": jnp.asarray([[0.5, -1.0]]), "b": jnp.asarray([0.1, 0.2])}
    x = jnp.asarray([[1.0], [-2.0]])

    def loss(p):
        return jnp.mean((x @ p["w"] + p["b"] - 1.0) ** 2)

    ours = optimisers.adamw(1e-1, weight_decay=1e-2)
    flax_state = TrainState.create(apply_fn=loss, params=p, tx=optax.GradientTransformationExtraArgs(*ours))
    state = ours.init(p)
    for _ in range(5):
        flax_state = flax_state.apply_gradients(grads=jax.grad(loss)(flax_state.params))
        updates, state = ours.update(jax.grad(loss)(p), state, p)
        p = optimisers.apply_updates(p, updates)
    assert flax_state.step == 5
    laws.equal(flax_state.params, p)
