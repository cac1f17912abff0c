"""Metrics against scikit-learn, on numpy arrays and inside jit; bad input; metrics of raw outputs."""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as peer

from jaxnn import metrics

N = 211
OF_NUMBERS = ("rmse", "mae", "r2")  # the others are of classes, and of counts
WEIGHTS = ("none", "random", "integers with zeros")


def rng(*key):
    return np.random.default_rng(key)


def weights(kind):
    if kind == "none":
        return None
    return rng(1).random(N) if kind == "random" else rng(2).integers(0, 3, N)


def probabilities(k, *, ties=False):
    scores = rng(3, k).normal(size=(N, k)) * 2
    if ties:
        scores = np.round(scores)
    p = np.exp(scores)
    return p / p.sum(axis=1, keepdims=True)


def codes(k):
    return rng(4, k).integers(0, k, N)


def numbers(columns=None):
    shape = (N,) if columns is None else (N, columns)
    y = rng(5).normal(3, 2, shape)
    return y, y + rng(6).normal(0, 1, shape)


def counts(columns=None):
    rates = np.exp(rng(12).normal(1, 1, (N,) if columns is None else (N, columns)))
    return rng(13).poisson(rates).astype(float), rates


def deviance_of_columns(t, p, sample_weight=None):
    columns = zip(t.T, p.T, strict=True)
    return np.mean([peer.mean_poisson_deviance(y, rate, sample_weight=sample_weight) for y, rate in columns])


def peers_log_loss(t, p, sample_weight=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the argument's name, in 1.9
        return peer.log_loss(t, p, sample_weight=sample_weight)


def multiclass_auc(t, p, sample_weight=None):
    return peer.roc_auc_score(t, p, multi_class="ovr", sample_weight=sample_weight)


def brier_of_classes(t, p, sample_weight=None):
    return peer.brier_score_loss(t, p, sample_weight=sample_weight, labels=range(p.shape[1]))


def macro_f1(t, p, sample_weight=None):
    return peer.f1_score(t, p, average="macro", sample_weight=sample_weight, zero_division=0)


two, five = probabilities(2)[:, 1], probabilities(5)
CASES = {
    "accuracy": (metrics.accuracy, peer.accuracy_score, codes(4), np.where(rng(7).random(N) < 0.6, codes(4), 1)),
    "top 2": (metrics.top_k_accuracy, peer.top_k_accuracy_score, codes(5), five),
    "top 2 with ties": (metrics.top_k_accuracy, peer.top_k_accuracy_score, codes(5), np.round(five, 1)),
    "log loss": (metrics.log_loss, peers_log_loss, codes(5), five),
    "log loss of two": (metrics.log_loss, peers_log_loss, codes(2), two),
    "log loss clipped": (metrics.log_loss, peers_log_loss, codes(2), np.round(two)),
    "brier": (metrics.brier, peer.brier_score_loss, codes(2), two),
    "brier of five": (metrics.brier, brier_of_classes, codes(5), five),
    "brier of a pair": (metrics.brier, brier_of_classes, codes(2), probabilities(2)),
    "roc auc": (metrics.roc_auc, peer.roc_auc_score, codes(2), two),
    "roc auc with ties": (metrics.roc_auc, peer.roc_auc_score, codes(2), np.round(two, 1)),
    "roc auc all tied": (metrics.roc_auc, peer.roc_auc_score, codes(2), np.zeros(N)),
    "roc auc of five": (metrics.roc_auc, multiclass_auc, codes(5), five),
    "roc auc of five with ties": (metrics.roc_auc, multiclass_auc, codes(5), probabilities(5, ties=True)),
    "macro f1": (partial(metrics.macro_f1, n_classes=5), macro_f1, codes(5), np.minimum(codes(5), 3)),
    "macro f1 of two": (partial(metrics.macro_f1, n_classes=2), macro_f1, codes(2), np.zeros(N, int)),
    "rmse": (metrics.rmse, peer.root_mean_squared_error, *numbers()),
    "rmse of three": (metrics.rmse, peer.root_mean_squared_error, *numbers(3)),
    "mae": (metrics.mae, peer.mean_absolute_error, *numbers()),
    "mae of three": (metrics.mae, peer.mean_absolute_error, *numbers(3)),
    "poisson deviance": (metrics.poisson_deviance, peer.mean_poisson_deviance, *counts()),
    "poisson deviance of three": (metrics.poisson_deviance, deviance_of_columns, *counts(3)),
    "r2": (metrics.r2, peer.r2_score, *numbers()),
    "r2 of three": (metrics.r2, peer.r2_score, *numbers(3)),
    "r2 of a constant": (metrics.r2, peer.r2_score, np.full(N, 0.1), numbers()[1]),
    "r2 of a constant, met": (metrics.r2, peer.r2_score, np.full(N, 2.0), np.full(N, 2.0)),
}


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn(case, weight):
    ours, theirs, targets, predictions = CASES[case]
    w = weights(weight)
    result = ours(targets, predictions, weight=w)
    assert type(result) is float
    # A few roundings of sums over 211 rows in float64.
    np.testing.assert_allclose(result, theirs(targets, predictions, sample_weight=w), rtol=4e-15, atol=1e-15)


def test_macro_f1_of_labels_counts_the_classes_that_occur():
    truth, said = np.array(["a", "b", "b", "c"]), np.array(["a", "b", "c", "b"])
    assert metrics.macro_f1(truth, said) == pytest.approx(macro_f1(truth, said), rel=1e-15)
    coded = np.array([0, 5, 5, 7]), np.array([0, 5, 7, 5])
    assert metrics.macro_f1(*coded, n_classes=9) == metrics.macro_f1(truth, said)


@pytest.mark.by_default("float32-*-random")
@pytest.mark.parametrize("weight", ["none", "random"])
@pytest.mark.parametrize("case", [case for case in CASES if "clipped" not in case and "constant" not in case])
def test_inside_jit_the_same_numbers(case, weight, dtype):
    ours, _, targets, predictions = CASES[case]
    if predictions.dtype.kind == "f":
        predictions = predictions.astype(dtype)
    if targets.dtype.kind == "f":
        targets = targets.astype(dtype)
    w = weights(weight)
    expected = ours(np.asarray(targets), np.asarray(predictions), weight=w)
    result = jax.jit(ours)(jnp.asarray(targets), jnp.asarray(predictions), weight=w if w is None else jnp.asarray(w))
    assert isinstance(result, jax.Array)
    np.testing.assert_allclose(result, expected, rtol=3e-5 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_clips_at_the_precision_of_the_probabilities(dtype):
    p = np.array([0.0, 1.0, 0.25], dtype)
    t = np.array([1, 1, 0])
    np.testing.assert_allclose(
        metrics.log_loss(t, p), peers_log_loss(t, p), rtol=1e-6 if dtype == np.float32 else 1e-15
    )


@pytest.mark.parametrize("weight", WEIGHTS)
def test_confusion_matrix(weight):
    t, p, w = codes(4), rng(8).integers(0, 4, N), weights(weight)
    expected = peer.confusion_matrix(t, p, sample_weight=w)
    np.testing.assert_allclose(metrics.confusion_matrix(t, p, weight=w), expected, rtol=1e-15)
    np.testing.assert_allclose(metrics.confusion_matrix(t, p, n_classes=4, weight=w), expected, rtol=1e-15)
    traced = jax.jit(lambda t, p: metrics.confusion_matrix(t, p, n_classes=4, weight=w))(t, p)
    np.testing.assert_allclose(traced, expected, rtol=1e-5)


def test_confusion_matrix_of_text_and_of_absent_classes():
    t, p = np.array(["b", "a", "c", "b"]), np.array(["b", "b", "c", "a"])
    np.testing.assert_array_equal(metrics.confusion_matrix(t, p), peer.confusion_matrix(t, p))
    matrix = metrics.confusion_matrix(np.array([0, 2]), np.array([0, 0]), n_classes=4)
    np.testing.assert_array_equal(matrix, peer.confusion_matrix([0, 2], [0, 0], labels=range(4)))
    assert matrix.dtype == np.int64


def test_accuracy_of_text():
    assert metrics.accuracy(np.array(["a", "b", "b"]), np.array(["a", "b", "c"])) == 2 / 3


y, p2, p3 = np.array([0, 1, 1]), np.array([0.1, 0.8, 0.7]), np.full((3, 3), 1 / 3)
REFUSED = {
    "lengths": (metrics.accuracy, (y, y[:2]), {}, "one row for each"),
    "no rows": (metrics.accuracy, (y[:0], y[:0]), {}, "at least one row"),
    "column against vector": (metrics.rmse, (p2, p2[:, None]), {}, "the same shape"),
    "column of labels": (metrics.accuracy, (y, y[:, None]), {}, r"shape \(n,\)"),
    "column of scores": (metrics.roc_auc, (y, p2[:, None]), {}, r"scores\[:, 0\]"),
    "NaN prediction": (metrics.mae, (p2, np.array([1, np.nan, 2])), {}, "row 2 of 3"),
    "infinite target": (metrics.r2, (np.array([1, 2, np.inf]), p2), {}, "row 3 of 3"),
    "negative weight": (metrics.accuracy, (y, y), {"weight": np.array([1, -1, 1])}, "≥ 0"),
    "no weight": (metrics.accuracy, (y, y), {"weight": np.zeros(3)}, "not all zero"),
    "length of weight": (metrics.accuracy, (y, y), {"weight": np.ones(2)}, r"\(3,\)"),
    "class out of range": (metrics.log_loss, (np.array([0, 1, 3]), p3), {}, "0 … 2"),
    "class between": (metrics.brier, (np.array([0, 1, 0.5]), p2), {}, "0 … 1"),
    "text for codes": (metrics.log_loss, (np.array(["a", "b", "c"]), p3), {}, "encode"),
    "above one": (metrics.log_loss, (y, p2 + 0.5), {}, r"\[0, 1\]"),
    "logits": (metrics.brier, (y, p3 * 0.9), {}, "add up to 1"),
    "one class": (metrics.roc_auc, (np.ones(3, int), p2), {}, "class 0 has none"),
    "one class with weight": (metrics.roc_auc, (y, p2), {"weight": np.array([0, 1, 1])}, "class 0 has none"),
    "k of all": (metrics.top_k_accuracy, (y, p3), {"k": 3}, "below"),
    "k of none": (metrics.top_k_accuracy, (y, p3), {"k": 0}, "≥ 1"),
    "negative count": (metrics.poisson_deviance, (y - 1.0, p2), {}, "targets ≥ 0"),
    "a rate of 0": (metrics.poisson_deviance, (y, p2 * 0), {}, "predictions > 0"),
    "one row": (metrics.r2, (p2[:1], p2[:1]), {}, "two rows"),
    "confusion out of range": (metrics.confusion_matrix, (y, y + 1), {"n_classes": 2}, "0 … 1"),
}


@pytest.mark.parametrize(
    ("case", "namespace"),
    [(case, namespace) for case in REFUSED for namespace in (np, jnp) if (case, namespace) != ("text for codes", jnp)],
)
def test_refuses(case, namespace):
    metric, arguments, words, told = REFUSED[case]
    with pytest.raises(ValueError, match=told):
        metric(*map(namespace.asarray, arguments), **words)


def test_confusion_matrix_inside_jit_asks_for_the_number_of_classes():
    with pytest.raises(ValueError, match="n_classes"):
        jax.jit(metrics.confusion_matrix)(y, y)


LOGITS = rng(9).normal(size=(N, 5))
CLASS_METRICS = ["accuracy", "top_k_accuracy", "log_loss", "brier", "roc_auc"]


@pytest.mark.parametrize("name", CLASS_METRICS)
@pytest.mark.parametrize("one_hot", [False, True])
def test_of_logits(name, one_hot, x64):
    t = codes(5)
    softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    predictions = LOGITS.argmax(axis=1) if name == "accuracy" else softmax
    expected = getattr(metrics, name)(t, predictions)
    targets = np.eye(5)[t] if one_hot else t
    result = jax.jit(metrics.from_outputs(name))(LOGITS, targets)
    np.testing.assert_allclose(result, expected, rtol=1e-13)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
@pytest.mark.parametrize("name", [name for name in CLASS_METRICS if name != "top_k_accuracy"])
def test_of_one_logit(name, shape, x64):
    t, logit = codes(2), LOGITS[:, 0]
    predictions = (logit > 0).astype(int) if name == "accuracy" else 1 / (1 + np.exp(-logit))
    expected = getattr(metrics, name)(t, predictions)
    result = jax.jit(metrics.from_outputs(name))(logit.reshape(shape), t.astype(float).reshape(shape))
    np.testing.assert_allclose(result, expected, rtol=1e-13)


@pytest.mark.parametrize("name", OF_NUMBERS)
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_of_numbers(name, columns, x64):
    targets, outputs = numbers(columns)
    result = jax.jit(metrics.from_outputs(name))(outputs, targets)
    np.testing.assert_allclose(result, getattr(metrics, name)(targets, outputs), rtol=1e-13)


@pytest.mark.parametrize("columns", [None, 1, 3])
def test_of_logarithms_of_rates(columns, x64):
    targets, rates = counts(columns)
    result = jax.jit(metrics.from_outputs("poisson_deviance"))(np.log(rates), targets)
    np.testing.assert_allclose(result, metrics.poisson_deviance(targets, rates), rtol=1e-13)


@pytest.mark.by_default("nan-*")
@pytest.mark.parametrize("name", sorted(metrics.HIGHER_IS_BETTER))
@pytest.mark.parametrize("padding", [0.0, np.nan, 1e30])
def test_rows_of_weight_zero_do_not_count(name, padding):
    targets, outputs = numbers() if name in OF_NUMBERS else (codes(5), LOGITS)
    if name == "poisson_deviance":
        targets, outputs = counts()[0], np.log(counts()[1])
    measure = jax.jit(metrics.from_outputs(name))
    extra = np.full((7, *outputs.shape[1:]), padding)
    padded = measure(
        np.concatenate([outputs, extra]),
        np.concatenate([targets, np.zeros(7, targets.dtype)]),
        np.concatenate([np.ones(N), np.zeros(7)]),
    )
    np.testing.assert_allclose(padded, measure(outputs, targets), rtol=2e-6)  # float32, another order of the sums


def test_confident_mistakes_cost_their_logit():
    outputs = np.array([[200.0, 0.0], [0.0, 50.0]], np.float32)
    assert metrics.from_outputs("log_loss")(outputs, np.array([1, 1])) == 100.0


@pytest.mark.parametrize("name", sorted(metrics.HIGHER_IS_BETTER))
def test_the_better_prediction_scores_better(name):
    better = rng(10).normal(size=(N, 3))
    targets = better.argmax(axis=1)
    if name in OF_NUMBERS:
        targets = better * 1.1
    if name == "poisson_deviance":
        targets = np.exp(better)
    worse = better + rng(11).normal(size=better.shape)
    measure = metrics.from_outputs(name)
    gain = measure(better, targets) - measure(worse, targets)
    assert (gain > 0) == metrics.HIGHER_IS_BETTER[name]


def test_unknown_name_offers_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
        metrics.from_outputs("acuracy")


def test_a_probability_may_be_a_rounding_above_1():
    one = np.float32(1) + np.finfo(np.float32).eps
    assert abs(float(metrics.log_loss([0], np.array([[one, 0]], np.float32)))) < 1e-6
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        metrics.log_loss([0], np.array([[1.00001, 0]], np.float32))
