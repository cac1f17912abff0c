"""`jaxnn train --problem counts`: trained by the Poisson loss, told in its deviance, predicted in counts."""

import csv

import numpy as np
import pytest
from sklearn.metrics import mean_poisson_deviance

from jaxnn import training
from tests.cli.conftest import FAST, as_csv

NEWTON = ("--optimiser", "newton", "--hidden", "4", "--epochs", "3")
COUNTS = ("--target", "visits", "--problem", "counts")


@pytest.fixture
def visits(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    rows = {"x": x.round(4).tolist(), "visits": rng.poisson(300 * np.exp(x)).tolist()}
    (tmp_path / "visits.csv").write_text(as_csv(rows), encoding="utf-8")
    return str(tmp_path / "visits.csv")


def test_a_model_of_counts_is_told_saved_shown_and_predicts_counts(run, visits):
    result = run("train", visits, *COUNTS, "--out", "m.safetensors", *FAST)
    assert result.status == 0, result.err
    assert "problem        counts (chosen by --problem): visits, " in result.out
    assert "on average in the training rows" in result.out
    assert [line.split()[1:2] for line in result.out.splitlines() if line.startswith("output")] == [["exp"]]
    about = training.load("m.safetensors").config["about"]
    assert result.out.splitlines()[-1] == f"test Poisson deviance {about['metrics']['test']['Poisson deviance']:.4g}"
    for baseline in ("Poisson regression", "the mean count"):
        assert f"test, {baseline}" in result.out
    assert "counts: visits" in run("show", "m.safetensors").out
    predicted = run("predict", "m.safetensors", visits, "--out", "p.csv")
    with open("p.csv", encoding="utf-8") as file:
        rates = np.array([float(row["prediction"]) for row in csv.DictReader(file)])
    with open(visits, encoding="utf-8") as file:
        counts = np.array([float(row["visits"]) for row in csv.DictReader(file)])
    assert f"Poisson deviance {mean_poisson_deviance(counts, rates):.4g}, " in predicted.err + predicted.out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--metric", "rmse"), "--metric rmse does not apply to counts: choose one of poisson_deviance"),
        (("--class-weight", "balanced"), "--class-weight applies to classes"),
        (("--category", "visits"), "is declared a category, but the problem is counts"),
    ],
)
def test_what_does_not_apply_to_counts_is_refused(run, visits, argv, told):
    result = run("train", visits, *COUNTS, *argv, *FAST)
    assert result.status == 2
    assert told in result.err


@pytest.mark.slow
@pytest.mark.parametrize("more", [(*FAST, "--ensemble", "3"), (*FAST, "--folds", "3"), (*FAST, "--refit"), NEWTON])
def test_counts_are_trained_in_all_ways(run, visits, more):
    result = run("train", visits, *COUNTS, "--out", "m.safetensors", *more)
    assert result.status == 0, result.err
    assert run("predict", "m.safetensors", visits).status == 0
    assert "visits" not in run("importance", "m.safetensors", visits).out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.rounding
def test_it_learns_what_grows_with_its_inputs(run, visits):
    """Visits of mean 300 eˣ, whose deviance is 1 with the true means and about 250 with one for all."""
    result = run("train", visits, *COUNTS, "--quiet", "--hidden", "none", "--seed", "1", "--weight-decay", "0")
    assert float(result.out.split()[-1]) < 5
