"""Bayesian regularisation: scikit-learn's evidence on linear models, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import BayesianRidge

from jaxnn import Objective, losses, mlp, optimisers, training
from jaxnn.objective import l2

METHOD = optimisers.bayesian_regularisation()
LINEAR = Objective(lambda p, x: x @ p, losses.squared_error)


def regression(rows=40, columns=12):
    """Columns from well determined to hardly at all, and noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns)) * np.logspace(0, -2, columns)
    return x, x @ rng.normal(size=columns) + 0.3 * rng.normal(size=rows)


def test_a_linear_model_has_scikit_learns_evidence(x64):
    x, y = regression()
    found = training.minimise(LINEAR, jnp.full(12, 0.1), (x, y), METHOD)
    words = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0.0)
    theirs = BayesianRidge(fit_intercept=False, tol=1e-14, max_iter=10_000, **words).fit(x, y)
    np.testing.assert_allclose(found.params, theirs.coef_, atol=1e-10)
    # theirs are the precisions of weights and noise; ours is their ratio, per residual
    np.testing.assert_allclose(found.state.decay * len(y), theirs.lambda_ / theirs.alpha_, rtol=1e-9)
    shrunk = np.linalg.eigvalsh(x.T @ x)
    gamma = np.sum(shrunk / (shrunk + theirs.lambda_ / theirs.alpha_))
    np.testing.assert_allclose(found.state.effective_parameters, gamma, rtol=1e-8)
    assert 0 < gamma < 12
    assert "converged" in found.stop


@pytest.mark.slow
@pytest.mark.rounding
def test_it_smooths_where_levenberg_marquardt_fits_noise(x64):
    """Twenty noisy points and 61 parameters: what is chosen predicts the law, what fits the points does not."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-1, 1, (20, 1)), axis=0)
    law = lambda x: np.sin(3 * x)
    batch = (x, law(x) + 0.2 * rng.normal(size=x.shape))
    objective = Objective(lambda p, x: mlp.apply(p, x, activation=jnp.tanh), losses.squared_error)
    params = mlp.init(jax.random.key(0), (1, 20, 1), w_init=jax.nn.initializers.glorot_normal)
    grid = np.linspace(-0.95, 0.95, 100)[:, None]
    error = {}
    for name, method in (("bayesian", METHOD), ("plain", optimisers.levenberg_marquardt())):
        found = training.minimise(objective, params, batch, method, max_steps=100)
        error[name] = float(np.sqrt(np.mean((objective.outputs(found.params, grid) - law(grid)) ** 2)))
        if name == "bayesian":
            assert 2 < found.state.effective_parameters < 10
    assert error["bayesian"] < 0.15
    assert error["plain"] > 2 * error["bayesian"]


@pytest.mark.parametrize(
    "objective", [Objective(LINEAR.predict, losses.huber), Objective(LINEAR.predict, losses.squared_error, l2(0.1))]
)
def test_it_chooses_the_penalty_of_a_squared_error(objective, x64):
    with pytest.raises(ValueError, match="bayesian_regularisation chooses the penalty of a squared error"):
        training.minimise(objective, jnp.ones(12), regression(), METHOD)


def test_wrong_words():
    with pytest.raises(ValueError, match="damping must be > 0"):
        optimisers.bayesian_regularisation(damping=0.0)
    with pytest.raises(ValueError, match="decay must be > 0"):
        optimisers.bayesian_regularisation(decay=-1.0)


def test_rows_of_weight_zero_are_no_data(x64):
    x, y = regression()
    found = training.minimise(LINEAR, jnp.full(12, 0.1), (x, y), METHOD)
    more = (np.vstack([x, x + 1]), np.concatenate([y, -y]), np.repeat([1.0, 0.0], len(y)))
    padded = training.minimise(LINEAR, jnp.full(12, 0.1), more, METHOD)
    np.testing.assert_allclose(padded.params, found.params, rtol=1e-8)
    np.testing.assert_allclose(padded.state.decay, found.state.decay, rtol=1e-8)
