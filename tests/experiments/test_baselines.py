import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from jaxnn import experiments
from jaxnn.experiments import baselines
from jaxnn.experiments.rows import split_and_preprocess
from jaxnn.experiments.scores import score


def prepared(source):
    return split_and_preprocess(source, validation=0.2, test=0.2, seed=0)


def test_the_linear_baselines_are_scikit_learns():
    for name in ("iris", "diabetes"):
        rows = prepared(experiments.source(name))
        found, interrupted = baselines.baselines(rows, seed=0)
        assert interrupted is None
        train, test = rows.batch(rows.split.train), rows.batch(rows.split.test)
        if name == "iris":
            # The weak decay of 120 full batches is no penalty to speak of; both stop before the separable limit.
            reference = LogisticRegression(C=10, max_iter=1000).fit(*train).score(*test)
            assert found["test, logistic regression"]["accuracy"] == pytest.approx(reference, abs=1 / len(test[0]))
        else:
            scores = [Ridge(alpha=alpha).fit(*train).score(*test) for alpha in baselines.PENALTIES]
            # Ours runs in float64 on float32 inputs, scikit-learn in float32.
            assert min(abs(found["test, ridge regression"]["R²"] - score) for score in scores) < 1e-4


def test_the_logistic_baseline_has_the_weights_of_classes():
    """An input that tells nothing, and one class that weighs 1,000 times as much: that one is always the answer."""
    table = {"noise": np.random.default_rng(0).normal(size=200), "ill": ["yes", "no"] * 100}
    rows = prepared(experiments.source(table, target="ill"))
    codes = rows.y[rows.split.test]
    for heavy in (0, 1):
        found, _ = baselines.baselines(rows, seed=0, class_weight={heavy: 1000.0})
        assert found["test, logistic regression"]["accuracy"] == pytest.approx(np.mean(codes == heavy))
        assert found["test, logistic regression"]["log loss"] > 2.0  # half the rows at odds of 1 to 1,000: 3.4


def test_the_constant_baseline_is_the_majority_and_the_mean():
    iris = prepared(experiments.source("iris"))
    found = score(iris, baselines.most_frequent_class(iris).outputs, iris.split.train)
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["log loss"] == pytest.approx(np.log(3), rel=1e-6)  # float32 weights
    diabetes = prepared(experiments.source("diabetes"))
    found = score(diabetes, baselines.the_mean(diabetes).outputs, diabetes.split.train)
    assert found["R²"] == pytest.approx(0, abs=1e-6)  # the mean in float32


def test_the_poisson_baseline_is_scikit_learns_and_the_mean_count_the_best_constant():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    rows = prepared(experiments.source((x[:, None], rng.poisson(50 * np.exp(0.7 * x))), problem="counts"))
    found, _ = baselines.baselines(rows, seed=0)
    train, test = rows.split.train, rows.split.test
    reference = PoissonRegressor(alpha=0, tol=1e-10).fit(rows.x[train], rows.y[train, 0]).predict(rows.x)
    expected = score(rows, np.log(reference)[:, None], test)
    # 200 full batches of Adam end near the minimum, not in it.
    assert found["test, Poisson regression"]["R²"] == pytest.approx(expected["R²"], abs=5e-3)
    for moved in (-0.01, 0.01):
        constant = baselines.the_mean_count(rows).outputs
        best, other = (score(rows, each, train)["Poisson deviance"] for each in (constant, constant + moved))
        assert best < other
