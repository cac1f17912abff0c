"""Conformal intervals: they hold what they promise on average, are stored and read again, and say when they cannot."""

import json

import jax
import numpy as np
import pytest

from jaxnn import conformal, experiments, mlp, preprocessing, training
from jaxnn.problems import PROBLEMS

N = 40
X = np.random.default_rng(0).normal(size=(N, 2))
TARGETS = {
    "numbers": 5 + 3 * X[:, 0] + np.random.default_rng(1).normal(size=N),
    "counts": np.random.default_rng(1).poisson(20 * np.exp(X[:, 0])),
    "classes": np.where(X[:, 0] + np.random.default_rng(1).normal(size=N) > 0, "yes", "no"),
}


def model_of(problem):
    fitted = preprocessing.fit_arrays(X, TARGETS[problem], problem=problem)
    sizes = (2, PROBLEMS[problem].n_outputs(fitted))
    return training.Model(mlp.init(jax.random.key(0), sizes), {"sizes": list(sizes), "problem": problem}, fitted)


@pytest.fixture(params=PROBLEMS)
def held(request):
    return conformal.calibrated(model_of(request.param), X, TARGETS[request.param])


def within(found, targets):
    """Which of the targets are in their regions."""
    if "classes" in found:
        return np.array([each in classes for each, classes in zip(targets.tolist(), found["classes"], strict=True)])
    return (found["lower"] <= targets) & (targets <= found["upper"])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_of_the_calibration_rows_just_enough_are_within(held, level):
    targets = TARGETS[held.preprocessing.problem]
    share = within(conformal.regions(held, X, level=level), targets).sum()
    rank = int(np.ceil((N + 1) * level))
    # Classes are tied where the most probable one is right, so there may be more.
    assert share >= rank if held.preprocessing.problem == "classes" else share == rank


def test_a_higher_level_holds_all_that_a_lower_one_holds(held):
    low, high = (conformal.regions(held, X, level=level) for level in (0.6, 0.97))
    if "classes" in low:
        assert all(set(a) <= set(b) for a, b in zip(low["classes"], high["classes"], strict=True))
        assert [each[0] for each in low["classes"]] == held.predict(X).tolist()
    else:
        assert (high["lower"] <= low["lower"]).all()
        assert (high["upper"] >= low["upper"]).all()
        assert (low["lower"] <= held.predict(X)).all()


def test_counts_are_never_below_0_and_their_ranges_grow_with_the_root_of_the_rate():
    held = conformal.calibrated(model_of("counts"), X, TARGETS["counts"])
    found, rates = conformal.regions(held, X, level=0.9), held.predict(X)
    assert found["lower"].min() >= 0
    np.testing.assert_allclose((found["upper"] - rates) / np.sqrt(rates), conformal.threshold(held, 0.9), rtol=1e-9)


@pytest.mark.parametrize("problem", ["numbers", "classes"])
def test_new_rows_are_within_as_often_as_promised(problem):
    """Over 3,000 draws of 19 calibration rows and a new one: between the level and level + 1/20, with four errors."""
    rng, draws, n, level = np.random.default_rng(0), 3000, 19, 0.8
    kind, fitted = PROBLEMS[problem], model_of(problem).preprocessing
    hits = 0
    for _ in range(draws):
        outputs = rng.normal(size=(n + 1, kind.n_outputs(fitted)))
        if problem == "numbers":
            targets = outputs + rng.standard_t(2, size=outputs.shape)
        else:
            targets = (rng.random(n + 1) < kind.probabilities(outputs)[:, 1] ** 0.5).astype(int)
        scores = kind.nonconformity(fitted, outputs, targets)
        q = conformal.calibration(kind, fitted, outputs[:n], targets[:n]).thresholds[80 - conformal.PERCENT.start]
        hits += scores[n] <= q
    error = np.sqrt(level * (1 - level) / draws)
    assert hits / draws > level - 4 * error
    if problem == "numbers":  # without ties
        assert hits / draws < level + 1 / (n + 1) + 4 * error


def test_they_are_saved_with_the_model(held, tmp_path):
    training.save(tmp_path / "m.safetensors", held)
    again = training.load(tmp_path / "m.safetensors")
    expected, found = (conformal.regions(each, X, level=0.9) for each in (held, again))
    assert {name: list(map(str, each)) for name, each in found.items()} == {
        name: list(map(str, each)) for name, each in expected.items()
    }


def test_an_ensemble_can_be_calibrated():
    one = model_of("numbers")
    held = conformal.calibrated(training.Ensemble((one, one), None, one.preprocessing), X, TARGETS["numbers"])
    alone = conformal.calibrated(one, X, TARGETS["numbers"])
    assert conformal.threshold(held, 0.9) == pytest.approx(conformal.threshold(alone, 0.9), rel=1e-6)


@pytest.mark.parametrize(("percent", "least"), [(50, 1), (75, 3), (90, 9), (95, 19), (99, 99)])
def test_the_least_number_of_rows_is_just_enough(percent, least):
    assert conformal.least_rows(percent) == least
    kind, fitted = PROBLEMS["numbers"], model_of("numbers").preprocessing
    for n, finite in ((least, True), (least - 1, False)):
        found = conformal.calibration(kind, fitted, np.zeros((n, 1)), np.arange(n)[:, None])
        assert np.isfinite(found.thresholds[percent - 50]) == finite
        assert conformal.from_spec(json.loads(json.dumps(found.to_spec(), allow_nan=False))) == found


@pytest.mark.slow
def test_a_run_calibrates_on_its_test_rows():
    outcome = experiments.run("diabetes", {"epochs": 2}, compare=False, progress=False)
    test = outcome.rows.split.test
    held = conformal.calibrated(
        outcome.model, outcome.source.dataset.x[test], outcome.source.dataset.y[test].astype(float)
    )
    assert outcome.model.config["about"]["conformal"]["rows"] == len(test)
    assert conformal.threshold(outcome.model, 0.9) == pytest.approx(conformal.threshold(held, 0.9), rel=1e-4)
    without = experiments.run("diabetes", {"epochs": 1}, test=0.0, compare=False, progress=False)
    with pytest.raises(ValueError, match="has no intervals: they are calibrated on the test rows"):
        conformal.regions(without.model, X, level=0.9)


@pytest.mark.parametrize("level", [0.49, 0.995, 0.905, 90.0, float("nan")])
def test_other_levels_are_refused(held, level):
    with pytest.raises(ValueError, match=r"must be a whole percentage from 0\.5 to 0\.99, such as 0\.9"):
        conformal.regions(held, X, level=level)


def test_too_few_rows_are_refused_with_how_many_are_needed():
    held = conformal.calibrated(model_of("numbers"), X[:10], TARGETS["numbers"][:10])
    with pytest.raises(ValueError, match="95 % need at least 19 test rows, and the model had 10"):
        conformal.regions(held, X, level=0.95)


def test_a_model_without_preprocessing_is_refused():
    with pytest.raises(ValueError, match="has no preprocessing"):
        conformal.calibrated(model_of("numbers")._replace(preprocessing=None), X, TARGETS["numbers"])


def test_notes_of_any_kind_are_kept():
    one = model_of("numbers")
    noted = one._replace(config={**one.config, "about": "by hand"})
    about = conformal.calibrated(noted, X, TARGETS["numbers"]).config["about"]
    assert (about["notes"], about["conformal"]["rows"]) == ("by hand", N)


GOOD = {"rows": 5, "thresholds": [0.0, 1.0]}


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {},
        GOOD | {"rows": "5"},
        GOOD | {"thresholds": "01"},
        GOOD | {"thresholds": [1.0, 0.5]},
        GOOD | {"thresholds": [-1.0, 0.5]},
        GOOD | {"thresholds": [0.0, float("nan")]},
        GOOD | {"thresholds": [0.0, float("inf")]},
        GOOD | {"thresholds": [0.0] * 51},
        GOOD | {"thresholds": [True]},
        GOOD | {"rows": -5},
        GOOD | {"rows": 3, "thresholds": [1.0] * 27},  # three rows suffice up to 75 %
    ],
)
def test_a_damaged_description_is_refused(spec):
    conformal.from_spec(GOOD)
    with pytest.raises(ValueError, match="stored"):
        conformal.from_spec(spec)


def test_the_predicted_class_is_in_its_set_even_if_probabilities_round_to_ties():
    kind, fitted = PROBLEMS["classes"], model_of("classes").preprocessing
    outputs = np.array([[0.0, 1e-20], [1e-20, 0.0]])
    likely = kind.region(fitted, outputs, 0.0)["classes"]
    assert [each[0] for each in likely] == kind.predictions(fitted, outputs).tolist() == ["yes", "no"]
    np.testing.assert_array_equal(kind.nonconformity(fitted, outputs, np.array([1, 0])), 0.0)
