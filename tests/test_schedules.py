"""Schedules: optax's twins, the formulae at chosen steps, weak typing, and arguments that are refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import schedules

RATE = 0.3
STEPS = [0, 1, 2, 9, 10, 11, 35, 99, 100, 101, 10_000]

# ours, and optax's
TWINS = {
    "constant": (schedules.constant(RATE), optax.constant_schedule(RATE)),
    "exponential_decay": (
        schedules.exponential_decay(RATE, rate=0.5, steps=10),
        optax.exponential_decay(RATE, transition_steps=10, decay_rate=0.5),
    ),
    "step_decay": (
        schedules.step_decay(RATE, rate=0.5, steps=10),
        optax.exponential_decay(RATE, transition_steps=10, decay_rate=0.5, staircase=True),
    ),
    "cosine": (
        schedules.cosine(RATE, steps=100, final=0.03),
        optax.cosine_decay_schedule(RATE, decay_steps=100, alpha=0.1),
    ),
    "warmup_cosine": (
        schedules.warmup_cosine(RATE, warmup=10, steps=100, final=0.03),
        optax.warmup_cosine_decay_schedule(0.0, RATE, warmup_steps=10, decay_steps=100, end_value=0.03),
    ),
    "piecewise": (
        schedules.piecewise([RATE, RATE / 10, RATE / 100], boundaries=[10, 100]),
        optax.piecewise_constant_schedule(RATE, {10: 0.1, 100: 0.1}),
    ),
    # 1 / (1 + κ t): optax has none, NumPy does.
    "inverse_time": (schedules.inverse_time(RATE, decay=0.25), lambda step: RATE / (1 + 0.25 * np.float64(step))),
}


def test_every_schedule_has_a_twin():
    assert set(TWINS) == set(schedules.TABLE)


@pytest.mark.parametrize("name", TWINS)
class TestEverySchedule:
    @pytest.mark.parametrize("step", STEPS)
    def test_equals_its_twin(self, name, step, x64):
        ours, theirs = TWINS[name]
        # optax's piecewise multiplies its factors up and so rounds otherwise
        np.testing.assert_allclose(ours(jnp.array(step, jnp.int32)), theirs(step), rtol=1e-14, atol=1e-17)

    @pytest.mark.parametrize("step", STEPS)
    def test_in_float32_it_keeps_float32_accuracy(self, name, step):
        ours, theirs = TWINS[name]
        with jax.enable_x64(True):
            exact = float(theirs(step))
        np.testing.assert_allclose(jax.jit(ours)(jnp.array(step, jnp.int32)), exact, rtol=2e-6, atol=1e-9)

    def test_takes_python_steps_and_arrays_of_steps(self, name):
        ours, _ = TWINS[name]
        one_by_one = [float(ours(step)) for step in STEPS]
        at_once = jax.vmap(schedules.as_schedule(ours))(jnp.array(STEPS))
        np.testing.assert_allclose(at_once, one_by_one, rtol=1e-5, atol=1e-8)  # XLA's and Python's powers

    @pytest.mark.by_default("False-*")
    @pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16, jnp.float32])
    @pytest.mark.parametrize("x64_on", [False, True])
    def test_never_changes_the_dtype_of_what_it_multiplies(self, name, kind, x64_on):
        with jax.enable_x64(x64_on):
            schedule = schedules.as_schedule(TWINS[name][0])
            rate = jax.jit(schedule)(jnp.array(3, jnp.int32))
            assert rate.weak_type
            assert rate.shape == ()
            assert (rate * jnp.ones(2, kind)).dtype == kind

    def test_is_finite_at_the_last_step_that_is_counted(self, name):
        assert 0 <= float(TWINS[name][0](jnp.array(2**31 - 1, jnp.int32))) <= RATE


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        (schedules.exponential_decay(0.1, rate=0.5, steps=10), 0, 0.1),
        (schedules.exponential_decay(0.1, rate=0.5, steps=10), 10, 0.05),
        (schedules.step_decay(0.1, rate=0.5, steps=10), 9, 0.1),
        (schedules.step_decay(0.1, rate=0.5, steps=10), 10, 0.05),
        (schedules.inverse_time(0.1, decay=1.0), 0, 0.1),
        (schedules.inverse_time(0.1, decay=1.0), 4, 0.02),
        (schedules.cosine(0.1, steps=10), 0, 0.1),
        (schedules.cosine(0.1, steps=10), 5, 0.05),
        (schedules.cosine(0.1, steps=10), 10, 0.0),
        (schedules.cosine(0.1, steps=10), 11, 0.0),
        (schedules.cosine(0.01, steps=10, final=0.1), 10, 0.1),
        (schedules.warmup_cosine(0.1, warmup=4, steps=10), 0, 0.0),
        (schedules.warmup_cosine(0.1, warmup=4, steps=10), 2, 0.05),
        (schedules.warmup_cosine(0.1, warmup=4, steps=10), 4, 0.1),
        (schedules.warmup_cosine(0.1, warmup=4, steps=10), 10, 0.0),
        (schedules.piecewise([3.0, 2.0, 1.0], boundaries=[1, 5]), 0, 3.0),
        (schedules.piecewise([3.0, 2.0, 1.0], boundaries=[1, 5]), 1, 2.0),
        (schedules.piecewise([3.0, 2.0, 1.0], boundaries=[1, 5]), 4, 2.0),
        (schedules.piecewise([3.0, 2.0, 1.0], boundaries=[1, 5]), 5, 1.0),
        (schedules.piecewise([3.0], boundaries=[]), 7, 3.0),
    ],
)
def test_by_hand(schedule, step, rate, x64):
    assert float(schedule(step)) == pytest.approx(rate, abs=1e-17)


@pytest.mark.parametrize("step", [1, 7, 23])
def test_rates_can_be_traced(step):
    """A sweep over initial rates is one vmapped program."""
    rates = jnp.array([0.1, 0.2])
    for make in (
        schedules.constant,
        lambda rate: schedules.exponential_decay(rate, rate=0.5, steps=10),
        lambda rate: schedules.inverse_time(rate, decay=0.1),
        lambda rate: schedules.cosine(rate, steps=50),
    ):
        swept = jax.vmap(lambda rate, make=make: make(rate)(step))(rates)
        np.testing.assert_allclose(swept, [float(make(rate)(step)) for rate in (0.1, 0.2)], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(-1.0), r"learning_rate must be ≥ 0 and finite, got -1.0"),
        (lambda: schedules.constant(math.nan), r"learning_rate must be a number, got nan"),
        (lambda: schedules.exponential_decay(0.1, rate=0.0, steps=1), r"rate must be > 0"),
        (lambda: schedules.exponential_decay(0.1, rate=1.5, steps=1), r"rate must be in \[0, 1\]"),
        (lambda: schedules.exponential_decay(0.1, rate=0.5, steps=0), r"steps must be a whole number ≥ 1"),
        (lambda: schedules.step_decay(-0.1, rate=0.5, steps=1), r"learning_rate must be ≥ 0"),
        (lambda: schedules.step_decay(0.1, rate=2.0, steps=1), r"rate must be in \[0, 1\]"),
        (lambda: schedules.inverse_time(0.1, decay=-1.0), r"decay must be ≥ 0"),
        (lambda: schedules.cosine(0.1, steps=0), r"steps must be a whole number ≥ 1"),
        (lambda: schedules.cosine(0.1, steps=10, final=-0.1), r"final must be ≥ 0"),
        (lambda: schedules.warmup_cosine(0.1, warmup=10, steps=10), r"warmup must be shorter than steps"),
        (lambda: schedules.warmup_cosine(0.1, warmup=0, steps=10), r"warmup must be a whole number ≥ 1"),
        (lambda: schedules.piecewise([0.1], boundaries=[5]), r"one more value than boundaries, got 1 and 1"),
        (lambda: schedules.piecewise([0.1, -0.1], boundaries=[5]), r"values\[1\] must be ≥ 0"),
        (lambda: schedules.piecewise([0.1, 0.2], boundaries=[0]), r"boundaries\[0\] must be a whole number ≥ 1"),
        (
            lambda: schedules.piecewise([1, 2, 3], boundaries=[5, 5]),
            r"boundaries must be strictly increasing, got \(5, 5\)",
        ),
        (lambda: schedules.as_schedule(-0.1), r"learning_rate must be ≥ 0"),
        (lambda: schedules.as_schedule(math.inf), r"learning_rate must be ≥ 0 and finite"),
    ],
)
def test_bad_values_are_refused_when_the_schedule_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_steps_must_be_whole():
    with pytest.raises(TypeError, match=r"steps must be a whole number, got True"):
        schedules.cosine(0.1, steps=True)


class TestAsSchedule:
    @pytest.mark.parametrize("rate", [0.1, 1, np.float32(0.1), jnp.array(0.1)])
    def test_a_number_is_a_constant(self, rate):
        schedule = schedules.as_schedule(rate)
        assert isinstance(schedule(0), jax.Array)
        assert float(schedule(0)) == float(schedule(10**6)) == pytest.approx(float(rate), rel=1e-7)

    def test_a_whole_number_is_a_rate_like_any_other(self):
        assert jnp.issubdtype(schedules.as_schedule(1)(0).dtype, jnp.floating)

    def test_an_array_is_copied(self):
        """States hold the rate, and states may be donated: the caller's array must outlive them."""
        rate = jnp.array(0.1, jnp.float32)
        jax.jit(lambda x: 2 * x, donate_argnums=0)(schedules.as_schedule(rate)(0))
        assert not rate.is_deleted()
