import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import Objective, losses, mlp, optimisers, training
from jaxnn.training.range_test import _losses, suggest

ONE_ROW = np.zeros((1, 1)), np.zeros((1, 1))
KEY = jax.random.key(0)
STEP = 1e7 ** (1 / 199)  # the factor between two rates


def quadratic(scale, params, batch):
    """J = ½ a θ², whatever the batch."""
    del batch
    return 0.5 * scale * jnp.sum(params**2)


def of_quadratic(scale, optimiser=optimisers.sgd, **settings):
    objective = jax.tree_util.Partial(quadratic, scale)
    return training.learning_rate_range_test(objective, optimiser, jnp.ones(3), ONE_ROW, key=KEY, **settings)


def expected(scale, rates):
    """J of the quadratic before each step, in double precision: θ ← (1 - η a) θ."""
    theta = np.cumprod(np.append(1.0, 1 - rates[:-1] * scale))
    return 1.5 * scale * theta**2


@pytest.mark.parametrize("scale", [2.0, 17.0, 1000.0])
def test_a_quadratics_loss_rises_from_two_over_its_curvature_on(scale):
    found = of_quadratic(scale)
    first_above = found.learning_rate[found.learning_rate > 2 / scale][0]
    assert found.learning_rate[np.argmin(found.loss)] == first_above
    assert 2 / scale < found.diverged < 20 / scale
    assert found.diverged == pytest.approx(found.learning_rate[-1] * STEP)
    assert found.suggestion < found.lowest < found.diverged
    # rounding of 1 - ηa where η is near 1/a, in float32
    np.testing.assert_allclose(np.log(found.loss), np.log(expected(scale, found.learning_rate)), atol=0.01)


def test_sgds_suggestion_is_in_units_of_one_over_the_loss():
    rates = [of_quadratic(scale).suggestion for scale in (2.0, 2.0 * STEP**60, 2.0 * 7.7)]
    assert rates[0] / rates[1] == pytest.approx(STEP**60, rel=1e-5)
    assert rates[0] / rates[2] == pytest.approx(7.7, rel=STEP - 1)


def test_adams_suggestion_is_free_of_the_unit_of_the_loss():
    adam = partial(optimisers.adam, eps=1e-30)
    assert of_quadratic(1.0, adam).suggestion == of_quadratic(64.0, adam).suggestion


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3)).astype(np.float32)
    return x, (x @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(50))[:, None].astype(np.float32)


LINEAR = Objective(mlp.apply, losses.squared_error)


def test_losses_are_those_of_training_by_hand_at_each_rate_in_the_order_of_fit(data):
    params = mlp.init(KEY, (3, 1))
    settings = dict(key=jax.random.key(3), low=1e-3, high=0.1, steps=50, batch_size=8)
    found = training.learning_rate_range_test(LINEAR, optimisers.sgd, params, data, **settings)
    rates = np.geomspace(1e-3, 0.1, 50)
    np.testing.assert_allclose(found.learning_rate, rates, rtol=1e-12)
    rows = np.concatenate([training.batches(jax.random.key(3), epoch, 50, 8) for epoch in range(9)])[:50]
    value_and_grad = jax.jit(jax.value_and_grad(LINEAR))
    for k, (rate, chosen) in enumerate(zip(rates, rows, strict=True)):
        value, grads = value_and_grad(params, (data[0][chosen], data[1][chosen]))
        assert found.loss[k] == pytest.approx(float(value), rel=1e-4)  # float32, accumulated over steps
        params = jax.tree.map(lambda p, g, rate=rate: p - rate * g, params, grads)
    weights = 0.9 ** np.arange(50)
    smoothed = [np.average(found.loss[: k + 1][::-1], weights=weights[: k + 1]) for k in range(50)]
    np.testing.assert_allclose(found.smoothed, smoothed, rtol=1e-12)
    assert found.stop == "reached the highest rate, 0.1, without diverging"
    assert math.isnan(found.diverged)


def test_float64_agrees_with_float32_and_other_seeds_within_a_factor_of_two(data):
    params = mlp.init(KEY, (3, 1))
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
        exact = training.learning_rate_range_test(LINEAR, optimisers.sgd, wide, data, key=KEY, batch_size=16)
    rates = [
        training.learning_rate_range_test(LINEAR, optimisers.sgd, params, data, key=key, batch_size=16).suggestion
        for key in jax.random.split(KEY, 10)
    ]
    single = training.learning_rate_range_test(LINEAR, optimisers.sgd, params, data, key=KEY, batch_size=16)
    assert single.suggestion == pytest.approx(exact.suggestion, rel=2 * (STEP - 1))
    assert max(rates) < 2 * min(rates)


def test_the_rule_by_hand():
    rate = np.geomspace(1e-3, 1, 31)
    smoothed = np.concatenate([np.full(15, 5.0), np.linspace(5, 1, 11), np.full(5, 2.0)])
    assert suggest(rate, smoothed, smoothed) == (rate[14 + 9], rate[25])  # 80 % of the way from 5 to 1 is 1.8
    early = smoothed.copy()
    early[0] = 1.5  # a first batch that happens to be easy
    assert suggest(rate, smoothed, early)[0] == rate[14 + 9]
    early[0] = 0.5  # or easier than any later one
    assert suggest(rate, smoothed, early) == (rate[14 + 9], rate[25])
    noise = np.random.default_rng(0).normal(5, 1, 31)
    assert math.isnan(suggest(rate, noise, np.full(31, noise[:10].mean() - 0.1))[0])


def test_divergence_is_data(data):
    params = mlp.init(KEY, (3, 1))
    found = training.learning_rate_range_test(
        LINEAR, optimisers.sgd, params, data, key=KEY, batch_size=16, low=1e3, high=1e4
    )
    assert math.isnan(found.suggestion)
    assert "before the loss had fallen" in found.stop
    assert np.isfinite(found.loss).all()
    never = Objective(mlp.apply, lambda outputs, targets: jnp.sum(outputs - targets, axis=1) * jnp.nan)
    found = training.learning_rate_range_test(never, optimisers.sgd, params, data, key=KEY, batch_size=16)
    assert (len(found.loss), found.stop) == (0, "the loss is not finite at the initial parameters")


def test_a_loss_below_zero_is_no_divergence():
    objective = jax.tree_util.Partial(lambda params, batch: 0.5 * jnp.sum(params**2) - 10)
    found = training.learning_rate_range_test(objective, optimisers.sgd, jnp.ones(3), ONE_ROW, key=KEY, high=100.0)
    assert 2 < found.diverged < 20  # to 20 above the least, -10


def test_other_numbers_compile_nothing(data):
    params = mlp.init(KEY, (3, 1))
    test = partial(training.learning_rate_range_test, LINEAR, params=params, data=data, key=KEY, steps=50, batch_size=8)
    test(partial(optimisers.adam, b1=0.9))
    compiled = _losses._cache_size()
    test(partial(optimisers.adam, b1=0.8), low=1e-5, high=1.0)
    assert _losses._cache_size() == compiled


@pytest.mark.parametrize(
    ("optimiser", "error", "told"),
    [
        (optimisers.newton, ValueError, "newton finds its own step length"),
        (partial(optimisers.lbfgs, memory=5), ValueError, "lbfgs finds its own step length"),
        (lambda rate: optimisers.newton(), ValueError, "finds its own step length"),
        (optimisers.adam(1e-3), TypeError, "a function of the learning rate, such as optimisers.adam"),
        (optimisers.set_to_zero, TypeError, "must take a learning rate"),
        (lambda rate: rate, TypeError, "must have init and update"),
        (0.1, TypeError, "must take a learning rate"),
    ],
)
def test_what_has_no_learning_rate_is_refused(optimiser, error, told):
    with pytest.raises(error, match=told):
        of_quadratic(1.0, optimiser)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"low": 0.0}, "low must be"),
        ({"low": 1.0, "high": 1.0}, "low must be below high"),
        ({"steps": 49}, "steps must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_arguments_out_of_range(settings, told):
    with pytest.raises(ValueError, match=told):
        of_quadratic(1.0, **settings)


def test_optaxs_optimisers_have_rates_too():
    assert of_quadratic(3.0, optax.sgd).suggestion == of_quadratic(3.0).suggestion
