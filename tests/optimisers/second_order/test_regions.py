"""How a trust radius and a cubic penalty follow the gain ratio, as printed."""

import jax.numpy as jnp
import pytest

from jaxnn.optimisers.second_order.regions import RADIUS, SIGMA, Proposal


def tried(length, at_boundary=False):
    return Proposal(jnp.ones(2), jnp.ones(()), jnp.asarray(length), jnp.asarray(at_boundary))


@pytest.mark.parametrize(
    ("gain", "length", "at_boundary", "after"),
    [
        (0.2, 3.0, True, 0.75),
        (-jnp.inf, jnp.nan, True, 1.0),  # a step that was not solved for has no length
        (0.5, 4.0, True, 4.0),
        (0.8, 4.0, True, 8.0),
        (0.8, 1.0, False, 4.0),
        (0.75, 4.0, True, 4.0),
        (0.25, 3.0, False, 4.0),
    ],
)
def test_the_radius_follows_algorithm_4_1_of_nocedal_and_wright(gain, length, at_boundary, after):
    assert RADIUS.adapt(jnp.asarray(4.0), jnp.asarray(gain), tried(length, at_boundary)) == after


@pytest.mark.parametrize(("gain", "after"), [(-1.0, 8.0), (0.05, 8.0), (0.1, 2.0), (0.9, 2.0), (0.95, 0.5)])
def test_the_penalty_follows_the_gain(gain, after):
    assert SIGMA.adapt(jnp.asarray(2.0), jnp.asarray(gain), tried(1.0)) == after


def test_a_relaxed_region_reaches_ten_times_as_far():
    """The length of a step that σ |s|³/3 limits is proportional to 1/√σ where the step is long."""
    assert RADIUS.relaxed(jnp.asarray(2.0)) == 20.0
    assert SIGMA.relaxed(jnp.asarray(2.0)) == pytest.approx(0.02)
