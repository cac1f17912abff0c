"""The tables of scores at the command line."""

import numpy as np
import pytest
from sklearn import metrics as peer

from jaxnn import experiments, training
from jaxnn.experiments.rows import split_and_preprocess
from tests.cli.conftest import FAST, rows_of_patients

STROKE = ("--target", "stroke", "--drop", "id", "cost")


def table(lines, first):
    """The lines of a printed table, from that whose first word is given to the next blank line, as words."""
    start = next(k for k, line in enumerate(lines) if line.startswith(first))
    return [line.split() for line in lines[start : lines.index("", start)]]


def test_classes_have_four_scores_the_one_asked_for_and_those_of_each_class(run, patients):
    result = run("train", patients, *STROKE, "--metric", "brier", "--out", "m.safetensors", *FAST)
    lines = result.out.splitlines()
    header = next(line for line in lines if "accuracy" in line and "AUC" in line)
    assert header.split() == ["accuracy", "log", "loss", "ROC", "AUC", "macro", "F1", "Brier", "score"]
    rows = split_and_preprocess(
        experiments.source(patients, target="stroke", drop=("id", "cost")), validation=0.2, test=0.2, seed=0
    )
    truth = np.array(rows_of_patients()["stroke"])[rows.split.test]
    said = training.load("m.safetensors").predict(experiments.source(patients, target="stroke").rows)[rows.split.test]
    (test, *_) = [line.split() for line in lines if line.startswith("test ")]
    assert test[4] == f"{peer.f1_score(truth, said, average='macro', zero_division=0):.4f}"
    by_class = table(lines, "test, by class")
    assert by_class[0] == ["test,", "by", "class", "recall", "precision", "rows"]
    recall = peer.recall_score(truth, said, average=None, labels=["ill", "well"])
    assert [(row[0], row[1], row[3]) for row in by_class[1:]] == [
        (name, f"{share:.4f}", str(int((truth == name).sum())))
        for name, share in zip(["ill", "well"], recall, strict=True)
    ]


@pytest.mark.slow
def test_many_classes_are_not_listed(run):
    told = run("train", "digits", "--epochs", "1", "--hidden", "4").out
    assert "test, by class" in told
    assert sum(line.startswith(tuple("0123456789")) for line in told.splitlines()) == 10


def test_numbers_have_no_classes(run, patients):
    told = run("train", patients, "--target", "cost", "--drop", "id", "stroke", "--metric", "mae", *FAST).out
    assert "by class" not in told
    assert "RMSE" in told
