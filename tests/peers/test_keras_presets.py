"""The presets named after Keras against `keras.optimizers` itself, in double precision, on Keras's JAX backend."""

import inspect

import jax
import jax.numpy as jnp
import keras
import pytest

from jaxnn.optimisers import PRESETS, preset
from tests.twins import BOTH, assert_same, draws, follow, problem, rate

BETA, BETA2, EPS = (0.01, 0.97), (0.7, 0.9995), (1e-9, 1e-3)
ADAM = {"beta_1": BETA, "beta_2": BETA2, "epsilon": EPS, "weight_decay": [None, 0.3, 1e-2]}
DECAY = {"weight_decay": [0.3, None]}
SPACES = {
    "SGD": DECAY | {"momentum": [0.0, 0.5, 0.95], "nesterov": BOTH},
    "Adagrad": DECAY | {"initial_accumulator_value": [0.0, 0.3], "epsilon": EPS},
    "RMSprop": DECAY | {"rho": BETA2, "momentum": [0.9, 0.0, 0.5], "centered": BOTH, "epsilon": EPS},
    "Adam": ADAM | {"amsgrad": BOTH},
    "AdamW": ADAM | {"amsgrad": BOTH, "weight_decay": [0.3, 1e-2]},
    "Nadam": ADAM,
    "Adamax": ADAM,
    "Adadelta": DECAY | {"rho": BETA2, "epsilon": EPS},
    "Lion": DECAY | {"beta_1": BETA, "beta_2": BETA},
}
CLIPS = [{"clipnorm": 0.7}, {"clipvalue": 0.3}, {"global_clipnorm": 1.1}]


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return rate(keras.ops.cast(step, "float64"))


@pytest.fixture
def double(x64):
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def keras_run(name, params, grads, **keywords):
    """The parameters after each step of Keras's own optimiser, its stateless form scanned."""
    leaves, structure = jax.tree.flatten(params)
    optimiser = getattr(keras.optimizers, name)(Rate(), **keywords)
    optimiser.build([keras.Variable(leaf, dtype="float64") for leaf in leaves])

    def step(carry, g):
        leaves, state = optimiser.stateless_apply(carry[1], g, carry[0])
        return (leaves, state), leaves

    start = [jnp.asarray(leaf) for leaf in leaves], [variable.value for variable in optimiser.variables]
    path = jax.jit(lambda: jax.lax.scan(step, start, jax.tree.leaves(grads))[1])()
    return jax.tree.unflatten(structure, path)


@pytest.mark.parametrize("draw", range(3))
@pytest.mark.parametrize("name", SPACES)
def test_keras(name, draw, double):
    keywords = draws(name, SPACES[name], 3)[draw] | CLIPS[draw]
    if draw == 0:  # and once without clipping
        keywords.pop("clipnorm")
    params, grads = problem(draw)
    ours = follow(preset(f"keras.{name}", rate, **keywords), params, grads)
    assert_same(ours, keras_run(name, params, grads, **keywords))


@pytest.mark.parametrize("clip", CLIPS)
def test_keras_clipping(clip, double):
    params, grads = problem(0)
    assert_same(follow(preset("keras.SGD", rate, **clip), params, grads), keras_run("SGD", params, grads, **clip))


@pytest.mark.parametrize("name", SPACES)
def test_keras_defaults(name):
    loop = {"use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps"}
    theirs = inspect.signature(getattr(keras.optimizers, name)).parameters
    given = inspect.signature(PRESETS[f"keras.{name}"]).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}
    assert set(theirs) - set(given) <= {"name", "kwargs"} | loop
