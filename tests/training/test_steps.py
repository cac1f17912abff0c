"""One step and one scan: against loops written by hand, against optax's own loop, and as functions to transform."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import losses, mlp, optimisers, training, tree
from jaxnn.objective import Objective
from jaxnn.training import steps

KEY = jax.random.key(0)


def problem(dtype=jnp.float32, n=40):
    x = jax.random.normal(KEY, (n, 3), dtype)
    y = jnp.sin(x.sum(axis=1, keepdims=True))
    params = mlp.init(jax.random.key(1), (3, 8, 1), dtype=dtype)
    return Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error), params, (x, y)


ROWS = np.random.default_rng(0).integers(0, 40, (12, 8))


@pytest.mark.by_default("float64")
def test_a_step_is_gradient_update_and_sum(dtype):
    objective, params, data = problem(dtype)
    optimiser = optimisers.sgd(0.1)
    state, info = training.step(objective, optimiser)(training.init(optimiser, params), data)
    value, grads = jax.value_and_grad(objective)(params, data)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), state.params, expected)
    assert info.loss == value
    np.testing.assert_allclose(info.gradient_norm, optax.tree.norm(grads), rtol=1e-6)
    np.testing.assert_allclose(info.learning_rate, 0.1, rtol=1e-7)
    assert state.step == 1


def test_the_norm_of_a_gradient_counts_small_leaves_and_large_ones():
    rng = np.random.default_rng(0)
    shapes = {"large": (2, steps.LARGE), "small": (7,), "smaller": (3, 2)}
    grads = {name: 1e3 * rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    grads["large"] /= 300  # so that each leaf is a visible part of the norm
    found = float(steps._norm(grads))
    np.testing.assert_allclose(found, np.sqrt(sum(np.sum(np.float64(g) ** 2) for g in grads.values())), rtol=1e-5)
    assert float(steps._norm({})) == 0


def test_a_state_can_be_written_by_hand():
    objective, params, data = problem()
    optimiser = optimisers.adam(1e-2)
    state = training.TrainState(params, optimiser.init(params))
    by_hand, _ = jax.jit(training.step(objective, optimiser))(state, data)
    made, _ = jax.jit(training.step(objective, optimiser))(training.init(optimiser, params), data)
    jax.tree.map(np.testing.assert_array_equal, by_hand.params, made.params)


@pytest.mark.by_default("adam")
@pytest.mark.parametrize("name", ["adam", "momentum", "rmsprop"])
def test_run_is_its_steps_one_by_one(name, x64):
    objective, params, data = problem(jnp.float64)
    optimiser = optimisers.get(name)(1e-2)
    final, infos = jax.jit(lambda p, rows: training.run(objective, optimiser, p, data, rows))(params, ROWS)
    state, taken = training.init(optimiser, params), []
    for rows in ROWS:
        state, info = training.step(objective, optimiser)(state, tuple(part[rows] for part in data))
        taken.append(info.loss)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), final.params, state.params)
    np.testing.assert_allclose(infos.loss, taken, rtol=1e-12)
    assert infos.loss.shape == (12,)
    assert final.step == 12


def test_run_follows_optax_in_its_own_loop(x64):
    objective, params, data = problem(jnp.float64)
    ours, _ = training.run(objective, optimisers.adam(1e-2), params, data, ROWS)
    theirs, state = params, optax.adam(1e-2).init(params)
    for rows in ROWS:
        grads = jax.grad(objective)(theirs, tuple(part[rows] for part in data))
        updates, state = optax.adam(1e-2).update(grads, state, theirs)
        theirs = optax.apply_updates(theirs, updates)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), ours.params, theirs)


@pytest.mark.parametrize(
    "theirs",
    [
        optax.adam(1e-2),
        optax.chain(optax.trace(0.9), optax.scale(-1e-2)),  # plain transformations, which take no further words
        optax.lbfgs(),  # needs value, grad and value_fn, and refuses others
        optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=10)),
        optax.inject_hyperparams(optax.adam)(learning_rate=1e-2),
    ],
    ids=["adam", "plain", "lbfgs", "backtracking", "inject"],
)
def test_optax_runs_in_our_loop(theirs):
    objective, params, data = problem()
    full = np.tile(np.arange(40), (30, 1))
    final, infos = jax.jit(lambda p: training.run(objective, theirs, p, data, full))(params)
    assert np.isfinite(infos.loss).all()
    assert objective(final.params, data) < 0.9 * infos.loss[0]


def test_the_rate_is_reported_where_the_state_tells_it():
    objective, params, data = problem()
    schedule = lambda step: 0.1 / (1 + step)
    for optimiser in (
        optimisers.sgd(schedule),
        optimisers.chain(optimisers.clip_by_global_norm(1.0), optimisers.adam(schedule)),
    ):
        _, infos = training.run(objective, optimiser, params, data, ROWS)
        np.testing.assert_allclose(infos.learning_rate, 0.1 / (1 + np.arange(12)), rtol=1e-6)
    _, infos = training.run(objective, optax.inject_hyperparams(optax.sgd)(learning_rate=0.25), params, data, ROWS)
    np.testing.assert_allclose(infos.learning_rate, 0.25)
    _, infos = training.run(objective, optax.sgd(0.25), params, data, ROWS)
    assert np.isnan(infos.learning_rate).all()


@pytest.mark.slow
def test_vmap_over_seeds_and_rates(x64):
    objective, _, data = problem(jnp.float64)

    def final_loss(seed, rate):
        params = mlp.init(jax.random.key(seed), (3, 8, 1))
        return objective(training.run(objective, optimisers.adam(rate), params, data, ROWS)[0].params, data)

    seeds, rates = jnp.arange(3), jnp.array([1e-3, 1e-2, 1e-1])
    together = jax.vmap(final_loss)(seeds, rates)
    one_by_one = [final_loss(int(seed), float(rate)) for seed, rate in zip(seeds, rates, strict=True)]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-10)


def test_the_derivative_by_the_learning_rate(x64):
    objective, params, data = problem(jnp.float64)

    def final_loss(rate):
        return objective(training.run(objective, optimisers.momentum(rate), params, data, ROWS)[0].params, data)

    h = 1e-6
    difference = (final_loss(0.01 + h) - final_loss(0.01 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(final_loss)(0.01), difference, rtol=1e-7)


def test_one_trace_for_all_steps_and_donated_states():
    objective, params, data = problem()
    traces = []

    def counted(params, batch):
        traces.append(None)
        return objective(params, batch)

    optimiser = optimisers.adam(1e-2)
    step = jax.jit(training.step(counted, optimiser), donate_argnums=0)
    state = training.init(optimiser, jax.tree.map(jnp.copy, params))
    state, _ = step(state, data)
    after_first = len(traces)
    for _ in range(4):
        state, _ = step(state, data)
    assert len(traces) == after_first
    assert state.step == 5


def test_each_step_has_a_key_of_its_own_and_one_for_all_its_evaluations():
    seen = []

    def predict(params, x, *, key=None):
        jax.debug.callback(lambda k: seen.append(tuple(np.asarray(k).tolist())), jax.random.key_data(key))
        return x @ params

    def update(grads, state, params, *, value_fn, **words):
        value_fn(params)  # a second evaluation in the same step
        return jax.tree.map(lambda g: -0.1 * g, grads), state

    objective = Objective(predict, losses.squared_error)
    optimiser = optimisers.Optimiser(lambda params: (), update)
    state = training.init(optimiser, jnp.ones((3, 1)), key=KEY)
    for _ in range(3):
        state, _ = training.step(objective, optimiser)(state, (jnp.ones((2, 3)), jnp.ones((2, 1))))
    jax.effects_barrier()
    assert len(seen) == 6
    assert len(set(seen)) == 3


def test_weights_count_as_repeated_rows(x64):
    objective, params, (x, y) = problem(jnp.float64)
    weight = jnp.array([1.0, 2.0, 0.0] + [1.0] * 37)
    repeated = jnp.array([0, 1, 1, *range(3, 40)])
    np.testing.assert_allclose(objective(params, (x, y, weight)), objective(params, (x[repeated], y[repeated])))
    optimiser = optimisers.sgd(0.1)
    step = training.step(objective, optimiser)
    weighted, _ = step(training.init(optimiser, params), (x, y, weight))
    counted, _ = step(training.init(optimiser, params), (x[repeated], y[repeated]))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), weighted.params, counted.params)


def test_any_function_is_an_objective():
    state, infos = training.run(
        lambda theta, batch: jnp.mean((theta - batch[0]) ** 2),
        optimisers.sgd(0.25),
        jnp.zeros(()),
        (jnp.full(4, 3.0), jnp.zeros(4)),
        np.tile(np.arange(4), (40, 1)),
    )
    np.testing.assert_allclose(state.params, 3.0, rtol=1e-6)
    np.testing.assert_allclose(infos.loss[0], 9.0)


def test_an_objective_that_is_no_scalar_is_refused():
    optimiser = optimisers.sgd(0.1)
    with pytest.raises(ValueError, match=r"must be a scalar, got shape \(4,\)"):
        training.step(lambda theta, batch: theta * batch[0], optimiser)(
            training.init(optimiser, jnp.ones(())), (jnp.ones(4), jnp.ones(4))
        )


def test_the_counter_saturates():
    assert tree.increment(jnp.asarray(2**31 - 1, jnp.int32)) == 2**31 - 1
