"""Sick networks are told what ails them, healthy ones are left in peace, and the numbers are those of definitions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import Objective, activations, data, initialisers, losses, mlp, optimisers, schedules, training
from jaxnn.training.history import History

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (200, 6))
Y = jnp.sin(X[:, :1]) + X[:, 1:2]
GLOROT = initialisers.scaled(jax.nn.initializers.glorot_normal(), 1.0)


statistics_of = jax.jit(training.layer_statistics, static_argnums=0, static_argnames="activation")


def objective_of(activation):
    return Objective(partial(mlp.apply, activation=activation), losses.squared_error)


def diagnosed(params, x=X, y=Y, activation=jnp.tanh, **words):
    return training.diagnose(objective_of(activation), params, (x, y), activation=activation, **words)


def symptoms(*arguments, **words):
    return [finding.symptom for finding in diagnosed(*arguments, **words).findings]


def network(*hidden, w_init=GLOROT, **words):
    return mlp.init(KEY, (6, *hidden, 1), w_init=w_init, **words)


@pytest.mark.by_default("relu-*")
@pytest.mark.parametrize(
    ("activation", "w_init"), [(jnp.tanh, GLOROT), (jax.nn.relu, jax.nn.initializers.he_normal), (jax.nn.silu, GLOROT)]
)
def test_a_healthy_network_has_nothing(activation, w_init):
    params = network(20, 20, w_init=w_init)
    found = diagnosed(params, activation=activation, optimiser=optimisers.adam(1e-3))
    assert found.findings == ()
    assert str(found) == "No problem found: the numbers measured here look healthy."


@pytest.mark.by_default("float64")
def test_statistics_are_those_of_their_definitions(dtype):
    params = (
        mlp.Layer(jnp.array([[1.0, -1.0, 2.0]], dtype), jnp.array([0.0, 0.0, 20.0], dtype)),
        mlp.Layer(jnp.array([[3.0], [4.0], [0.0]], dtype), None),
    )
    x, y = jnp.array([[1.0], [-1.0], [2.0]], dtype), jnp.zeros((3, 1), dtype)
    updates = jax.tree.map(lambda leaf: 0.01 * leaf, params)
    sigma = jax.nn.relu
    seen = statistics_of(objective_of(sigma), params, (x, y), activation=sigma, updates=updates)
    # hidden outputs: (1, 0, 22), (0, 1, 18), (2, 0, 24); the network's: 3, 4, 6
    np.testing.assert_allclose(seen.inactive, [3 / 9], rtol=1e-6)
    np.testing.assert_array_equal(seen.dead, [0])
    np.testing.assert_allclose(seen.saturated, [3 / 9], rtol=1e-6)
    np.testing.assert_allclose(
        seen.spread, [np.mean([np.std(c) for c in ([1, 0, 2], [0, 1, 0], [22, 18, 24])])], rtol=1e-6
    )
    np.testing.assert_allclose(seen.weight, [np.sqrt(2), 5 / np.sqrt(3)], rtol=1e-6)
    np.testing.assert_allclose(seen.update, [0.01, 0.01], rtol=1e-5)
    # ∂J/∂o = ⅔ o; of W₂: hᵀ ⅔ o, of W₁: xᵀ (⅔ o W₂ᵀ ⊙ σ')
    out = 2 / 3 * np.array([3.0, 4.0, 6.0])
    h = np.array([[1, 0, 22], [0, 1, 18], [2, 0, 24]])
    first = [3 * (out[0] + 2 * out[2]), 4 * -out[1], 0]
    np.testing.assert_allclose(seen.gradient, [np.sqrt(np.mean(np.square(g))) for g in (first, h.T @ out)], rtol=1e-6)


def test_without_updates_and_without_hidden_layers():
    seen = statistics_of(objective_of(jnp.tanh), network(), (X, Y), activation=jnp.tanh)
    assert np.isnan(seen.update).all()
    assert seen.inactive.shape == (0,)
    assert seen.weight.shape == (1,)


def test_vanishing_gradients():
    deep = network(*[20] * 8)
    assert symptoms(deep, activation=activations.sigmoid)[0] == "vanishing gradients"
    assert symptoms(deep, activation=jnp.tanh) == []


def test_exploding_gradients():
    first, last = network(20)
    found = diagnosed((first._replace(w=1e-4 * first.w), last._replace(w=10 * last.w)))
    assert "exploding gradients" in [f.symptom for f in found.findings]
    assert "clip_by_global_norm" in str(found)


def test_exploding_signals_of_relu():
    """Every layer's gradient is alike there: the signals tell."""
    steep = network(*[20] * 8, w_init=initialisers.scaled(jax.nn.initializers.he_normal(), 5.0))
    seen = diagnosed(steep, activation=jax.nn.relu)
    assert 1e-3 < seen.statistics.gradient[0] / seen.statistics.gradient[-1] < 1e3
    assert seen.findings[0].symptom == "exploding signals and gradients"
    assert "times as much as the inputs" in str(seen)


def test_small_weights_and_large_targets_do_not_explode():
    assert symptoms(network(w_init=jax.nn.initializers.normal(1e-4))) == []
    assert symptoms(network(20), y=2e5 + 1e4 * Y) == []


def test_a_layer_of_zeros_is_a_start_and_no_ailment():
    params = network(20)
    last = (params[0], params[1]._replace(w=0 * params[1].w))
    assert symptoms(last, optimiser=optimisers.sgd(1e-3)) == []
    assert symptoms((mlp.Layer(jnp.zeros((6, 1)), jnp.zeros(1)),), optimiser=optimisers.sgd(1e-3)) == []
    first = (params[0]._replace(w=0 * params[0].w), params[1])
    assert symptoms(first) == ["all rows look the same to the last layer"]


def test_layers_with_the_same_ailment_are_one_finding():
    params = network(20, 20)
    dead = tuple(layer._replace(b=layer.b.at[: 4 + 4 * k].set(-100.0)) for k, layer in enumerate(params[:2]))
    (finding,) = [f for f in diagnosed((*dead, params[2]), activation=jax.nn.relu).findings if "dead" in f.symptom]
    assert finding.symptom == "dead units, hidden layers 1, 2"
    assert finding.evidence.startswith("20 to 40 %")


def test_dead_units():
    params = network(20)
    dead = (params[0]._replace(b=params[0].b.at[:5].set(-100.0)), params[1])
    (finding,) = diagnosed(dead, activation=jax.nn.relu).findings
    assert finding.symptom == "dead units, hidden layer 1"
    assert finding.evidence.startswith("25 %")


def test_saturated_units_but_not_of_relu():
    large = network(20, w_init=jax.nn.initializers.normal(10.0))
    assert "saturated units, hidden layer 1" in symptoms(large)
    assert symptoms(large, activation=jax.nn.relu) == []


def test_units_that_are_alike():
    constant = jax.nn.initializers.constant(0.5)
    assert symptoms(network(4, w_init=constant)) == ["identical units, hidden layer 1"]
    assert "no gradient" in symptoms(network(4, 4, w_init=jax.nn.initializers.zeros), y=0 * Y)
    assert "identical units, hidden layer 1" in symptoms(network(4, w_init=jax.nn.initializers.zeros, b_init=None))


def test_inputs_of_unlike_sizes():
    found = symptoms(network(20), x=X * jnp.array([1, 1, 1, 1, 1, 1000.0]))
    assert found[0] == "inputs on very different scales"
    assert symptoms(network(20), x=X.at[:, 3].add(1e4))[0] == "inputs on very different scales"
    for constant in (7.0, 0.1):  # one that is constant does no such harm, whether float32 has its mean or not
        assert symptoms(network(20), x=X.at[:, 3].set(constant)) == []


def test_all_rows_look_alike():
    small = network(20, 20, 20, w_init=jax.nn.initializers.normal(1e-4), b_init=jax.nn.initializers.normal(1.0))
    assert "all rows look the same to the last layer" in symptoms(small)


def test_steps_of_a_wrong_length():
    params = network(20)
    assert symptoms(params, optimiser=optimisers.sgd(10.0)) == ["steps too long"]
    assert symptoms(params, optimiser=optimisers.sgd(1e-9)) == ["steps too short"]
    state = optimisers.adam(1e-3).init(params)
    assert symptoms(params, optimiser=optimisers.adam(1e-3), opt_state=state) == []


@pytest.mark.parametrize("name", ["levenberg_marquardt", "newton", "lbfgs"])
def test_methods_choose_their_own_steps(name):
    assert symptoms(network(5), optimiser=optimisers.METHODS[name]()) == []


def test_a_warm_up_may_begin_at_rate_zero():
    rate = schedules.warmup_cosine(1e-3, warmup=100, steps=1000)
    assert symptoms(network(20), optimiser=optimisers.adam(rate)) == []


def test_what_is_not_finite():
    broken = jax.tree.map(lambda leaf: leaf.at[0].set(jnp.nan), network(20))
    assert symptoms(broken)[0] == "not finite"
    assert symptoms(network(20), x=X.at[3, 2].set(jnp.inf))[:2] == ["not finite", "inputs that are not finite"]


def history(loss, validation=None):
    loss = np.array(loss, float)
    nothing = np.zeros(len(loss))
    return History(loss, None if validation is None else np.array(validation, float), {}, nothing, nothing, nothing)


@pytest.mark.parametrize(
    ("curves", "told"),
    [
        (([3, 2, 1, 2],), ["the loss rises again"]),
        (([3, 2, 1, 0.9], [3, 2, 2.5, 3]), ["overfitting"]),
        (([3, 2, 1, 0.9], [3, 2, 1.5, 1.4]), []),
        (([np.nan, 3, 1, 2],), ["the loss rises again"]),
        (([3, 1, np.nan],), []),
        (([1],), []),
        (([np.nan, np.nan],), []),
        (([3, 2, 1], [np.nan] * 3), []),
    ],
)
def test_what_the_curves_show(curves, told):
    assert symptoms(network(20), history=history(*curves)) == told


@pytest.mark.slow
def test_a_run_that_overfits_is_told_so():
    diabetes = data.load("diabetes")
    x = (diabetes.x - diabetes.x.mean(0)) / diabetes.x.std(0)
    y = ((diabetes.y - diabetes.y.mean()) / diabetes.y.std())[:, None]
    objective, params = objective_of(jnp.tanh), mlp.init(KEY, (10, 50, 1), w_init=GLOROT)
    batch = jnp.asarray(x[:60], jnp.float32), jnp.asarray(y[:60], jnp.float32)
    held_out = jnp.asarray(x[60:160], jnp.float32), jnp.asarray(y[60:160], jnp.float32)
    fit = training.fit(
        objective,
        optimisers.adam(0.01),
        params,
        batch,
        epochs=200,
        batch_size=60,
        key=KEY,
        validation=held_out,
        progress=False,
    )
    found = training.diagnose(objective, fit.params, batch, activation=jnp.tanh, history=fit.history)
    assert [f.symptom for f in found.findings] == ["overfitting"]
    assert "best_params" in str(found)


def test_a_watch_keeps_every_epoch():
    objective, params = objective_of(jnp.tanh), network(5)
    watch = training.Watch(objective, params, (X, Y), activation=jnp.tanh)
    with pytest.raises(ValueError, match=r"hooks=\[watch\]"):
        watch.statistics  # noqa: B018
    fit = training.fit(
        objective,
        optimisers.sgd(0.01),
        params,
        (X, Y),
        epochs=3,
        batch_size=200,
        key=KEY,
        hooks=[watch],
        progress=False,
    )
    seen = watch.statistics
    assert seen.gradient.shape == (3, 2)
    assert seen.spread.shape == (3, 1)
    last = statistics_of(objective, fit.params, (X, Y), activation=jnp.tanh)
    np.testing.assert_allclose(seen.gradient[-1], last.gradient, rtol=1e-5)
    # one full batch an epoch: the update is the rate times the gradient before it
    before = statistics_of(objective, params, (X, Y), activation=jnp.tanh)
    np.testing.assert_allclose(seen.update[0], 0.01 * before.gradient / seen.weight[0], rtol=2e-2)


def test_activations_must_fit():
    with pytest.raises(ValueError, match="hidden layers"):
        training.layer_statistics(objective_of(jnp.tanh), network(5, 5), (X, Y), activation=[jnp.tanh])
    with pytest.raises(TypeError, match="'tanh'"):
        training.diagnose(objective_of(jnp.tanh), network(5), (X, Y), activation="tanh")
    with pytest.raises(ValueError, match="softmax"):
        training.layer_statistics(objective_of(jax.nn.softmax), network(5), (X, Y), activation=jax.nn.softmax)


def test_bad_input():
    with pytest.raises(TypeError, match="init and update"):
        diagnosed(network(5), optimiser=optimisers.adam)
    with pytest.raises(ValueError, match="no rows"):
        diagnosed(network(5), x=X[:0], y=Y[:0])


def test_the_epoch_of_the_lowest_loss_is_counted_with_those_that_were_not_finite():
    found = diagnosed(network(20), history=history([np.nan, 3, 1, 2]))
    assert "it was 1 after epoch 3" in str(found)
