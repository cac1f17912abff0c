"""The books of a run: `best_params` have the score that is reported, and what went wrong is named."""

import os
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import losses, metrics, mlp, optimisers, training
from jaxnn.objective import Objective, l2
from jaxnn.training import host_loop
from tests import pairwise

KEY = jax.random.key(0)
fit = partial(training.fit, progress=False, key=KEY)


def dropped(params, x, key=None):
    return mlp.apply(params, x, activation=jnp.tanh, dropout=0.3, key=key)


REGRESSION = Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error)
PENALISED = Objective(dropped, losses.squared_error, l2(0.05))
PARAMS = mlp.init(jax.random.key(1), (3, 8, 1))


def numbers(n=50, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return x, (np.sin(2 * x.sum(axis=1, keepdims=True)) + 0.3 * rng.normal(size=(n, 1))).astype(np.float32)


def weighted(n=50):
    return *numbers(n), np.random.default_rng(3).exponential(size=n)


def rmse(objective, params, data):
    return metrics.rmse(np.asarray(data[1])[:, 0], np.asarray(objective.outputs(params, data[0]))[:, 0])


# The law: what `best_params` are worth, evaluated by the caller, is `best_score` --------------------------------------

MONITORED = {  # words for fit, and what the score is a value of
    "nothing": ({}, lambda objective, params, held_out: objective(params, numbers())),
    "nothing, weighted": ({"data": weighted()}, lambda objective, params, held_out: objective(params, weighted())),
    "patience": ({"patience": 4}, lambda objective, params, held_out: objective(params, numbers())),
    "loss": ({"monitor": "loss"}, lambda objective, params, held_out: objective(params, numbers())),
    "loss beside a validation set": (
        {"monitor": "loss", "validation": numbers(20, 1)},
        lambda objective, params, held_out: objective(params, numbers()),
    ),
    "validation": (
        {"validation": numbers(20, 1), "patience": 4},
        lambda objective, params, held_out: objective.mean_loss(params, held_out),
    ),
    "metric": (
        {"validation": numbers(20, 1), "metrics": ["rmse"], "monitor": "rmse"},
        lambda objective, params, held_out: rmse(objective, params, held_out),
    ),
    "metric of the training set": (
        {"metrics": ["rmse"], "monitor": "rmse"},
        lambda objective, params, held_out: rmse(objective, params, numbers()),
    ),
}
RULES = {
    "steady": lambda: optimisers.adam(1e-2),
    "too high": lambda: optimisers.sgd(0.7),
    "accumulated": lambda: optimisers.accumulate(optimisers.adam(3e-2), steps=3),
}


OBJECTIVES = {"plain": REGRESSION, "penalty and dropout": PENALISED}
DEFAULTS = [
    ("plain", "too high", 8, "nothing"),
    ("penalty and dropout", "too high", 8, "nothing"),
    ("penalty and dropout", "too high", 50, "nothing"),
    ("plain", "too high", 50, "patience"),
    ("plain", "accumulated", 50, "patience"),
    ("plain", "steady", 50, "patience"),
    ("plain", "steady", 8, "metric"),
    ("penalty and dropout", "steady", 8, "metric"),
]


@pytest.mark.parametrize(
    ("objective", "rule", "batch_size", "monitored"),
    [
        pytest.param(*case, marks=[] if case in DEFAULTS else [pytest.mark.slow])
        for case in pairwise.cases(list(OBJECTIVES), list(RULES), [8, 50], list(MONITORED), also=DEFAULTS)
    ],
)
def test_the_best_parameters_have_the_score_that_is_told(objective, rule, batch_size, monitored):
    objective = OBJECTIVES[objective]
    words, score_of = MONITORED[monitored]
    words = {"data": numbers()} | words
    result = fit(objective, RULES[rule](), PARAMS, **words, epochs=12, batch_size=batch_size)
    assert 1 <= result.best_epoch <= len(result.history.loss)
    expected = score_of(objective, result.best_params, numbers(20, 1))
    np.testing.assert_allclose(
        result.best_score, expected, rtol=1e-5
    )  # float32: another program adds up in other order


@pytest.mark.parametrize("batch_size", [8, 50])
def test_what_is_monitored_is_measured_at_each_epochs_end(batch_size):
    ends = {}  # an epoch that a rollback has undone is written over
    data = numbers()
    result = fit(REGRESSION, optimisers.sgd(0.7), PARAMS, data, epochs=12, batch_size=batch_size, monitor="loss",
                 hooks=[lambda epoch: ends.update({epoch.epoch: float(REGRESSION(epoch.params, data))})])  # fmt: skip
    ends = [ends[epoch + 1] for epoch in range(12)]
    np.testing.assert_allclose(result.history.training_loss, ends, rtol=1e-5)
    assert result.best_epoch == int(np.argmin(ends)) + 1
    np.testing.assert_allclose(result.best_score, min(ends), rtol=1e-5)


def test_with_full_batches_the_best_costs_nothing_and_is_exact(x64):
    """J of each epoch's end is known: the history has it as the next one's loss; the last is measured."""
    data, params = numbers(), jax.tree.map(lambda leaf: leaf.astype(jnp.float64), PARAMS)
    for rate in (0.05, 0.7, 2.0):
        result = fit(REGRESSION, optimisers.sgd(rate), params, data, epochs=15, batch_size=50)
        ends = [*result.history.loss[1:], float(REGRESSION(result.params, data))]
        assert result.best_epoch == int(np.argmin(ends)) + 1
        np.testing.assert_allclose([result.best_score, REGRESSION(result.best_params, data)], min(ends), rtol=1e-12)
        assert result.history.training_loss is None


def test_one_epoch_is_enough_to_have_a_best_one():
    result = fit(REGRESSION, optimisers.sgd(0.01), PARAMS, numbers(), epochs=1, batch_size=50)
    assert result.best_epoch == 1
    jax.tree.map(np.testing.assert_array_equal, result.best_params, result.params)


def falling(theta, batch):
    """Finite on whole numbers up to 5, and the lower the larger; half a step further and it is nan."""
    whole = (theta == jnp.round(theta)) & (theta <= 5)
    return jnp.where(whole, 0.0, jnp.nan) - theta + 0 * batch[0].mean()


@pytest.mark.by_default("8-words2")
@pytest.mark.parametrize("words", [{}, {"monitor": "loss"}, {"validation": (np.zeros(3), np.zeros(3))}])
@pytest.mark.parametrize("batch_size", [4, 8])
def test_after_a_rollback_the_best_parameters_have_their_score(batch_size, words):
    """The run ends where every step leads to a nan, and goes back beyond the epoch that was the best."""
    result = fit(falling, optimisers.sgd(1.0), jnp.zeros(()), (np.zeros(8), np.zeros(8)), epochs=9,
                 batch_size=batch_size, **words)  # fmt: skip
    assert "became non-finite" in result.stop
    assert 0 < result.best_epoch <= len(result.history.loss)
    assert float(result.best_params) == result.best_epoch * 8 / batch_size  # a step adds 1
    assert result.best_score == float(falling(result.best_params, (np.zeros(8),)))


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("calls", [1, 10])
def test_interrupted_before_or_after_an_epoch_the_score_is_of_what_is_handed_out(monkeypatch, calls):
    monkeypatch.setattr(host_loop, "CALL_SECONDS", 0.0)  # one step a call, seven an epoch
    monkeypatch.setattr(host_loop, "FIRST_FLOPS", 0)
    made, advance = [], host_loop.advance

    def interrupted(*arguments):
        made.append(None)
        if len(made) == calls:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(*arguments)

    monkeypatch.setattr(host_loop, "advance", interrupted)
    data = numbers()
    result = fit(REGRESSION, optimisers.adam(1e-2), PARAMS, data, epochs=3, batch_size=8)
    assert result.interrupted == "SIGTERM"
    assert result.best_epoch == (calls > 7)
    np.testing.assert_allclose(result.best_score, REGRESSION(result.best_params, data), rtol=1e-5)


@pytest.mark.by_default("words1")
@pytest.mark.rounding
@pytest.mark.parametrize("words", [{}, {"monitor": "loss"}])
def test_a_resumed_run_has_the_same_best(tmp_path, monkeypatch, words):
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 0.0)
    optimiser = optimisers.sgd(0.7)
    settings = {"batch_size": 50, **words}
    whole = fit(REGRESSION, optimiser, PARAMS, weighted(), epochs=12, **settings)
    for epochs in (3, 7, 12):
        parts = fit(
            REGRESSION, optimiser, PARAMS, weighted(), epochs=epochs, checkpoint=tmp_path, resume=True, **settings
        )
    assert (parts.best_epoch, parts.best_score) == (whole.best_epoch, whole.best_score)
    jax.tree.map(np.testing.assert_array_equal, parts.best_params, whole.best_params)


def test_a_plain_function_that_insists_on_a_key_is_handed_one():
    keyed = lambda theta, batch, *, key: jnp.mean((theta - batch[0]) ** 2) + 0 * jax.random.uniform(key)
    result = fit(
        keyed, optimisers.sgd(0.1), jnp.ones(()), (np.zeros(8), np.zeros(8)), epochs=3, batch_size=4, patience=2
    )
    np.testing.assert_allclose(result.best_score, float(result.best_params) ** 2, rtol=1e-6)


# Scores that are not defined ------------------------------------------------------------------------------------------


def classes(n=60, positives=3):
    rng = np.random.default_rng(0)
    y = (np.arange(n) < positives).astype(int)
    return rng.normal(size=(n, 2)), y


CLASSIFICATION = Objective(mlp.apply, losses.softmax_cross_entropy)
LOGISTIC = Objective(mlp.apply, losses.sigmoid_cross_entropy)
TWO, ONE = mlp.init(KEY, (2, 2)), mlp.init(KEY, (2, 1))


@pytest.mark.slow
@pytest.mark.parametrize("params", [TWO, ONE], ids=["two logits", "one logit"])
def test_a_metric_without_a_class_is_refused_as_a_score_and_told_otherwise(params):
    x, y = classes()
    objective, targets = (CLASSIFICATION, y) if params is TWO else (LOGISTIC, y[:, None].astype(float))
    words = {"epochs": 3, "batch_size": 16, "validation": (x[10:], targets[10:]), "metrics": ["roc_auc"]}
    message = r"monitor='roc_auc' is undefined on the validation set: it needs .* there are none .* of class 1"
    with pytest.raises(ValueError, match=message):
        fit(objective, optimisers.adam(0.1), params, (x, targets), **words, monitor="roc_auc", patience=2)
    result = fit(objective, optimisers.adam(0.1), params, (x, targets), **words)
    assert np.isnan(result.history.metrics["roc_auc"]).all()
    assert [note.split(":")[0] for note in result.notes] == [
        "roc_auc is undefined on the validation set, so it is nan in the history"
    ]
    both = fit(objective, optimisers.adam(0.1), params, (x, targets), **words | {"validation": 0.3}, monitor="roc_auc")
    assert both.notes == ()
    assert both.best_score == np.max(both.history.metrics["roc_auc"])


def test_an_undefined_score_uses_up_no_patience():
    def late(outputs, targets, weight):
        """nan until the first logit's bias has moved by 0.05; then falling."""
        return jnp.where(outputs[0, 0] < 0.05, jnp.nan, -outputs[0, 0])

    data = (np.zeros((8, 2)), np.zeros(8, int))
    result = fit(CLASSIFICATION, optimisers.adam(1e-2), mlp.init(KEY, (2, 2)), data, epochs=20, batch_size=8,
                 metrics=[late], monitor="late", higher_is_better=False, patience=2)  # fmt: skip
    assert result.stop == "all 20 epochs done"
    assert result.best_epoch == 20
    assert np.isnan(result.history.metrics["late"][:3]).all()


# The validation part of a fraction ------------------------------------------------------------------------------------

STILL = optimisers.sgd(0.0)
TARGETS = {
    "codes": lambda codes: codes,
    "one-hot": lambda codes: np.eye(3)[codes],
}


@pytest.mark.by_default("codes")
@pytest.mark.parametrize("kind", TARGETS)
def test_a_fraction_holds_out_its_share_of_every_class(kind):
    """Of 90, 8 and 2 rows a fifth: 18 ± 1, 2 ± 1 and 1, whatever the key."""
    codes = np.repeat([0, 1, 2], [90, 8, 2])
    data = np.zeros((100, 1)), TARGETS[kind](codes)
    held_out = []

    def keep(outputs, targets, weight):
        held_out.append(np.array(targets))  # which JAX cannot trace: it is called with the validation rows
        return 0.0

    for seed in range(20):
        fit(CLASSIFICATION, STILL, mlp.init(KEY, (1, 3)), data, epochs=1, batch_size=100, key=jax.random.key(seed),
            validation=0.2, metrics=[keep])  # fmt: skip
        found = held_out[-1] if kind == "codes" else held_out[-1].argmax(axis=1)
        counts = np.bincount(found, minlength=3)
        assert counts.sum() == 20
        assert (np.abs(counts - [18, 2, 1]) <= [1, 1, 0]).all()


def test_classes_with_too_few_rows_are_named():
    codes = np.repeat([0, 1, 2], [30, 29, 1])
    data = np.zeros((60, 1)), codes
    result = fit(
        CLASSIFICATION, optimisers.sgd(0.1), mlp.init(KEY, (1, 3)), data, epochs=1, batch_size=8, validation=0.2
    )
    assert len(result.notes) == 1
    assert result.notes[0].startswith(
        "validation=0.2 leaves no validation rows of class 2 (1 row), so nothing is known"
    )
    assert np.isfinite(result.history.validation_loss).all()


def test_numbers_and_counts_of_all_kinds_are_split_at_random():
    for targets in (np.linspace(0, 1, 40)[:, None], np.arange(40)[:, None]):
        data = np.zeros((40, 1)), targets
        objective = Objective(mlp.apply, losses.squared_error)
        result = fit(
            objective, optimisers.sgd(0.0), mlp.init(KEY, (1, 1)), data, epochs=1, batch_size=8, validation=0.9
        )
        assert result.notes == ()
        assert int(result.state.step) == 1  # four rows are left


# Gradients that are nan -----------------------------------------------------------------------------------------------


def norm_of_a_bias(params, batch):
    return REGRESSION(params, batch) + 0.1 * jnp.sqrt(jnp.sum(params[1].b ** 2))  # which starts at 0


def test_a_nan_gradient_of_a_finite_loss_is_named():
    result = fit(norm_of_a_bias, optimisers.adam(1e-2), PARAMS, numbers(), epochs=3, batch_size=8)
    assert result.stop.startswith("the gradient became nan in params[1].b, at a finite loss of ")
    assert "so the learning rate is not the cause" in result.stop
    assert result.reason == "not_finite_at_start"
    assert "J has no derivative there" in result.stop
    assert "\n" not in result.stop
    jax.tree.map(np.testing.assert_array_equal, result.params, PARAMS)
    assert result.best_epoch == 0
    np.testing.assert_allclose(result.best_score, norm_of_a_bias(PARAMS, numbers()), rtol=1e-5)


def test_a_nan_gradient_on_the_way_is_named_in_the_notes():
    """√θ² from 1 at a rate of 0.5 meets 0 after two steps, and at half of it after four."""
    distance = lambda theta, batch: jnp.sqrt(theta["there"] ** 2) + 0 * batch[0].mean()
    result = fit(
        distance, optimisers.sgd(0.5), {"there": jnp.ones(())}, (np.zeros(8), np.zeros(8)), epochs=400, batch_size=4
    )
    assert result.notes[0].startswith("The gradient became nan in params['there'], at a finite loss of 0, in epoch 2")
    assert all("J has no derivative there" in note for note in result.notes)
    assert "J has no derivative there" in result.stop or result.stop == "all 400 epochs done"


def test_an_infinite_gradient_is_named_as_such():
    root = lambda theta, batch: jnp.sqrt(theta) + 0 * batch[0].mean()  # of slope 1 / (2 √0) = ∞
    result = fit(root, optimisers.sgd(1e-3), jnp.zeros(()), (np.zeros(8), np.zeros(8)), epochs=3, batch_size=8)
    assert result.stop.startswith("the gradient became infinite in params, at a finite loss of 0")
    assert "the slope of J is unbounded there" in result.stop


def test_a_first_step_that_overflows_is_tried_at_lower_rates():
    """From -3e38 a step of 1e38 is beyond float32, half of it too, and a quarter is not."""
    line = lambda theta, batch: theta + 0 * batch[0].mean()
    data = (np.zeros(1), np.zeros(1))
    result = fit(line, optimisers.sgd(1e38), jnp.asarray(-3e38), data, epochs=1, batch_size=1)
    assert len(result.notes) == 2
    assert result.notes[0].startswith(
        "The step, not the gradient, made the parameters non-finite in epoch 1. The run returned to"
    )
    assert result.stop == "all 1 epoch done"


def test_diagnose_names_the_gradient_and_the_parameter():
    found = training.diagnose(norm_of_a_bias, PARAMS, numbers(), activation=jnp.tanh)
    assert found.findings[0].symptom == "a gradient that is nan"
    assert "nan in params[1].b" in found.findings[0].evidence
    assert "J has no derivative there" in found.findings[0].remedy
