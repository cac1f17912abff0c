"""Standard errors of least-squares fits: NIST's certified ones, scipy's, closed forms, and how often intervals hold."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from jaxnn import Objective, losses, mlp, optimisers, standard_errors, training
from jaxnn.objective import l2
from jaxnn.verify.second_order import nist

X = np.linspace(0.0, 3.0, 30)
RNG = np.random.default_rng(0)
Y = 2.0 * np.exp(-0.7 * X) + 0.05 * RNG.normal(size=30)


def decay(params, x):
    return params["a"] * jnp.exp(-params["k"] * x)


def line(params, x):
    return params[0] + params[1] * x


DECAY = Objective(decay, losses.squared_error)
LINE = Objective(line, losses.squared_error)


def least_squares(x, y, weight=1.0):
    """θ and the covariance of a weighted straight line, by the normal equations."""
    design = np.stack([np.ones_like(x), x], axis=1)
    gram = design.T @ (np.asarray(weight)[..., None] * design)
    theta = np.linalg.solve(gram, design.T @ (weight * y))
    variance = (weight * (y - design @ theta) ** 2).sum() / (len(x) - 2)
    return theta, variance * np.linalg.inv(gram), variance


@pytest.mark.by_default("Misra1a", "Lanczos3", "Thurber")
@pytest.mark.parametrize("name", [name for name in nist.MODELS if name != "Lanczos1"])
def test_at_the_certified_parameters_they_are_nists(name, x64):
    """Eleven digits are certified, of the parameters too, which limits what follows from them."""
    objective, batch, read = nist.problem(name)
    found = standard_errors.of(objective, read.certified, batch)
    assert nist.lre(found.errors, read.standard_deviations) > 9
    assert found.degrees_of_freedom == len(read.y) - len(read.certified)
    assert found.deviation**2 * found.degrees_of_freedom == pytest.approx(read.residual_sum_of_squares, rel=1e-8)


@pytest.mark.slow
@pytest.mark.rounding
@pytest.mark.parametrize("name", nist.MODELS)
def test_at_the_fitted_parameters_they_are_nists(name, x64):
    """The residuals of Lanczos1 are 1e-13 of the responses: float64 has three digits of them."""
    objective, batch, read = nist.problem(name)
    method = optimisers.levenberg_marquardt()
    fit = training.minimise(objective, read.starts[1], batch, method, max_steps=2000, gradient_tolerance=0.0)
    found = standard_errors.of(objective, fit.params, batch)
    assert nist.lre(found.errors, read.standard_deviations) > (1.5 if name == "Lanczos1" else 7)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_a_curve_they_are_scipys(weighted, x64):
    """With tight tolerances: with its own, curve_fit's covariance is 7e-6 off, as it is not that of its last point."""
    sigma = 1.0 + X if weighted else None
    theta, covariance = optimize.curve_fit(
        lambda x, a, k: a * np.exp(-k * x), X, Y, (1.0, 1.0), sigma, ftol=1e-15, xtol=1e-15, gtol=1e-15,
        jac=lambda x, a, k: np.stack([np.exp(-k * x), -a * x * np.exp(-k * x)], axis=1),
    )  # fmt: skip
    batch = (X, Y) if sigma is None else (X, Y, 1 / sigma**2)
    found = standard_errors.of(DECAY, {"a": theta[0], "k": theta[1]}, batch)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    assert set(found.errors) == {"a", "k"}
    np.testing.assert_allclose(found.errors["k"], np.sqrt(covariance[1, 1]), rtol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
def test_of_a_straight_line_they_are_the_closed_form(weighted, x64):
    weight = 1.0 + X if weighted else np.ones(30)
    theta, covariance, variance = least_squares(X, Y, weight)
    found = standard_errors.of(LINE, theta, (X, Y, weight))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-12)
    new, t = np.array([-1.0, 1.5, 9.0]), stats.t.ppf(0.95, 28)
    curve, spread = theta[0] + theta[1] * new, covariance[0, 0] + 2 * new * covariance[0, 1] + new**2 * covariance[1, 1]
    for band, extra in ((found.band(new, 0.9), 0.0), (found.band(new, 0.9, new=True), variance)):
        reach = t * np.sqrt(spread + extra)
        np.testing.assert_allclose(band, (curve - reach, curve + reach), rtol=1e-12)
    low, high = found.interval(0.9)
    np.testing.assert_allclose((high - low) / 2, t * np.sqrt(np.diag(covariance)), rtol=1e-12)
    np.testing.assert_allclose((high + low) / 2, theta, rtol=1e-12)


def test_units_do_not_matter(x64):
    """In units a million million times smaller, the errors are so many times larger, to the last digits."""
    theta, *_ = least_squares(X, Y)
    plain = standard_errors.of(LINE, theta, (X, Y))
    scaled = standard_errors.of(LINE, theta * [1.0, 1e12], (X / 1e12, Y))
    np.testing.assert_allclose(scaled.errors, plain.errors * [1.0, 1e12], rtol=1e-12)


def test_rows_of_weight_zero_are_no_observations(x64):
    theta, *_ = least_squares(X[:20], Y[:20])
    weight = np.where(np.arange(30) < 20, 1.0, 0.0)
    ours = standard_errors.of(LINE, theta, (X, Y, weight))
    alone = standard_errors.of(LINE, theta, (X[:20], Y[:20]))
    assert ours.degrees_of_freedom == alone.degrees_of_freedom == 18
    np.testing.assert_allclose(ours.covariance, alone.covariance, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_and_bands_hold_as_often_as_they_say(level, x64):
    """Over 500 draws of six noisy rows: few, so that a normal quantile for Student's would be noticed."""
    rng, draws, x = np.random.default_rng(1), 500, np.linspace(0, 1, 6)
    hits = np.zeros(3)
    for _ in range(draws):
        y = 1.0 + 2.0 * x + rng.normal(size=6)
        found = standard_errors.of(LINE, least_squares(x, y)[0], (x, y))
        low, high = found.interval(level)
        lower, upper = found.band(np.array([3.0]), level)
        below, above = found.band(np.array([3.0]), level, new=True)
        observed = 7.0 + rng.normal()
        hits += [low[1] <= 2.0 <= high[1], lower[0] <= 7.0 <= upper[0], below[0] <= observed <= above[0]]
    error = np.sqrt(level * (1 - level) / draws)
    assert (np.abs(hits / draws - level) < 4 * error).all()


def test_a_network_of_two_outputs_in_float32():
    params = mlp.init(jax.random.key(0), (1, 2))
    x = X[:, None].astype(np.float32)
    y = np.stack([Y, 3 * Y], axis=1).astype(np.float32)
    found = standard_errors.of(Objective(mlp.apply, losses.squared_error), params, (x, y))
    assert found.degrees_of_freedom == 60 - 4
    assert jax.tree.map(np.shape, found.errors) == jax.tree.map(np.shape, params)
    assert found.band(x[:5], 0.9)[0].shape == (5, 2)


REFUSED = {
    "another loss": (Objective(line, losses.huber), [0.0, 1.0], (X, Y), "the objective has another loss"),
    "a penalty": (Objective(line, losses.squared_error, l2(1.0)), [0.0, 1.0], (X, Y), "the objective has a penalty"),
    "a function": (lambda p, batch: p[0], [0.0, 1.0], (X, Y), "needs the split into predict and loss"),
    "few rows": (LINE, [0.0, 1.0], (X[:2], Y[:2]), "2 parameters need more than 2 observations"),
    "no influence": (LINE, [0.0, 1.0, 5.0], (X, Y), "Parameter 2 of 3, in ravel order, has no influence"),
    "only together": (
        Objective(lambda p, x: (p[0] + p[1]) * x + p[2], losses.squared_error), [1.0, 1.0, 0.0], (X, Y),
        r"do not determine parameters \[0, 1\], in ravel order, one by one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_standard_errors_is_refused(case, x64):
    objective, params, batch, told = REFUSED[case]
    with pytest.raises(ValueError, match=told):
        standard_errors.of(objective, jnp.asarray(params), batch)


def test_in_float32_too_what_observations_do_not_determine_is_refused():
    """p₀ and p₁ scale the curve alike, but in float32 their derivatives are alike only up to rounding."""
    objective = Objective(lambda p, x: p[0] * jnp.exp(p[1] - p[2] * x), losses.squared_error)
    with pytest.raises(ValueError, match=r"do not determine parameters \[0, 1\]"):
        standard_errors.of(objective, jnp.asarray([2.1, 0.1, 0.7]), (X, Y))


MISSING = np.where(np.arange(30) == 3, np.nan, 1.0)
UNFIT = {
    "targets as a column": ((X, Y[:, None]), "must have the same shape"),
    "a single target": ((X, Y[:1]), "must have the same shape"),
    "weights as a column": ((X, Y, np.ones((30, 1))), r"weight must have shape \(30,\)"),
    "a negative weight": ((X, Y, np.where(X > 1, -1.0, 1.0)), "weight must be ≥ 0"),
    "a missing target": ((X, Y * MISSING), "The sum of squares is infinite or NaN"),
    "a missing input": ((X * MISSING, Y), "The sum of squares is infinite or NaN"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_rows_that_do_not_fit_are_refused(case, x64):
    batch, told = UNFIT[case]
    with pytest.raises(ValueError, match=told):
        standard_errors.of(LINE, jnp.asarray([2.0, -0.5]), batch)


def test_an_infinite_derivative_is_refused(x64):
    objective = Objective(lambda p, x: p[0] + jnp.sqrt(p[1]) * x, losses.squared_error)
    with pytest.raises(ValueError, match="A derivative of the curve is infinite or NaN"):
        standard_errors.of(objective, jnp.asarray([1.0, 0.0]), (X, Y))


@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_level_is_a_fraction(level, x64):
    with pytest.raises(ValueError, match=r"level must be in \[0, 1\]"):
        standard_errors.of(LINE, least_squares(X, Y)[0], (X, Y)).interval(level)
