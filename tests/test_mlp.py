"""The multi-layer perceptron: against scikit-learn and the sums written out, dropout by its statistics."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.datasets
import sklearn.neural_network
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn import activations, initialisers, mlp

KEY = jax.random.key(0)


class TestInit:
    @pytest.mark.by_default("float64-sizes1", "float32-sizes[023]")
    @pytest.mark.parametrize("sizes", [(4, 1), (3, 5, 2), [2, 3, 3, 3, 1], (np.int64(2), 1)])
    def test_gives_a_layer_for_each_pair_of_sizes(self, sizes, dtype):
        params = mlp.init(KEY, sizes, dtype=dtype)
        assert [layer.w.shape for layer in params] == list(pairwise(sizes))
        assert [layer.b.shape for layer in params] == [(n,) for n in sizes[1:]]
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {dtype}
        assert mlp.sizes(params) == tuple(sizes)

    @pytest.mark.parametrize(("x64_on", "expected"), [(False, "float32"), (True, "float64")])
    def test_takes_the_default_float_of_jax(self, x64_on, expected):
        with jax.enable_x64(x64_on):
            assert mlp.init(KEY, (2, 1))[0].w.dtype == expected

    def test_is_he_normal_with_zero_biases_by_default(self):
        (layer,) = mlp.init(KEY, (400, 300))
        error = math.sqrt(2 / layer.w.size)  # relative standard error of a variance
        np.testing.assert_allclose(float(layer.w.var()), 2 / 400, rtol=5 * error)
        assert not np.any(layer.b)

    def test_draws_every_layer_anew_and_the_same_key_the_same(self):
        first, second = mlp.init(KEY, (3, 3, 3))
        assert not np.array_equal(first.w, second.w)
        np.testing.assert_array_equal(first.w, mlp.init(KEY, (3, 3, 3))[0].w)
        assert not np.array_equal(first.w, mlp.init(jax.random.key(1), (3, 3, 3))[0].w)

    def test_draws_weights_and_biases_from_different_keys(self):
        draw = lambda key, shape, dtype: jax.random.normal(key, (), dtype) * jnp.ones(shape, dtype)
        (layer,) = mlp.init(KEY, (2, 2), w_init=draw, b_init=draw)
        assert layer.w[0, 0] != layer.b[0]

    @pytest.mark.parametrize("name", initialisers.TABLE)
    def test_takes_an_initialiser_or_its_factory(self, name):
        ready = mlp.init(KEY, (4, 3), w_init=initialisers.get(name))
        factory = mlp.init(KEY, (4, 3), w_init=getattr(initialisers, name))
        np.testing.assert_array_equal(ready[0].w, factory[0].w)

    def test_without_biases(self):
        params = mlp.init(KEY, (3, 4, 2), b_init=None)
        assert [layer.b for layer in params] == [None, None]
        assert len(jax.tree.leaves(params)) == 2

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ((4,), r"at least the numbers of inputs and outputs, such as \(4, 10, 1\), got \(4,\)"),
            ((), r"at least the numbers of inputs and outputs"),
            ((4, 0, 1), r"sizes\[1\] must be a whole number ≥ 1, got 0"),
            ((4, -3), r"sizes\[1\] must be a whole number ≥ 1, got -3"),
        ],
    )
    def test_refuses_sizes_that_are_no_network(self, sizes, message):
        with pytest.raises(ValueError, match=message):
            mlp.init(KEY, sizes)

    def test_refuses_other_kinds(self):
        with pytest.raises(TypeError, match=r"sizes\[1\] must be a whole number, got True"):
            mlp.init(KEY, (4, True))
        with pytest.raises(TypeError, match=r"dtype must be a floating-point dtype, got int32"):
            mlp.init(KEY, (4, 1), dtype=jnp.int32)

    def test_refuses_an_initialiser_of_another_shape(self):
        with pytest.raises(ValueError, match=r"must return an array of shape \(4, 3\), but it returned \(3, 4\)"):
            mlp.init(KEY, (4, 3), w_init=lambda key, shape, dtype: jnp.zeros(shape[::-1], dtype))


def by_hand(params, x, sigmas):
    """The formula of the docstring, unit by unit, in NumPy."""
    h = np.asarray(x, np.float64)
    for k, layer in enumerate(params):
        w = np.asarray(layer.w, np.float64)
        b = np.zeros(w.shape[1]) if layer.b is None else np.asarray(layer.b, np.float64)
        z = np.array([[sum(row[i] * w[i, j] for i in range(len(row))) + b[j] for j in range(w.shape[1])] for row in h])
        h = z if k == len(params) - 1 else np.asarray(sigmas[k](jnp.asarray(z)))
    return h


class TestApply:
    @settings(deadline=None, derandomize=True, max_examples=8)
    @given(
        sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5),
        bias=st.booleans(),
        names=st.lists(st.sampled_from(sorted(activations.TABLE)), min_size=4, max_size=4),
        seed=st.integers(0, 2**31 - 1),
    )
    def test_is_the_formula(self, sizes, bias, names, seed):
        with jax.enable_x64(True):
            key, x_key = jax.random.split(jax.random.key(seed))
            b_init = jax.nn.initializers.normal(1.0) if bias else None
            params = mlp.init(key, sizes, b_init=b_init)
            x = jax.random.normal(x_key, (3, sizes[0]))
            sigmas = [activations.get(name) for name in names[: len(sizes) - 2]]
            expected = by_hand(params, x, sigmas)
            ours = jax.jit(lambda x: mlp.apply(params, x, activation=sigmas))(x)
            np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-12)

    @pytest.mark.parametrize(("theirs", "ours"), [("relu", "relu"), ("tanh", "tanh"), ("logistic", "sigmoid")])
    def test_equals_scikit_learn(self, theirs, ours, x64):
        x, y = sklearn.datasets.make_regression(50, 4, random_state=0)
        network = sklearn.neural_network.MLPRegressor(
            hidden_layer_sizes=(6, 3), activation=theirs, solver="lbfgs", max_iter=2000, tol=1e-2
        )
        network.fit(x, y / 100)
        params = tuple(
            mlp.Layer(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(network.coefs_, network.intercepts_, strict=True)
        )
        outputs = mlp.apply(params, x, activation=activations.get(ours))
        np.testing.assert_allclose(outputs[:, 0], network.predict(x), rtol=1e-10, atol=1e-10)

    def test_is_the_formula_in_float32(self):
        params = mlp.init(KEY, (5, 7, 7, 1), b_init=jax.nn.initializers.normal(1.0), dtype=jnp.float32)
        x = jax.random.normal(KEY, (20, 5), jnp.float32)
        expected = by_hand(params, x, [jax.nn.relu] * 2)
        np.testing.assert_allclose(mlp.apply(params, x), expected, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
    def test_takes_any_batch(self, batch, x64):
        params = mlp.init(KEY, (4, 5, 2))
        x = jax.random.normal(KEY, (*batch, 4))
        outputs = mlp.apply(params, x)
        assert outputs.shape == (*batch, 2)
        rows = mlp.apply(params, x.reshape(-1, 4))
        np.testing.assert_allclose(outputs.reshape(-1, 2), rows, rtol=1e-14)

    def test_one_activation_serves_all_hidden_layers(self):
        params, x = mlp.init(KEY, (4, 5, 5, 2)), jax.random.normal(KEY, (3, 4))
        every = mlp.apply(params, x, activation=jnp.tanh)
        np.testing.assert_array_equal(every, mlp.apply(params, x, activation=(jnp.tanh, jnp.tanh)))

    def test_a_linear_model_has_no_activation(self):
        params, x = mlp.init(KEY, (4, 2)), jax.random.normal(KEY, (3, 4))
        np.testing.assert_array_equal(mlp.apply(params, x, activation=jnp.tanh), x @ params[0].w)

    @pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float32, jnp.float64])
    @pytest.mark.parametrize("given_kind", [np.float64, np.float32, np.uint8])
    def test_computes_in_the_dtype_of_the_parameters(self, kind, given_kind, x64):
        params = mlp.init(KEY, (4, 5, 2), dtype=kind)
        x = np.ones((3, 4), given_kind)
        assert mlp.apply(params, x).dtype == kind
        assert mlp.forward(params, x)[1].hidden[0].dtype == kind

    def test_a_missing_bias_is_a_zero_bias(self):
        with_zero = mlp.init(KEY, (4, 5, 2))
        without = tuple(layer._replace(b=None) for layer in with_zero)
        x = jax.random.normal(KEY, (3, 4))
        np.testing.assert_array_equal(mlp.apply(without, x), mlp.apply(with_zero, x))


class TestForward:
    def test_keeps_every_intermediate(self, x64):
        params = mlp.init(KEY, (3, 4, 5, 2), b_init=jax.nn.initializers.normal(1.0))
        x = jax.random.normal(KEY, (6, 3))
        outputs, kept = mlp.forward(params, x, activation=(jnp.tanh, jax.nn.relu))
        np.testing.assert_array_equal(kept.inputs, x)
        np.testing.assert_allclose(kept.pre_activations[0], x @ params[0].w + params[0].b, rtol=1e-14)
        np.testing.assert_array_equal(kept.hidden[0], jnp.tanh(kept.pre_activations[0]))
        np.testing.assert_array_equal(kept.hidden[1], jnp.maximum(kept.pre_activations[1], 0))
        assert [z.shape for z in kept.pre_activations] == [h.shape for h in kept.hidden] == [(6, 4), (6, 5)]
        # the last layer is a linear predictor on the representation that the hidden ones have learnt
        np.testing.assert_allclose(outputs, kept.hidden[-1] @ params[-1].w + params[-1].b, rtol=1e-14)
        np.testing.assert_array_equal(outputs, mlp.apply(params, x, activation=(jnp.tanh, jax.nn.relu)))

    def test_page_34_of_the_course(self, x64):
        """z = 1 · 0.2 + 0.5 · 0.1 + 0.3 · 0.3 = 0.34, h = ReLU(z) = 0.34, o = 0.5 · 0.34 = 0.17."""
        params = (mlp.Layer(jnp.array([[0.2], [0.1], [0.3]]), None), mlp.Layer(jnp.array([[0.5]]), None))
        outputs, kept = mlp.forward(params, jnp.array([[1.0, 0.5, 0.3]]))
        for value, expected in ((kept.pre_activations[0], 0.34), (kept.hidden[0], 0.34), (outputs, 0.17)):
            assert float(value[0, 0]) == pytest.approx(expected, abs=1e-16)


def identity_network(width, layers):
    """Each layer passes its input on, so that the outputs show what dropout did."""
    return tuple(mlp.Layer(jnp.eye(width), None) for _ in range(layers))


class TestDropout:
    @pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
    @pytest.mark.parametrize("place", ["inputs", "hidden"])
    def test_keeps_a_share_and_scales_it(self, rate, place):
        """Inverted: a unit is 0 with probability p, else 1 / (1 - p), so that its mean is kept."""
        width, rows = 20, 1000
        rates = (rate, 0.0) if place == "inputs" else (0.0, rate)
        outputs = mlp.apply(
            identity_network(width, 2), jnp.ones((rows, width)), activation=activations.identity, dropout=rates, key=KEY
        )
        assert set(np.unique(outputs)) == {np.float32(0), np.float32(1) / np.float32(1 - rate)}
        error = math.sqrt(rate * (1 - rate) / outputs.size)
        assert abs(float((outputs == 0).mean()) - rate) < 5 * error
        assert abs(float(outputs.mean()) - 1) < 5 * error / (1 - rate)

    def test_one_rate_spares_the_inputs_and_the_outputs(self):
        """The inputs pass to the only hidden layer whole; a linear model has none and drops nothing."""
        x = jnp.ones((4, 50))
        np.testing.assert_array_equal(mlp.apply(identity_network(50, 1), x, dropout=0.5, key=KEY), x)
        summed = (mlp.Layer(jnp.ones((50, 30)), None), mlp.Layer(jnp.eye(30), None))
        outputs = mlp.apply(summed, x, dropout=0.5, key=KEY)
        assert set(np.unique(outputs)) == {0.0, 100.0}  # the sum of all 50 inputs, dropped or doubled

    def test_drops_what_the_activation_gives_not_what_it_takes(self):
        """σ(0) is ½, not 0: only the outputs of a unit can silence it."""
        outputs = mlp.apply(
            identity_network(50, 2), jnp.zeros((4, 50)), activation=jax.nn.sigmoid, dropout=0.5, key=KEY
        )
        assert set(np.unique(outputs)) == {0.0, 1.0}

    def test_is_off_without_a_key(self):
        params, x = mlp.init(KEY, (4, 30, 2)), jax.random.normal(KEY, (3, 4))
        np.testing.assert_array_equal(mlp.apply(params, x, dropout=0.9), mlp.apply(params, x))

    def test_a_key_alone_drops_nothing(self):
        params, x = mlp.init(KEY, (4, 30, 2)), jax.random.normal(KEY, (3, 4))
        np.testing.assert_array_equal(mlp.apply(params, x, key=KEY), mlp.apply(params, x))
        np.testing.assert_array_equal(mlp.apply(params, x, key=KEY, dropout=(0.0, 0.0)), mlp.apply(params, x))

    def test_the_same_key_drops_the_same_units_and_another_key_others(self):
        params, x = identity_network(100, 2), jnp.ones((2, 100))
        drop = lambda key: mlp.apply(params, x, dropout=0.5, key=key)
        np.testing.assert_array_equal(drop(KEY), drop(KEY))
        assert not np.array_equal(drop(KEY), drop(jax.random.key(1)))

    def test_layers_and_rows_drop_independently(self):
        outputs = mlp.apply(identity_network(100, 3), jnp.ones((200, 100)), dropout=0.5, key=KEY)
        assert abs(float((outputs > 0).mean()) - 0.25) < 5 * math.sqrt(0.25 * 0.75 / outputs.size)
        assert not np.array_equal(outputs[0], outputs[1])

    def test_dropped_units_get_no_gradient(self):
        params, x = identity_network(50, 2), jnp.ones((1, 50))
        outputs, gradient = jax.value_and_grad(
            lambda x: mlp.apply(params, x, dropout=0.5, key=KEY).sum(),
        )(x)
        np.testing.assert_array_equal(gradient, mlp.apply(params, x, dropout=0.5, key=KEY))
        assert float(outputs) == float(gradient.sum())

    @pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, math.nan])
    def test_refuses_rates_outside_the_interval(self, rate):
        with pytest.raises(ValueError, match=r"dropout must be "):
            mlp.apply(mlp.init(KEY, (4, 3, 2)), jnp.ones((1, 4)), dropout=rate, key=KEY)

    @pytest.mark.parametrize("rates", [(), (0.1,), (0.1, 0.1, 0.1)])
    def test_refuses_another_number_of_rates(self, rates):
        with pytest.raises(ValueError, match=rf"the network has 1 hidden layers, got {len(rates)} rates"):
            mlp.apply(mlp.init(KEY, (4, 3, 2)), jnp.ones((1, 4)), dropout=rates, key=KEY)


def layers(*shapes):
    return tuple(mlp.Layer(jnp.zeros(w), None if b is None else jnp.zeros(b)) for w, b in shapes)


@pytest.mark.parametrize("evaluate", [mlp.apply, mlp.forward, jax.jit(mlp.apply)])
@pytest.mark.parametrize(
    ("params", "width", "message"),
    [
        (layers(((4, 3), (3,))), 5, r"x must have shape \(..., 4\) for layer 0, got \(2, 5\)"),
        (
            layers(((4, 3), (3,)), ((5, 1), (1,))),
            4,
            r"Layer 1 takes 5 inputs, but layer 0 has 3 outputs: shapes \(4, 3\)",
        ),
        (
            layers(((4, 3), None), ((3, 2), (2,)), ((1, 1), None)),
            4,
            r"Layer 2 takes 1 inputs, but layer 1 has 2 outputs",
        ),
        (
            layers(((4, 3), (1,))),
            4,
            r"Layer 0 needs w of shape \(n_in, n_out\) and b of shape \(n_out,\), got \(4, 3\) and \(1,\)",
        ),
        (layers(((4, 3), (3,)), ((3,), None)), 4, r"Layer 1 needs w .* got \(3,\) and None"),
        (layers(((), None)), 4, r"Layer 0 needs w .* got \(\) and None"),
        ((), 4, r"The network has no layers"),
    ],
)
def test_errors_of_shape_name_the_layer(evaluate, params, width, message):
    with pytest.raises(ValueError, match=message):
        evaluate(params, jnp.zeros((2, width)))


class TestActivationArgument:
    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_another_number_is_refused(self, count):
        with pytest.raises(ValueError, match=rf"the network has 2 hidden layers, got {count} activations"):
            mlp.apply(mlp.init(KEY, (4, 3, 3, 2)), jnp.ones((1, 4)), activation=(jnp.tanh,) * count)

    def test_a_name_is_refused_with_the_way_to_get_its_function(self):
        """Called past the run-time check of annotations, as in a user's program."""
        apply = getattr(mlp.apply, "__wrapped__", mlp.apply)
        for wrong in ("relu", ["relu"]):
            with pytest.raises(TypeError, match=r"activation"):
                apply(mlp.init(KEY, (4, 3, 2)), jnp.ones((1, 4)), activation=wrong)
