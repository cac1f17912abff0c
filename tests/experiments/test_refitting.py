"""A run with `refit` trains once more on training and validation rows, for the epochs that were best, and says so."""

import os
import signal

import jax
import numpy as np
import pytest

from jaxnn import experiments
from jaxnn.experiments import refitting, running
from jaxnn.experiments.network import train
from jaxnn.experiments.scores import scores

CHOICES = {"hidden": (4,), "epochs": 8, "patience": 3}


def run(**words):
    return experiments.run("iris", CHOICES, seed=1, compare=False, progress=False, **words)


def test_it_is_the_training_on_both_parts_for_the_best_number_of_epochs():
    first, outcome = run(), run(refit=True)
    split, epochs = first.rows.split, first.fit.best_epoch
    both = split._replace(train=np.concatenate([split.train, split.validation]), validation=split.validation[:0])
    by_hand = train(
        first.rows._replace(split=both),
        first.recipe._replace(epochs=epochs, patience=0),
        seed=1,
        metric="loss",
        progress=False,
    )
    jax.tree.map(np.testing.assert_array_equal, outcome.model.params, by_hand.model.params)
    assert len(outcome.refit.history.loss) == epochs
    assert outcome.fit.best_epoch == epochs
    assert not np.array_equal(outcome.outputs, first.outputs)
    np.testing.assert_array_equal(outcome.outputs, by_hand.model.outputs(first.source.rows))


def test_the_notes_of_both_trainings_are_told():
    outcome = run(refit=True)
    noted = outcome._replace(refit=outcome.refit._replace(notes=("the rate was halved",)))
    assert noted.notes == (*outcome.notes, "the rate was halved")


def test_validation_rows_keep_the_score_of_the_first_training():
    first, outcome = run(), run(refit=True)
    assert outcome.scores["validation"] == first.scores["validation"]
    assert outcome.first_training == {"test, first training": first.scores["test"]}
    assert outcome.scores["test"] == scores(outcome.rows, outcome.outputs, "loss")["test"]
    assert outcome.about["refit"] is True
    assert "refit" not in first.about
    untested = run(refit=True, test=0.0)
    assert list(untested.scores) == ["validation"]
    assert untested.first_training == {}


@pytest.mark.parametrize("how", ["diverged", "SIGTERM"])
def test_a_second_training_that_does_not_end_leaves_the_first(monkeypatch, how):
    first = run()

    def ended_early(*arguments, **words):
        again = train(*arguments, **words)
        if how == "diverged":
            loss = again.fit.history.loss.copy()
            loss[-1] = np.nan
            return again._replace(fit=again.fit._replace(history=again.fit.history._replace(loss=loss)))
        return again._replace(fit=again.fit._replace(interrupted=how))

    monkeypatch.setattr(refitting, "train", ended_early)
    outcome = run(refit=True)
    assert outcome.refit is None
    assert outcome.scores == first.scores
    assert outcome.interrupted == (None if how == "diverged" else how)
    jax.tree.map(np.testing.assert_array_equal, outcome.model.params, first.model.params)


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("when", ["before", "while it starts", "after"])
def test_a_signal_between_the_trainings_loses_nothing(monkeypatch, when):
    first = run()

    def now(*_):
        os.kill(os.getpid(), signal.SIGINT)

    def interrupted(*arguments, **words):
        if when == "while it starts":
            now()
        again = train(*arguments, **words)
        if when == "after":
            now()
        return again

    monkeypatch.setattr(refitting, "train", interrupted)
    saved = []
    listener = experiments.Listener(trained=now if when == "before" else lambda fit: None, tested=saved.append)
    outcome = run(refit=True, listener=listener)
    assert outcome.interrupted == "SIGINT"
    assert len(saved) == 1
    if when == "after":
        assert outcome.refit is not None
    else:
        assert outcome.refit is None
        assert outcome.scores == first.scores
        jax.tree.map(np.testing.assert_array_equal, saved[0].model.params, first.model.params)


@pytest.mark.parametrize("choices", [{"optimiser": "lbfgs"}, {"batch_size": 1000}])
def test_where_every_step_has_all_rows_the_second_training_has_all_of_both_parts(choices, monkeypatch):
    seen = []

    def watched(rows, recipe, **words):
        seen.append((recipe.batch_size, len(rows.split.train)))
        return train(rows, recipe, **words)

    monkeypatch.setattr(refitting, "train", watched)
    settings = {"hidden": (4,), "epochs": 3} | choices
    experiments.run("iris", settings, seed=1, compare=False, progress=False, refit=True)
    assert seen == [(120, 120)]


def test_what_cannot_be_trained_again_is_refused():
    with pytest.raises(ValueError, match="--refit needs validation rows"):
        run(refit=True, validation=0.0)
    with pytest.raises(ValueError, match="or leave out --ensemble"):
        run(refit=True, ensemble=2)


def test_nothing_is_trained_again_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(running, "refitting", None)
    assert run().refit is None
