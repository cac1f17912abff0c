"""Weights: whatever the batches, what is minimised is the weighted mean over the whole training set.

Witness is the closed form of weighted least squares, J(θ) = Σ w (x·θ - y)² / Σ w, in NumPy and float64: its gradient
2 Xᵀ W (Xθ - y) / Σ w, and its minimum.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import derivatives, losses, mlp, optimisers, training
from jaxnn.objective import Objective, Relative, l2
from jaxnn.types import Optimiser

KEY = jax.random.key(0)
ROWS = 50  # no multiple of 8 or 32: the last batch is short
LINEAR = Objective(lambda theta, x: x @ theta, losses.squared_error)
fit = partial(training.fit, progress=False, key=KEY, epochs=1)

WEIGHTS = {
    "uneven": lambda rng: rng.exponential(size=ROWS) ** 2,
    "mostly zero": lambda rng: np.where(np.arange(ROWS) % 9 == 2, 3.0, 0.0),  # batches without any weight, too
    "whole numbers": lambda rng: rng.integers(0, 5, ROWS),
    "tiny": lambda rng: 1e-30 * rng.exponential(size=ROWS),
    "huge": lambda rng: 1e30 * rng.exponential(size=ROWS),
    "beyond float32": lambda rng: 1e-300 * rng.exponential(size=ROWS),
    "far apart": lambda rng: 10.0 ** rng.uniform(-30, 30, ROWS),
}


def problem(kind="uneven", seed=0):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(ROWS), rng.normal(size=(ROWS, 2))])
    return x, np.sin(3 * x[:, 1]) + x[:, 2] ** 2, WEIGHTS[kind](rng)


THETA = np.array([0.3, -1.0, 2.0])


def closed_gradient(x, y, weight, theta=THETA):
    share = np.asarray(weight, float) / np.sum(weight, dtype=float)
    return 2 * x.T @ (share * (x @ theta - y))


def closed_minimum(x, y, weight):
    share = np.asarray(weight, float) / np.sum(weight, dtype=float)
    return np.linalg.solve(x.T @ (share[:, None] * x), x.T @ (share * y))


def sums_gradients():
    """An optimiser that stays where it is and adds up Σ rows · gradient, and the rows."""

    def update(grads, state, params, *, batch, **words):
        rows = len(batch[0])
        return jnp.zeros_like(grads), (state[0] + rows * grads, state[1] + rows)

    return Optimiser(lambda params: (jnp.zeros_like(params), jnp.zeros(())), update)


def by_fit(data, batch_size):
    return fit(LINEAR, sums_gradients(), jnp.asarray(THETA), data, batch_size=batch_size).state.opt_state


def cut(batch_size):
    order = np.random.default_rng(5).permutation(ROWS)
    return [order[first : first + batch_size] for first in range(0, ROWS, batch_size)]


def by_step(data, batch_size):
    take = training.step(LINEAR, sums_gradients(), mean_weight=np.mean(data[2], dtype=float))
    state = training.init(sums_gradients(), jnp.asarray(THETA))
    for rows in cut(batch_size):
        state, _ = take(state, tuple(part[rows] for part in data))
    return state.opt_state


def by_run(data, batch_size, transform=lambda f: f):
    """Two scans, of the whole batches and of the short one."""
    total = np.zeros(3), 0
    whole = ROWS // batch_size * batch_size
    order = np.concatenate(cut(batch_size))
    for rows in (order[:whole].reshape(-1, batch_size), order[None, whole:]):
        if rows.size:
            loop = transform(lambda data, rows: training.run(LINEAR, sums_gradients(), jnp.asarray(THETA), data, rows))
            gradient, count = loop(data, rows)[0].opt_state
            total = total[0] + gradient, total[1] + count
    return total


LOOPS = {"fit": by_fit, "step": by_step, "run": by_run, "run, compiled": partial(by_run, transform=jax.jit)}


@pytest.mark.by_default("step-8", "fit-32", "run-8")
@pytest.mark.parametrize("batch_size", [1, 8, 32, ROWS])
@pytest.mark.parametrize("loop", LOOPS)
def test_the_batches_gradients_are_on_average_that_of_the_whole_set(loop, batch_size, x64):
    data = problem()
    total, rows = LOOPS[loop](data, batch_size)
    assert rows == ROWS
    np.testing.assert_allclose(total / rows, closed_gradient(*data), rtol=1e-12)


@pytest.mark.by_default("run-*", "fit-huge")
@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("loop", ["fit", "run"])
def test_no_unit_of_weights_matters_in_float32(loop, kind):
    data = problem(kind)
    total, rows = LOOPS[loop](data, 8)
    # float32's rounding of 50 terms that largely cancel
    np.testing.assert_allclose(total / rows, closed_gradient(*data), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1.0, 1e20, 1e37])
def test_no_unit_of_weights_matters_where_they_are_traced(unit):
    """In float32, whose numbers end at 3e38 and 1e-38: a program that is handed the weights, and J itself."""
    x, y, weight = problem()
    weight = (weight / weight.max()).astype(np.float32)
    still = optimisers.sgd(0.0)
    loop = lambda w: training.run(LINEAR, still, jnp.asarray(THETA, jnp.float32), (x, y, w), np.arange(ROWS)[None])[1]
    expected = np.average((x @ THETA - y) ** 2, weights=weight)
    np.testing.assert_allclose(jax.jit(loop)(jnp.asarray(weight * unit, jnp.float32)).loss, [expected], rtol=1e-5)
    alone = jax.jit(lambda w: LINEAR(jnp.asarray(THETA, jnp.float32), (x, y, w)))
    np.testing.assert_allclose(alone(jnp.asarray(weight * unit, jnp.float32)), expected, rtol=1e-5)


@pytest.mark.by_default("32")
@pytest.mark.parametrize("batch_size", [1, 8, 32, ROWS])
def test_gradients_accumulated_over_an_epoch_are_that_of_the_whole_set(batch_size, x64):
    data = problem()
    optimiser = optimisers.accumulate(optimisers.sgd(0.1), steps=-(-ROWS // batch_size))
    result = fit(LINEAR, optimiser, jnp.asarray(THETA), data, batch_size=batch_size)
    np.testing.assert_allclose(result.params, THETA - 0.1 * closed_gradient(*data), rtol=1e-12)


@pytest.mark.by_default("uneven", "huge", "beyond float32")
@pytest.mark.parametrize("kind", WEIGHTS)
def test_the_loss_of_an_epoch_is_the_weighted_mean_in_its_own_units(kind):
    x, y, weight = problem(kind)
    expected = np.average((x @ THETA - y) ** 2, weights=weight.astype(float))
    for batch_size in (1, 8, ROWS):
        still = optimisers.sgd(0.0)
        result = fit(
            LINEAR, still, jnp.asarray(THETA), (x, y, weight), batch_size=batch_size, validation=(x, y, weight)
        )
        np.testing.assert_allclose(result.history.loss, [expected], rtol=1e-5)
        np.testing.assert_allclose(result.history.validation_loss, [expected], rtol=1e-5)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_an_objective_alone_divides_by_the_sum_of_weights(kind):
    x, y, weight = problem(kind)
    if np.max(weight) < 1e-38:
        weight = weight * 1e300  # an array of JAX's could not hold them
    expected = np.average((x @ THETA - y) ** 2, weights=weight.astype(float))
    np.testing.assert_allclose(LINEAR(jnp.asarray(THETA), (x, y, weight)), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(LINEAR)(jnp.asarray(THETA), (x, y, weight)), closed_gradient(x, y, weight),
                               rtol=1e-4, atol=1e-5)  # fmt: skip


@pytest.mark.by_default("uneven-7")
@pytest.mark.parametrize("rows_at_once", [None, 1, 7, ROWS])
@pytest.mark.parametrize("kind", ["uneven", "mostly zero", "tiny", "huge"])
def test_minimise_ends_at_the_weighted_minimum_over_any_chunks(kind, rows_at_once, x64):
    data = problem(kind)
    solution = training.minimise(LINEAR, jnp.asarray(THETA), data, rows_at_once=rows_at_once)
    np.testing.assert_allclose(solution.params, closed_minimum(*data), rtol=1e-8)
    share = data[2] / data[2].sum()
    np.testing.assert_allclose(solution.value, share @ (data[0] @ closed_minimum(*data) - data[1]) ** 2, rtol=1e-10)


def test_the_penalty_keeps_its_size_beside_any_weights(x64):
    x, y, weight = problem()
    objective = Objective(LINEAR.predict, LINEAR.loss, l2(0.3))
    for unit in (1e-30, 1.0, 1e30):
        optimiser = optimisers.accumulate(optimisers.sgd(0.1), steps=7)
        result = fit(objective, optimiser, jnp.asarray(THETA), (x, y, unit * weight), batch_size=8)
        expected = THETA - 0.1 * (closed_gradient(x, y, weight) + 0.3 * THETA)
        np.testing.assert_allclose(result.params, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["levenberg_marquardt", "newton", "newton_cg"])
def test_methods_see_the_same_objective_in_a_batch(name, x64):
    """A damped step depends on J's size, so that a curvature divided by another number than J would show."""
    x, y, weight = (part[:8] for part in problem())
    method = optimisers.get(name)()
    relative = training.step(LINEAR, method, mean_weight=2.0)(
        training.init(method, jnp.asarray(THETA)), (x, y, weight)
    )[0]
    scaled = lambda outputs, targets: (weight / 2).mean() * losses.squared_error(outputs, targets)
    whole = Objective(LINEAR.predict, scaled)
    expected = training.step(whole, method)(training.init(method, jnp.asarray(THETA)), (x, y, weight))[0]
    np.testing.assert_allclose(relative.params, expected.params, rtol=1e-9)
    assert not np.allclose(relative.params, THETA)


@pytest.mark.slow
def test_curvature_of_a_batch_is_that_of_its_mean(x64):
    rng = np.random.default_rng(0)
    params = mlp.init(KEY, (3, 4, 2), dtype=jnp.float64)
    objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.softmax_cross_entropy)
    batch = rng.normal(size=(9, 3)), np.arange(9) % 2, Relative(rng.exponential(size=9))
    plain = lambda p: jnp.mean(batch[2].values * losses.softmax_cross_entropy(objective.outputs(p, batch[0]), batch[1]))
    expected = derivatives.hessian(plain, params)
    ours = derivatives.mlp_hessian(objective, params, batch, activation=jnp.tanh)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def rare_classes(n=400, positives=8):
    """An intercept alone, 2 % positives: with balanced weights the best logit is 0, without log(0.02 / 0.98)."""
    return np.ones((n, 1)), (np.arange(n) < positives).astype(int)


@pytest.mark.by_default("8")
@pytest.mark.parametrize("batch_size", [1, 8, 32, 400])
def test_a_balanced_intercept_does_not_depend_on_the_batches(batch_size):
    """Over 20 keys the logit was within 0.32 of 0 in batches of 1 and within 0.03 in others; log(8 / 392) is -3.9."""
    x, y = rare_classes()
    objective = Objective(lambda theta, x: x @ theta, losses.sigmoid_cross_entropy)
    result = fit(objective, optimisers.sgd(rate(batch_size)), jnp.full(1, -3.0), (x, y), epochs=60,
                 batch_size=batch_size, class_weight="balanced")  # fmt: skip
    assert abs(float(result.params[0])) < (0.7 if batch_size == 1 else 0.1)


def rate(batch_size):
    """Robbins and Monro's 1/t, from a rate at which a single row's weight of 25 does not throw the logit about."""
    return lambda step: 4.0 / (1.0 + 4.0 * (batch_size < 400) * (50 + step) * batch_size / 400)


# The validation loss


def test_class_weights_reach_the_validation_loss_unless_told_not_to(x64):
    rng = np.random.default_rng(2)
    y = (np.arange(60) % 5 == 0).astype(int)
    x = rng.normal(size=(60, 2)) + y[:, None]
    train, held_out = (x[:40], y[:40]), (x[40:], y[40:], rng.exponential(size=20))
    objective = Objective(mlp.apply, losses.softmax_cross_entropy)
    params = mlp.init(KEY, (2, 2), dtype=jnp.float64)
    settings = {"batch_size": 7, "validation": held_out, "metrics": ["accuracy"], "epochs": 3}
    given = {0: 0.5, 1: 4.0}
    for words, factor in (
        ({}, {0: 0.5, 1: 4.0}),
        ({"class_weight_on_validation": False}, {0: 1.0, 1: 1.0}),
    ):
        result = fit(objective, optimisers.sgd(0.5), params, train, class_weight=given, **words, **settings)
        each = losses.softmax_cross_entropy(mlp.apply(result.params, held_out[0]), held_out[1])
        weight = held_out[2] * np.array([factor[label] for label in held_out[1]])
        np.testing.assert_allclose(result.history.validation_loss[-1], np.average(each, weights=weight), rtol=1e-12)
        right = mlp.apply(result.params, held_out[0]).argmax(axis=1) == held_out[1]
        accuracy = np.average(right, weights=held_out[2])  # of the rows as they are
        np.testing.assert_allclose(result.history.metrics["accuracy"][-1], accuracy, rtol=1e-12)


def test_metrics_of_the_training_set_do_not_count_class_weights(x64):
    x, y = rare_classes()
    objective = Objective(lambda theta, x: x @ theta, losses.sigmoid_cross_entropy)
    result = fit(objective, optimisers.sgd(0.0), jnp.full(1, -1.0), (x, y), batch_size=400, metrics=["accuracy"],
                 class_weight="balanced")  # fmt: skip
    np.testing.assert_allclose(result.history.metrics["accuracy"], [0.98], rtol=1e-12)


# What is refused, and what a plain function sees


def test_a_plain_function_is_handed_weights_of_mean_one(x64):
    x, y, weight = problem()
    plain = lambda theta, batch: jnp.mean(batch[2] * (batch[0] @ theta - batch[1]) ** 2)
    optimiser = optimisers.accumulate(optimisers.sgd(0.1), steps=7)
    result = fit(plain, optimiser, jnp.asarray(THETA), (x, y, 1e30 * weight), batch_size=8)
    np.testing.assert_allclose(result.params, THETA - 0.1 * closed_gradient(x, y, weight), rtol=1e-12)


def test_weights_that_mean_nothing_are_refused():
    x, y, weight = problem()
    for bad, message in ((-weight, "must be ≥ 0"), (np.where(weight > 1, np.nan, weight), "must be ≥ 0 and finite")):
        with pytest.raises(ValueError, match=message):
            training.run(LINEAR, optimisers.sgd(0.1), jnp.asarray(THETA), (x, y, bad), np.arange(8)[None])
    with pytest.raises(ValueError, match="mean_weight must be > 0"):
        training.step(LINEAR, optimisers.sgd(0.1), mean_weight=0.0)
    with pytest.raises(ValueError, match="mean_weight needs a separate predict and loss"):
        training.step(lambda params, batch: 0.0, optimisers.sgd(0.1), mean_weight=1.0)
    with pytest.raises(ValueError, match="weight of the training set contains inf in row 3"):
        fit(LINEAR, optimisers.sgd(0.1), jnp.asarray(THETA), (x, y, np.where(np.arange(ROWS) == 3, np.inf, 1)),
            batch_size=8)  # fmt: skip
    with pytest.raises(ValueError, match="weight of the training set is 0 in every row"):
        fit(LINEAR, optimisers.sgd(0.1), jnp.asarray(THETA), (x, y, 0 * weight), batch_size=8)
    codes = np.arange(ROWS) % 2
    with pytest.raises(ValueError, match="class_weight in the training set is 0 in every row"):
        fit(Objective(mlp.apply, losses.softmax_cross_entropy), optimisers.sgd(0.1), mlp.init(KEY, (3, 2)), (x, codes),
            batch_size=8, class_weight={0: 0.0, 1: 0.0})  # fmt: skip
