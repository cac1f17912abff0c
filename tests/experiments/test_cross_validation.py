"""`cross_validate`: what is said of a row comes from networks that did not see it, and the model is the mean of all."""

import signal

import numpy as np
import pytest
from sklearn import model_selection

from jaxnn import experiments, metrics, training
from jaxnn.experiments import Folds, cross_validate
from jaxnn.experiments.network import train

RNG = np.random.default_rng(1)
X = RNG.normal(size=(60, 3))
RECIPE = {"hidden": (4,), "epochs": 3, "batch_size": 16}
SOURCES = {
    "numbers": experiments.source((X, 100 + 20 * X[:, 0] + RNG.normal(size=60))),
    "classes": experiments.source((X, np.where(X[:, 0] > 0.3, "yes", "no"))),
}


def quick(rows, folds=3, recipe=RECIPE, **words):
    return cross_validate(rows, recipe, folds=folds, progress=False, **words)


@pytest.fixture(scope="module", params=SOURCES)
def found(request):
    return quick(SOURCES[request.param], Folds(3, repeats=2), seeds=2, test=0.2)


def fold_of(found, fit):
    """Two seeds within each fold."""
    return found.rows[fit // 2]


@pytest.mark.by_default("classes")
def test_a_row_is_answered_by_the_networks_that_did_not_see_it(found):
    """By hand, in the target's own units or in probabilities: the mean over two repeats and two seeds."""
    said = found.model.member_outputs(X)
    test = found.rows[0].split.test
    assert len(found.fits) == len(found.model.models) == len(said) == 12
    problem = found.rows[0].problem
    for row in range(60):
        unseen = [i for i in range(12) if row in fold_of(found, i).split.validation]
        assert len(unseen) == (0 if row in test else 4)
        if row in test:
            assert np.isnan(found.outputs[row]).all()
            continue
        own = problem.averaged(found.model.preprocessing, found.outputs[row : row + 1])
        np.testing.assert_allclose(own[0], said[unseen, row].mean(axis=0), rtol=1e-5)


@pytest.mark.by_default("classes")
def test_the_scores_are_those_by_hand(found):
    known = np.setdiff1d(np.arange(60), found.rows[0].split.test)
    target = np.asarray(found.source.target)
    problem, fitted = found.rows[0].problem, found.model.preprocessing
    for i, (model, scores) in enumerate(zip(found.model.models, found.scores, strict=True)):
        held = fold_of(found, i).split.validation
        name, score = (
            ("RMSE", metrics.rmse(target[held], model.predict(X[held])))
            if problem.name == "numbers"
            else ("accuracy", np.mean(model.predict(X[held]) == target[held]))
        )
        assert scores[name] == pytest.approx(score, rel=1e-5)
    answers = problem.predictions(fitted, found.outputs[known])
    name, score = (
        ("RMSE", metrics.rmse(target[known], answers))
        if problem.name == "numbers"
        else ("accuracy", np.mean(answers == target[known]))
    )
    assert found.out_of_fold[name] == pytest.approx(score, rel=1e-5)


@pytest.mark.by_default("classes")
def test_the_model_is_the_mean_of_all(found, tmp_path):
    said = found.model.member_outputs(X).mean(axis=0)
    own = found.rows[0].problem.averaged(found.model.preprocessing, found.model.outputs(X))
    np.testing.assert_allclose(own, said, rtol=1e-5)
    training.save(tmp_path / "m.safetensors", found.model)
    loaded = training.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), found.model.predict(X))
    assert loaded.about["recipe"]["hidden"] == [4]


@pytest.mark.by_default("classes")
def test_each_network_is_that_of_its_fold_and_seed(found):
    """The third is the second fold's, with the first seed."""
    alone = train(found.rows[1], found.recipe, seed=0, metric="loss", progress=False)
    np.testing.assert_allclose(found.fits[2].history.loss, alone.fit.history.loss, rtol=1e-4)


@pytest.mark.slow
def test_noise_is_not_predicted_out_of_fold():
    """A network that has learnt its training rows by heart knows nothing of the others."""
    noise = np.random.default_rng(2).normal(size=60)
    recipe = {"hidden": (64,), "epochs": 150, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 0, "patience": 0}
    found = quick(experiments.source((RNG.normal(size=(60, 8)), noise)), recipe=recipe)
    rows, last = found.rows[0], found.fits[0].params
    model = found.model.models[0]._replace(params=last, preprocessing=None)
    train_rows = rows.split.train
    assert metrics.r2(rows.y[train_rows], model.outputs(rows.x[train_rows])) > 0.7
    assert found.out_of_fold["R²"] <= 0.1


@pytest.mark.slow
def test_a_method_takes_all_rows_of_a_fold_in_every_step():
    """The folds of a time series have more and more training rows."""
    recipe = {"hidden": (), "optimiser": "lbfgs", "epochs": 2}
    found = quick(SOURCES["numbers"], model_selection.TimeSeriesSplit(2), recipe)
    longest = max(len(rows.split.train) for rows in found.rows)
    assert found.recipe.batch_size == longest
    assert [int(fit.state.step) for fit in found.fits] == [2, 2]


@pytest.mark.slow
def test_weights_of_rows_count_in_the_scores():
    """The rows that have none are answered but not counted."""
    weight = np.tile([1.0, 0.0], 30)
    found = quick(experiments.source((X, SOURCES["numbers"].target, weight)))
    answers = found.rows[0].problem.predictions(found.model.preprocessing, found.outputs)
    own = metrics.mae(np.asarray(found.source.target)[::2], answers[::2])
    assert found.out_of_fold["MAE"] == pytest.approx(own, rel=1e-5)


@pytest.mark.slow
def test_a_signal_ends_all_and_is_reported(monkeypatch, in_the_foreground):
    def interrupted(jobs, **words):
        return train_many(jobs, **words, hook=lambda scores: signal.raise_signal(signal.SIGTERM) or [])

    from jaxnn.experiments.many import train_many

    monkeypatch.setattr("jaxnn.experiments.cross_validation.train_many", interrupted)
    found = quick(SOURCES["numbers"])
    assert found.interrupted == "SIGTERM"
    assert [len(fit.history.loss) for fit in found.fits] == [1, 1, 1]


def test_what_cannot_be_cross_validated_is_refused():
    with pytest.raises(ValueError, match="seeds must be a whole number ≥ 1, got 0"):
        quick("iris", seeds=0)
    with pytest.raises(ValueError, match="--class-weight applies to classes"):
        quick(SOURCES["numbers"], class_weight="balanced")
    with pytest.raises(ValueError, match="--metric r2 does not apply to classes"):
        quick(SOURCES["classes"], metric="r2")
