"""The float32 errors: ours near the floor and no farther from the truth than optax's; and the measure itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import optimisers
from jaxnn.verify import table
from jaxnn.verify.first_order import accuracy, libraries
from jaxnn.verify.first_order.accuracy import SEEN, STEPS, Contest, Errors

AGAINST = ("optax",)
# The first to ask waits for a thousand steps of every rule, in two formats.
pytestmark = [pytest.mark.rounding, pytest.mark.timeout(400)]


@pytest.fixture(scope="module", params=["adam", pytest.param(None, id="every rule", marks=pytest.mark.slow)])
def found(request):
    return accuracy.measure(AGAINST, request.param)


@pytest.mark.by_default("adam-bfloat16")
@pytest.mark.parametrize("name", accuracy.FORMATS)
def test_ours_is_at_the_floor_and_no_farther_than_optax(found, name):
    rows = accuracy.check({name: found[name]})
    assert [row for row in rows if row.verdict != table.HOLDS] == []
    assert {row.reference.partition(".")[0] for row in rows} == {"floor", "optax"}


def test_every_rule_is_measured():
    assert {contest.rule for contest in accuracy.CONTESTS} == set(optimisers.TABLE)


def test_after_a_thousand_steps_ours_is_near_the_floor(found):
    for each in found["float32"]:
        assert each.ours[-1] <= accuracy.RATIO * each.floor[-1], each.contest


def test_adam_errs_a_tenth_of_optaxs(found):
    (adam,) = (each for each in found["float32"] if each.contest == Contest("adam", {}, each.contest.theirs))
    assert (10 * adam.ours < adam.theirs["optax.adam"]).all()


def test_the_oracle_in_extended_precision_is_the_rule_in_double():
    """The truth of a contest against our own float64, to what float64 can hold after 1000 steps."""
    contest = Contest("adam", {"b2": 0.99}, {})
    grads = accuracy.gradients(np.float32, coordinates=20)
    truth = accuracy.exact(contest, grads)
    with jax.enable_x64(True):
        path = accuracy.given_gradients.follow(
            optimisers.adam(accuracy.RATE, b2=0.99), np.zeros(20), grads.astype(np.float64)
        )
    np.testing.assert_allclose(path[np.array(SEEN) - 1], truth.astype(np.float64), rtol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16])
@pytest.mark.parametrize("off", [0.0, 0.5, -3.0])
def test_ulps_counts_spacings_of_the_format(dtype, off):
    truth = np.full((len(SEEN), 3), 1.5)  # in [1, 2), where the spacing is ε
    path = np.full((STEPS[-1], 3), 1.5) + off * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(accuracy.ulps(path, truth, dtype), abs(off), rtol=1e-12)


def test_ulps_takes_the_median_and_knows_no_nan():
    truth = np.ones((len(SEEN), 3))
    path = np.ones((STEPS[-1], 3))
    path[:, 0] = np.nan
    assert (accuracy.ulps(path, truth, np.float32) == 0).all()
    path[:, 1] = np.inf
    assert (accuracy.ulps(path, truth, np.float32) == np.inf).all()


def test_the_floor_rounds_its_state_and_its_parameters():
    """Momentum by hand: what it carries is a float32, its arithmetic is not."""
    with jax.enable_x64(True):
        optimiser = accuracy.rounded(optimisers.momentum(2.0**-10, momentum=0.9), jnp.bfloat16)
        theta, state = jnp.zeros(1), optimiser.init(jnp.zeros(1))
        g = np.float64(np.float32(0.3))
        v = np.float64(0)
        for _ in range(3):
            updates, state = optimiser.update(jnp.full(1, g), state, theta)
            expected = v * 0.9 - 2.0**-10 * g  # of the velocity that was rounded
            v = np.float64(np.float32(expected))
            moved = jnp.asarray(np.float64(theta[0]) + expected, jnp.bfloat16)
            theta = theta + updates
            assert float(state.velocity[0]) == v
            assert float(theta[0]) == float(moved)


def planted(ours, floor=1.0, theirs=1.0):
    full = np.ones(len(SEEN))
    return Errors(Contest("sgd", {}, {}), ours * full, floor * full, {"optax.sgd": theirs * full})


@pytest.mark.parametrize(
    ("errors", "verdicts"),
    [
        (planted(1.0), (table.HOLDS, table.HOLDS)),
        (planted(1.5), (table.HOLDS, table.HOLDS)),
        (planted(1.7), (table.FAILED, table.FAILED)),
        (planted(11.4, floor=10.0, theirs=80.0), (table.HOLDS, table.HOLDS)),
        (planted(11.6, floor=10.0, theirs=80.0), (table.FAILED, table.HOLDS)),
        (planted(np.inf, theirs=np.inf), (table.FAILED, table.FAILED)),
        (planted(1.0, theirs=np.inf), (table.HOLDS, table.HOLDS)),
    ],
)
def test_what_passes(errors, verdicts):
    assert tuple(row.verdict for row in accuracy.rows(errors, "float32")) == verdicts


def test_a_library_that_is_missing_or_fails_is_told(monkeypatch):
    full = np.ones(len(SEEN))
    contest = Contest("sgd", {}, {})
    failed = Errors(contest, full, full, {"optax.sgd": "TypeError: no"})
    assert [row.verdict for row in accuracy.rows(failed, "float32")] == [table.HOLDS, table.FAILED]
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    (each,) = accuracy.measured([Contest("sgd", {}, {"torch.SGD": {}})], jnp.float32, ("torch",))
    assert "torch is not installed" in each.theirs["torch.SGD"]
    assert list(accuracy.rows(each, "float32"))[1].verdict == table.UNCHECKED


def test_curves_are_of_each_rules_first_convention(found):
    curves = accuracy.curves(found["float32"])
    assert list(curves) == list(dict.fromkeys(each.contest.rule for each in found["float32"]))
    steps, errors = curves["adam"]["jaxnn"]
    assert tuple(steps) == SEEN
    first = next(each for each in found["float32"] if each.contest.rule == "adam")
    np.testing.assert_array_equal(errors, first.ours)
    assert set(curves["adam"]) == {"jaxnn", "floor", "optax"}
