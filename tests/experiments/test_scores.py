"""The scores that are told of classes, against scikit-learn, also where a part lacks a class."""

import numpy as np
import pytest
from sklearn import metrics as peer

from jaxnn import preprocessing
from jaxnn.problems import MOST_AREAS, PROBLEMS

N, CLASSES = 120, ("high", "low", "mid")


@pytest.fixture(scope="module")
def fitted():
    return preprocessing.fit({"x": np.arange(30.0), "y": list(CLASSES) * 10}, "y")


def drawn(k=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, k)), rng.integers(0, k, N), rng.random(N)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_classes_are_those_of_scikit_learn(fitted, weighted):
    outputs, codes, weight = drawn()
    weight = weight if weighted else None
    found = PROBLEMS["classes"].scores(fitted, outputs, codes, weight, "brier")
    p = PROBLEMS["classes"].probabilities(outputs)
    expected = {
        "accuracy": peer.accuracy_score(codes, outputs.argmax(1), sample_weight=weight),
        "log loss": peer.log_loss(codes, p, sample_weight=weight),
        "ROC AUC": peer.roc_auc_score(codes, p, multi_class="ovr", sample_weight=weight),
        "macro F1": peer.f1_score(codes, outputs.argmax(1), average="macro", sample_weight=weight),
        "Brier score": peer.brier_score_loss(codes, p, sample_weight=weight, labels=range(3)),
    }
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_each_class_are_those_of_scikit_learn(fitted, weighted):
    outputs, codes, weight = drawn()
    weight = weight if weighted else None
    found = PROBLEMS["classes"].by_class(fitted, outputs, codes, weight)
    assert tuple(found) == CLASSES
    for name, score in (("recall", peer.recall_score), ("precision", peer.precision_score)):
        expected = score(codes, outputs.argmax(1), average=None, sample_weight=weight)
        assert [each[name] for each in found.values()] == pytest.approx(expected, rel=1e-12)
    assert [each["rows"] for each in found.values()] == pytest.approx(np.bincount(codes, weight))


def test_a_class_never_predicted_has_no_precision_and_one_without_rows_no_recall(fitted):
    outputs = np.tile([3.0, 1.0, 2.0], (4, 1))
    found = PROBLEMS["classes"].by_class(fitted, outputs, np.array([0, 0, 1, 0]), None)
    assert found["high"] == {"recall": 1.0, "precision": 0.75, "rows": 3.0}
    assert np.isnan(found["low"]["precision"])
    assert found["low"]["recall"] == 0
    assert np.isnan(found["mid"]["recall"])


def test_the_area_is_of_the_classes_that_have_rows(fitted):
    outputs, codes, _ = drawn()
    outputs, codes = outputs[codes != 1], codes[codes != 1]
    p = PROBLEMS["classes"].probabilities(outputs)
    found = PROBLEMS["classes"].scores(fitted, outputs, codes, None)
    expected = np.mean([peer.roc_auc_score(codes == j, p[:, j]) for j in (0, 2)])
    assert found["ROC AUC"] == pytest.approx(expected, rel=1e-12)
    alone = PROBLEMS["classes"].scores(fitted, outputs[codes == 0], codes[codes == 0], None)
    assert "ROC AUC" not in alone


def test_confident_outputs_of_two_classes_are_no_ties(fitted):
    outputs = np.array([[0.0, 60.0], [0.0, 61.0], [0.0, 62.0]])  # probabilities of 1, all three
    found = PROBLEMS["classes"].scores(fitted, outputs, np.array([0, 1, 1]), None)
    assert found["ROC AUC"] == 1.0


def test_areas_of_very_many_classes_are_not_computed(fitted):
    outputs, codes, _ = drawn(MOST_AREAS + 1)
    assert "ROC AUC" in PROBLEMS["classes"].scores(fitted, outputs[:, :-1], codes % MOST_AREAS, None)
    assert "ROC AUC" not in PROBLEMS["classes"].scores(fitted, outputs, codes, None)
