"""`jaxnn train --refit` says what it did, and saves the network that was trained on more rows."""

import os
import signal

import numpy as np
import pytest

from jaxnn import experiments, training
from jaxnn.experiments import refitting
from jaxnn.experiments.network import train


def test_it_is_told_and_saved(run):
    result = run("train", "iris", "--hidden", "4", "--epochs", "8", "--refit", "--out", "m.safetensors")
    assert result.status == 0, result.err
    outcome = experiments.run("iris", {"hidden": (4,), "epochs": 8}, refit=True, compare=False, progress=False)
    epochs = outcome.fit.best_epoch
    assert f"refit          once more for {epochs} epoch" in result.out
    assert "on the 120 training and validation rows together" in result.out
    rows = {line[:22].strip(): line.split() for line in result.out.splitlines()}
    assert float(rows["test, first training"][3]) == round(
        outcome.first_training["test, first training"]["accuracy"], 4
    )
    saved = training.load("m.safetensors")
    np.testing.assert_array_equal(saved.outputs(outcome.source.rows), outcome.outputs)
    assert saved.config["about"]["refit"] is True
    assert "\ntest, first training accuracy 0." in run("show", "m.safetensors").out
    assert "seem to include the 120 that the model was trained on" in run("predict", "m.safetensors", "iris").err


@pytest.mark.usefixtures("in_the_foreground")
def test_after_a_signal_in_the_second_training_it_says_which_network_is_saved(run, monkeypatch):
    def interrupted(*arguments, **words):
        os.kill(os.getpid(), signal.SIGINT)
        return train(*arguments, **words)

    monkeypatch.setattr(refitting, "train", interrupted)
    result = run("train", "iris", "--hidden", "4", "--epochs", "3", "--refit", "--out", "m.safetensors")
    assert result.status == 130
    assert "refit          did not come to its end, so the network is that of the first training" in result.out
    assert "interrupted    by SIGINT; the network trained so far is saved in m.safetensors" in result.out
    assert "refit" not in training.load("m.safetensors").config["about"]


def test_without_validation_rows_it_is_refused(refused):
    assert "--refit needs validation rows" in refused("train", "iris", "--refit", "--validation", "0")
