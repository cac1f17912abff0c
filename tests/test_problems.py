"""Every row of the table holds what the others do, so nothing else needs to ask which it is."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import metrics, mlp, plots, preprocessing, problems
from jaxnn.experiments import PROBLEMS
from jaxnn.experiments.baselines import MODELS
from jaxnn.preprocessing.learnt import Problem as Stored
from jaxnn.training import Model

N = 12
TARGETS = {
    "classes": np.array(["a", "b", "c"] * 4),
    "numbers": np.linspace(1.5, 9.0, N) ** 2,
    "counts": np.arange(1.0, N + 1) ** 2,
}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    return PROBLEMS[request.param]


@pytest.fixture
def fitted(problem):
    return preprocessing.fit_arrays(np.arange(2.0 * N).reshape(N, 2), TARGETS[problem.name], problem=problem.name)


def perfect(problem, targets):
    """Raw outputs that say what the targets are."""
    if problem.name == "classes":
        return 20.0 * np.eye(3)[targets]
    return np.log(targets) if problem.name == "counts" else targets


def test_it_has_every_kind_that_preprocessing_decides_on():
    assert set(PROBLEMS) == set(get_args(Stored)) == set(TARGETS)
    assert all(problem.name == name for name, problem in PROBLEMS.items())


def test_metrics_and_baselines_go_by_their_names(problem):
    assert set(problem.metrics) <= set(metrics.HIGHER_IS_BETTER)
    assert set(problem.baselines) <= set(MODELS)


def test_every_metric_that_is_asked_for_is_among_the_scores(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float32)
    outputs = perfect(problem, targets)
    for name in problem.metrics:
        scores = problem.scores(fitted, outputs, targets, None, name)
        measured = float(metrics.from_outputs(name)(jnp.asarray(outputs), jnp.asarray(targets)))
        if problem.name == "classes" or name == "r2":  # other metrics of numbers are in the target's own units
            assert scores[problems.PRINTED[name]] == pytest.approx(measured, abs=1e-5)
        assert problems.PRINTED[name] in scores


def test_every_metric_and_every_baseline_is_somebodys():
    assert {name for problem in PROBLEMS.values() for name in problem.metrics} == set(metrics.HIGHER_IS_BETTER)
    assert {name for problem in PROBLEMS.values() for name in problem.baselines} == set(MODELS)


def test_targets_fit_the_loss_and_perfect_outputs_lose_nothing(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float32)
    outputs = perfect(problem, targets)
    assert outputs.shape == (N, problem.n_outputs(fitted))
    loss = problem.loss(jnp.asarray(outputs, jnp.float32), jnp.asarray(targets))
    assert loss.shape == (N,)
    # The loss of counts is 1 - log y at best: what is above its least is half the deviance.
    least = problem.loss(jnp.log(targets), jnp.asarray(targets)) if problem.name == "counts" else 0.0
    assert float((loss - least).max()) < 1e-6
    first = next(iter(problem.scores(fitted, outputs, targets, None).values()))
    assert first == pytest.approx(0.0 if problem.name == "counts" else 1.0, abs=1e-6)  # deviance, accuracy, R²
    assert (
        type(plots.training_report(loss=[1.0, 0.5], **problem.compared(fitted, outputs, targets))).__name__ == "Figure"
    )


def test_answers_are_the_targets_as_text(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float64)
    answers = problem.answers(fitted, perfect(problem, targets))
    if problem.name == "classes":
        assert answers == TARGETS["classes"].tolist()
    else:
        np.testing.assert_allclose([float(answer) for answer in answers], TARGETS[problem.name], rtol=1e-14)


def test_predictions_are_the_targets_and_without_preprocessing_their_codes(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float64)
    outputs = perfect(problem, targets)
    predicted, truth = problem.predictions(fitted, outputs), TARGETS[problem.name]
    assert (predicted == truth).all() if truth.dtype.kind == "U" else predicted == pytest.approx(truth, rel=1e-14)
    np.testing.assert_allclose(problem.predictions(None, outputs), targets, rtol=1e-15)


def test_a_model_predicts_what_the_row_says(problem, fitted):
    params = mlp.init(jax.random.key(0), (2, problem.n_outputs(fitted)))
    x = np.arange(2.0 * N).reshape(N, 2)
    for preprocessed in (None, fitted):
        model = Model(params, {"sizes": [2, problem.n_outputs(fitted)], "problem": problem.name}, preprocessed)
        np.testing.assert_array_equal(model.predict(x), problem.predictions(preprocessed, model.outputs(x)))
        if problem.probabilities is None:
            with pytest.raises(ValueError, match="has no probabilities"):
                model.predict_probabilities(x)
        else:
            np.testing.assert_array_equal(model.predict_probabilities(x), problem.probabilities(model.outputs(x)))


def test_a_network_with_too_few_outputs_is_refused_in_the_words_of_its_row():
    model = Model(mlp.init(jax.random.key(0), (2, 1)), {"sizes": [2, 1], "problem": "classes"})
    with pytest.raises(ValueError, match=r"ends in 1, but a network for classes needs one output for each class"):
        model.predict(np.ones((1, 2)))


def test_probabilities_are_those_of_the_largest_outputs():
    outputs = np.array([[1000.0, 0.0], [0.0, np.log(3.0)]])
    np.testing.assert_allclose(PROBLEMS["classes"].probabilities(outputs), [[1.0, 0.0], [0.25, 0.75]], atol=1e-15)
    assert PROBLEMS["numbers"].probabilities is None


def test_an_ensembles_outputs_mean_the_weighted_mean_of_what_is_averaged(problem, fitted):
    outputs = np.random.default_rng(0).normal(size=(2, N, problem.n_outputs(fitted)))
    members = [(0.25, fitted, outputs[0]), (0.75, fitted, outputs[1])]
    for own in (fitted, None):
        mixed = problem.mixture(own, ((share, own and each, raw) for share, each, raw in members))
        expected = 0.25 * problem.averaged(own, outputs[0]) + 0.75 * problem.averaged(own, outputs[1])
        assert mixed.shape == outputs.shape[1:]
        np.testing.assert_allclose(problem.averaged(own, mixed), expected, rtol=1e-13)
        np.testing.assert_allclose(
            problem.averaged(own, problem.mixture(own, [(1.0, own, outputs[0])])),
            problem.averaged(own, outputs[0]),
            rtol=1e-13,
        )


def test_what_went_astray_has_metrics_without_a_warning(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float32)
    outputs = np.full((N, problem.n_outputs(fitted)), 1e300)
    assert set(problem.scores(fitted, outputs, targets, None)) == set(
        problem.scores(fitted, outputs / 1e300, targets, None)
    )
