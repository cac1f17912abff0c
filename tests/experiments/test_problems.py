"""Every row of the table holds what the others do, so that nothing else need ask which it is."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import metrics, plots, preprocessing
from jaxnn.experiments import PROBLEMS
from jaxnn.experiments.baselines import MODELS
from jaxnn.training.model import PROBLEMS as STORED

N = 12
TARGETS = {"classes": np.array(["a", "b", "c"] * 4), "numbers": np.linspace(1.5, 9.0, N) ** 2}


@pytest.fixture(params=PROBLEMS)
def problem(request):
    return PROBLEMS[request.param]


@pytest.fixture
def fitted(problem):
    return preprocessing.fit_arrays(np.arange(2.0 * N).reshape(N, 2), TARGETS[problem.name], problem=problem.name)


def perfect(problem, targets):
    """Raw outputs that say what the targets are."""
    return 20.0 * np.eye(3)[targets] if problem.name == "classes" else targets


def test_it_is_the_table_of_what_is_stored_in_models():
    assert set(PROBLEMS) == set(STORED) == set(TARGETS)
    assert all(problem.name == name for name, problem in PROBLEMS.items())


def test_metrics_and_baselines_go_by_their_names(problem):
    assert set(problem.metrics) <= set(metrics.HIGHER_IS_BETTER)
    assert set(problem.baselines) <= set(MODELS)


def test_every_metric_and_every_baseline_is_somebodys():
    assert {name for problem in PROBLEMS.values() for name in problem.metrics} == set(metrics.HIGHER_IS_BETTER)
    assert {name for problem in PROBLEMS.values() for name in problem.baselines} == set(MODELS)


def test_targets_fit_the_loss_and_perfect_outputs_lose_nothing(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float32)
    outputs = perfect(problem, targets)
    assert outputs.shape == (N, problem.n_outputs(fitted))
    loss = problem.loss(jnp.asarray(outputs, jnp.float32), jnp.asarray(targets))
    assert loss.shape == (N,)
    assert float(loss.max()) < 1e-6
    first = next(iter(problem.scores(fitted, outputs, targets, None).values()))
    assert first == pytest.approx(1.0)  # accuracy, R²
    assert (
        type(plots.training_report(loss=[1.0, 0.5], **problem.compared(fitted, outputs, targets))).__name__ == "Figure"
    )


def test_answers_are_the_targets_as_text(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float64)
    answers = problem.answers(fitted, perfect(problem, targets))
    if problem.name == "classes":
        assert answers == TARGETS["classes"].tolist()
    else:
        np.testing.assert_allclose([float(answer) for answer in answers], TARGETS["numbers"], rtol=1e-14)


def test_probabilities_are_those_of_the_largest_outputs():
    outputs = np.array([[1000.0, 0.0], [0.0, np.log(3.0)]])
    np.testing.assert_allclose(PROBLEMS["classes"].probabilities(outputs), [[1.0, 0.0], [0.25, 0.75]], atol=1e-15)
    assert PROBLEMS["numbers"].probabilities is None


def test_what_went_astray_has_metrics_without_a_warning(problem, fitted):
    targets = problem.as_targets(fitted.targets(TARGETS[problem.name]), np.float32)
    outputs = np.full((N, problem.n_outputs(fitted)), 1e300)
    assert set(problem.scores(fitted, outputs, targets, None)) == set(
        problem.scores(fitted, outputs / 1e300, targets, None)
    )
