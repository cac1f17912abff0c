"""`jaxnn train --folds`: the scores of `experiments.cross_validate`, and the same network as without."""

import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxnn import experiments
from jaxnn.cli.folds import mean_and_spread
from tests.cli.conftest import FAST

STROKE = ("--target", "stroke", "--drop", "id", "cost")


def test_mean_and_standard_deviation_of_a_sample():
    assert mean_and_spread([1.0, 2.0, 4.0]) == pytest.approx((7 / 3, np.sqrt(7 / 3)))
    assert np.isnan(mean_and_spread([1.0])[1])


@pytest.mark.slow
def test_the_scores_are_those_of_cross_validation_and_the_model_is_the_same(run, patients):
    alone = run("train", patients, *STROKE, "--seed", "4", "--out", "alone", *FAST)
    result = run("train", patients, *STROKE, "--seed", "4", "--out", "m", "--folds", "3", "--metric", "loss", *FAST)
    assert result.status == 0, result.err
    assert Path("m").read_bytes() == Path("alone").read_bytes()
    assert result.out.splitlines()[-1] == alone.out.splitlines()[-1]
    source = experiments.source(patients, target="stroke", drop=("id", "cost"))
    recipe = {"hidden": (4,), "epochs": 3, "batch_size": 16}
    found = experiments.cross_validate(source, recipe, folds=3, seed=4, progress=False)
    told = next(line for line in result.out.splitlines() if line.startswith("3 folds"))
    accuracy = [each["accuracy"] for each in found.scores]
    assert told.split()[2:5] == [f"{np.mean(accuracy):.4f}", "±", f"{np.std(accuracy, ddof=1):.4f}"]


def test_quietly_the_first_score_and_that_of_the_network(run, patients):
    result = run("train", patients, "--target", "cost", "--drop", "id", "stroke", "--folds", "2", "--quiet", *FAST)
    first, second = result.out.splitlines()
    assert first.startswith("2 folds R² ")
    assert second.startswith("test R² ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--folds", "3", "--ensemble", "4"), "leave out --ensemble"),
        (("--folds", "1"), "expected a whole number from 2 to 1000"),
        (("--folds", "50"), "folds"),
    ],
)
def test_folds_that_cannot_be(refused, patients, options, told):
    assert told in refused("train", patients, *STROKE, *options)


def test_a_signal_in_the_folds_ends_the_run(run, patients, monkeypatch):
    stopped = SimpleNamespace(interrupted="SIGTERM")
    monkeypatch.setattr("jaxnn.experiments.cross_validate", lambda *rows, **words: stopped)
    monkeypatch.setattr("jaxnn.experiments.run", None)  # to be called is to fail otherwise
    result = run("train", patients, *STROKE, "--folds", "2", "--out", "m", *FAST)
    assert result.status == 128 + signal.SIGTERM
    assert "interrupted by SIGTERM in the folds; nothing was saved" in result.err
    assert not Path("m").exists()
