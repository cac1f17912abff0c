"""Every rule against its paper's formula in 60 digits, at hyperparameters drawn; RAdam in float32."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp, mpf

from jaxnn import optimisers
from jaxnn.verify.first_order import exact, oracles, spaces
from tests import mutation

MOMENTUM, AVERAGE, BOTH = (0.0, 0.97), (0.7, 0.9999), [False, True]
# What each hyperparameter is drawn from, by its name: as for twins, but up to the ends of the ranges; flags are both.
SPACE = spaces.SPACE | {
    "b1": MOMENTUM,
    "b2": AVERAGE,
    "decay": AVERAGE,
    "eps": (1e-9, 1e-2),
    "eps_root": [1e-4, 0.0, 0.0],
    "initial_accumulator": [0.0, 0.1],
    "initial_mean_square": [0.0, 0.2],
    "maximum": ["paper", "raw", "corrected"],
    "momentum": MOMENTUM,
    "rho": AVERAGE,
    "threshold": (4.0, 8.0),
    "weight_decay": [0.0, 0.3],
}
OTHERWISE = {
    "rmsprop": {
        # the corrected variance of a first gradient is 0, and 1/√(rounding + ε) would compare roundings: ε well above
        "eps": (1e-1, 1.0),
        "momentum": [0.0, 0.5, 0.95],
    },
    "adamw": {"weight_decay": (0.0, 0.5)},
    "lion": {"b2": MOMENTUM, "weight_decay": (0.0, 0.5)},
}


def space(rule):
    """What the hyperparameters of a rule are drawn from."""
    parameters = list(inspect.signature(optimisers.get(rule)).parameters.values())[1:]
    drawn = {p.name: BOTH if isinstance(p.default, bool) else SPACE[p.name] for p in parameters}
    return drawn | OTHERWISE.get(rule, {})


@pytest.mark.by_default("*-0")
@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("rule", optimisers.TABLE)
def test_the_formula_at_drawn_hyperparameters(rule, index):
    keywords = spaces.draw(rule, space(rule), index)
    assert exact.worst(optimisers.get(rule), rule, keywords, steps=100, seed=index) <= exact.AT_MOST


@pytest.mark.parametrize("rule", optimisers.TABLE)
def test_the_formula_in_float32(rule):
    """To a few roundings of 6e-8: what stands in for a formula in float32 alone is the formula too."""
    keywords = spaces.draw(rule, space(rule), 3)
    assert exact.worst(optimisers.get(rule), rule, keywords, steps=100, dtype=np.float32) <= 1e-5


def followed(optimiser, grads):
    """The parameters after each step from 0, one scan."""

    def step(carry, g):
        theta, state = carry
        updates, state = optimiser.update(g, state, theta)
        return (theta + updates, state), theta + updates

    theta = jnp.zeros(grads.shape[1:], grads.dtype)
    return np.asarray(jax.jit(lambda: jax.lax.scan(step, (theta, optimiser.init(theta)), grads)[1])())


@pytest.mark.parametrize("b2", [0.9, 0.999, 0.9999, 0.99999])
def test_radam_in_float32_at_every_step(b2):
    """Where optax is wrong by half: ρₜ is the difference of two numbers near 2 / (1 - β₂)."""
    optimiser = optimisers.radam(1.0, b1=0.0, b2=b2, eps=0.0)
    steps = -np.diff(followed(optimiser, np.ones((1000, 1), np.float32))[:, 0].astype(np.float64), prepend=0.0)
    with mp.workdps(60):
        keywords = oracles.exactly(oracles.ORACLES["radam"], {"b1": 0.0, "b2": b2, "eps": 0.0}, mpf)
        path = [float(x) for x in oracles.ORACLES["radam"](mpf(0), [mpf(1)] * 1000, [mpf(1)] * 1000, **keywords)]
    # the steps are read off a float32 parameter, whose rounding is half a spacing of its largest value on either side
    assert np.abs(steps + np.diff(path, prepend=0.0)).max() <= np.spacing(np.float32(np.abs(path).max())) + 2e-6


def test_what_is_computed_in_advance_is_exact():
    """RAdam's series, to double precision; the mutation script holds that it matters."""
    assert mutation.in_advance("radam", optimisers.radam) == ""
