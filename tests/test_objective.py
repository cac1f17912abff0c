"""Objectives: weighted means against NumPy, keys to those who name them, penalties, and batches that are refused."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics

from jaxnn import losses, mlp, objective
from jaxnn.objective import Objective

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X, Y, WEIGHT = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2)), RNG.uniform(size=6)
PARAMS = mlp.init(KEY, (3, 4, 2))
J = Objective(mlp.apply, losses.squared_error)


def outputs():
    return np.asarray(mlp.apply(PARAMS, X), np.float64)


class TestValue:
    def test_is_the_mean_over_the_examples(self):
        expected = ((Y - outputs()) ** 2).sum(axis=1).mean()
        np.testing.assert_allclose(jax.jit(J)(PARAMS, (X, Y)), expected, rtol=1e-6)

    def test_is_the_weighted_mean_as_scikit_learn_has_it(self):
        expected = sklearn.metrics.mean_squared_error(
            Y, outputs(), sample_weight=WEIGHT, multioutput="raw_values"
        ).sum()
        np.testing.assert_allclose(J(PARAMS, (X, Y, WEIGHT)), expected, rtol=1e-6)

    def test_equal_weights_of_any_size_change_nothing(self):
        for weight in (1, 1e-3, 1e3):
            np.testing.assert_allclose(J(PARAMS, (X, Y, np.full(6, weight))), J(PARAMS, (X, Y)), rtol=1e-6)

    def test_rows_of_weight_zero_are_as_good_as_absent(self):
        """So is the last short batch padded; in value and in gradient."""
        x, y = np.concatenate([X, np.full((2, 3), 9.0)]), np.concatenate([Y, np.zeros((2, 2))])
        weight = np.array([1.0] * 6 + [0.0] * 2)
        padded, whole = jax.value_and_grad(J)(PARAMS, (x, y, weight)), jax.value_and_grad(J)(PARAMS, (X, Y))
        for ours, expected in zip(jax.tree.leaves(padded), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)

    def test_a_jitted_function_may_close_over_weights(self):
        batch = (jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32), jnp.asarray(WEIGHT, jnp.float32))
        np.testing.assert_allclose(jax.jit(lambda p: J(p, batch))(PARAMS), J(PARAMS, batch), rtol=1e-6)

    def test_whole_weights_are_repeated_rows(self):
        counts = np.array([1, 0, 2, 3, 1, 1])
        repeated = J(PARAMS, (np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0)))
        np.testing.assert_allclose(J(PARAMS, (X, Y, counts)), repeated, rtol=1e-6)

    def test_weights_that_are_all_zero_give_zero_and_no_gradient(self):
        value, gradient = jax.value_and_grad(J)(PARAMS, (X, Y, np.zeros(6)))
        assert value == 0
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))

    def test_takes_outputs_of_one_axis(self):
        flat = Objective(lambda w, x: x @ w, losses.squared_error)
        w = jnp.ones(3)
        np.testing.assert_allclose(flat(w, (X, Y[:, 0])), ((Y[:, 0] - X.sum(axis=1)) ** 2).mean(), rtol=1e-6)


class TestPenalty:
    def test_is_added_to_the_value_and_kept_out_of_the_mean_loss(self):
        penalised = Objective(mlp.apply, losses.squared_error, penalty=lambda params: 5.0)
        np.testing.assert_allclose(penalised(PARAMS, (X, Y)), J(PARAMS, (X, Y)) + 5, rtol=1e-6)
        np.testing.assert_array_equal(penalised.mean_loss(PARAMS, (X, Y)), J(PARAMS, (X, Y)))

    @pytest.mark.parametrize("strength", [0.0, 0.3, 2])
    def test_l2_has_the_gradient_strength_times_theta(self, strength):
        gradient = jax.grad(objective.l2(strength))(PARAMS)
        for ours, theta in zip(jax.tree.leaves(gradient), jax.tree.leaves(PARAMS), strict=True):
            np.testing.assert_allclose(ours, strength * theta, rtol=1e-6)

    def test_l2_makes_ridge_regression(self, x64):
        """Its minimum over a linear model is scikit-learn's: (2 / n) Xᵀ(Xw - y) + λ w = 0."""
        strength, y = 0.3, Y[:, 0]
        ridge = sklearn.linear_model.Ridge(alpha=strength * len(X) / 2, fit_intercept=False).fit(X, y)
        penalised = Objective(lambda w, x: x @ w, losses.squared_error, objective.l2(strength))
        gradient = jax.grad(penalised)(jnp.asarray(ridge.coef_), (jnp.asarray(X), jnp.asarray(y)))
        np.testing.assert_allclose(gradient, 0, atol=1e-13)

    @pytest.mark.parametrize("strength", [-1e-9, math.nan, math.inf])
    def test_l2_refuses_a_strength_that_is_negative_or_not_finite(self, strength):
        with pytest.raises(ValueError, match=r"strength must be "):
            objective.l2(strength)

    def test_l2_takes_a_traced_strength(self):
        values = jax.vmap(lambda strength: objective.l2(strength)(jnp.array([3.0, 4.0])))(jnp.array([1.0, 2.0]))
        np.testing.assert_allclose(values, [12.5, 25.0], rtol=1e-6)


class TestKey:
    def test_goes_to_a_predict_that_names_it(self):
        noisy = Objective(lambda params, x, *, key: x + jax.random.normal(key, x.shape), losses.squared_error)
        np.testing.assert_array_equal(noisy(None, (X, X), key=KEY), noisy(None, (X, X), KEY))
        assert noisy(None, (X, X), KEY) != noisy(None, (X, X), jax.random.key(1))

    def test_goes_to_no_other(self):
        quiet = Objective(lambda params, x: jnp.asarray(x) * params, losses.squared_error)
        np.testing.assert_array_equal(quiet(2.0, (X, X), KEY), quiet(2.0, (X, X)))

    @pytest.mark.parametrize(
        ("function", "expected"),
        [
            (lambda params, x: x, False),
            (lambda params, x, key: x, True),
            (lambda params, x, *, key=None: x, True),
            (lambda params, key, /: params, False),
            (lambda params, **words: params, False),
            (mlp.apply, True),
            (jax.jit(lambda params, x, *, key=None: x), True),
            (functools.partial(mlp.apply, dropout=0.5), True),
            (J, True),
        ],
    )
    def test_names_reads_the_signature(self, function, expected):
        assert objective.names(function, "key") is expected

    def test_dropout_is_on_with_a_key_and_off_without(self):
        dropping = Objective(functools.partial(mlp.apply, dropout=0.5), losses.squared_error)
        np.testing.assert_array_equal(dropping(PARAMS, (X, Y)), J(PARAMS, (X, Y)))
        assert dropping(PARAMS, (X, Y), KEY) != J(PARAMS, (X, Y))


class TestEvaluate:
    def test_takes_any_plain_function(self):
        assert objective.evaluate(lambda params, batch: params * batch[0], jnp.array(3.0), (2.0, None), KEY) == 6
        assert objective.evaluate(lambda params, batch, key: params * (key is KEY), jnp.array(3.0), (), KEY) == 3

    def test_hands_the_key_to_an_objective(self):
        dropping = Objective(functools.partial(mlp.apply, dropout=0.5), losses.squared_error)
        evaluated = objective.evaluate(dropping, PARAMS, (X, Y), KEY)
        np.testing.assert_array_equal(evaluated, dropping(PARAMS, (X, Y), KEY))

    def test_refuses_what_is_no_scalar(self):
        with pytest.raises(ValueError, match=r"must be a scalar, got shape \(6,\): return the mean over the examples"):
            objective.evaluate(lambda params, batch: jnp.zeros(6), None, ())


class TestRefusals:
    @pytest.mark.parametrize(
        ("batch", "told"), [((X,), "1 of them"), ((X, Y, WEIGHT, 1), "4 of them"), ((), "0 of them"), (X, "ndarray")]
    )
    def test_batches_of_other_parts(self, batch, told):
        with pytest.raises(ValueError, match=rf"\(inputs, targets\) or \(inputs, targets, weight\), got {told}"):
            objective.split(batch)

    @pytest.mark.parametrize("shape", [(5,), (6, 1), (), (1,)])
    def test_weights_of_another_shape(self, shape):
        with pytest.raises(ValueError, match=r"weight must have shape \(6,\), one per example, got "):
            J(PARAMS, (X, Y, np.ones(shape)))

    def test_a_loss_that_already_took_the_mean(self):
        with pytest.raises(ValueError, match=r"one number per example, shape \(6,\), got shape \(\)"):
            Objective(mlp.apply, lambda o, y: ((o - y) ** 2).mean())(PARAMS, (X, Y))

    def test_targets_of_another_length(self):
        with pytest.raises(ValueError, match=r"must have the same shape"):
            J(PARAMS, (X, Y[:-1]))
