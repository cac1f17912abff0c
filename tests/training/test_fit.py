"""`fit`: equal to a loop written by hand, kept whole through divergence, interruption and resumption."""

import json
import math
import os
import signal
import threading
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import accuracy_score, f1_score

from jaxnn import losses, mlp, optimisers, training
from jaxnn.objective import Objective, l2
from jaxnn.training import host_loop as fit_module

fit = partial(training.fit, progress=False)
KEY = jax.random.key(0)


def numbers(n=50, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, np.sin(x.sum(axis=1, keepdims=True))


def classes(n=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 2)) + 2.0 * np.eye(3)[y][:, :2], y


REGRESSION = Objective(partial(mlp.apply, activation=jnp.tanh), losses.squared_error)
CLASSIFICATION = Objective(mlp.apply, losses.softmax_cross_entropy)
ADAM = optimisers.adam(1e-2)


def network(*sizes, seed=1):
    return mlp.init(jax.random.key(seed), sizes)


def by_hand(objective, optimiser, params, data, *, epochs, batch_size, key):
    """The loop that the documentation promises: order, whole batches, the short one, with nothing compiled together."""
    data = tuple(jnp.asarray(part) for part in data)
    n = len(data[0])
    state, losses_per_epoch = training.init(optimiser, params), []
    step = jax.jit(training.step(objective, optimiser))
    for epoch in range(epochs):
        order = np.asarray(training.order(key, epoch, n))
        total = 0.0
        for first in range(0, n, batch_size):
            rows = order[first : first + batch_size]
            state, info = step(state, tuple(part[rows] for part in data))
            total += len(rows) * float(info.loss)
        losses_per_epoch.append(total / n)
    return state, losses_per_epoch


@pytest.mark.by_default("short last batch")
@pytest.mark.parametrize("batch_size", [8, 10, 50, 64], ids=["short last batch", "even", "full", "more than rows"])
def test_fit_is_the_loop_by_hand(batch_size, x64):
    data, params = numbers(), network(3, 8, 1)
    result = fit(REGRESSION, ADAM, params, data, epochs=4, batch_size=batch_size, key=KEY)
    expected, expected_losses = by_hand(REGRESSION, ADAM, params, data, epochs=4, batch_size=batch_size, key=KEY)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-10), result.params, expected.params)
    np.testing.assert_allclose(result.history.loss, expected_losses, rtol=1e-10)
    assert result.state.step == expected.step
    assert (result.stop, result.reason) == ("all 4 epochs done", "epochs")


def test_any_function_and_any_optimiser(x64):
    data, params = numbers(), network(3, 4, 1)
    plain = lambda params, batch: REGRESSION(params, batch)
    ours = fit(REGRESSION, ADAM, params, data, epochs=3, batch_size=8, key=KEY)
    theirs = fit(plain, optax.adam(1e-2), params, data, epochs=3, batch_size=8, key=KEY, validation=data)
    np.testing.assert_allclose(ours.history.loss, theirs.history.loss, rtol=1e-10)
    np.testing.assert_allclose(theirs.history.validation_loss[-1], REGRESSION(theirs.params, data), rtol=1e-10)
    searching = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=12))
    searched = fit(REGRESSION, searching, params, data, epochs=20, batch_size=50, key=KEY)
    assert searched.history.loss[-1] < 0.5 * searched.history.loss[0]


def test_the_callers_parameters_and_data_survive():
    data, params = numbers(), network(3, 4, 1)
    before = jax.tree.map(np.array, params)
    fit(REGRESSION, ADAM, params, data, epochs=2, batch_size=8, key=KEY)
    fit(REGRESSION, ADAM, params, data, epochs=2, batch_size=8, key=KEY)
    jax.tree.map(np.testing.assert_array_equal, params, before)


@pytest.mark.rounding
def test_the_bits_do_not_depend_on_how_the_run_is_cut_into_calls(monkeypatch):
    data, params = numbers(), network(3, 8, 1)
    whole = fit(REGRESSION, ADAM, params, data, epochs=5, batch_size=8, key=KEY)
    monkeypatch.setattr(fit_module, "CALL_SECONDS", 0.0)  # one step per call
    monkeypatch.setattr(fit_module, "FIRST_FLOPS", 0)
    cut = fit(REGRESSION, ADAM, params, data, epochs=5, batch_size=8, key=KEY)
    jax.tree.map(np.testing.assert_array_equal, whole.params, cut.params)
    np.testing.assert_array_equal(whole.history.loss, cut.history.loss)


def test_validation_metrics_and_the_best_parameters(x64):
    (x, y), params = classes(), network(2, 8, 3)
    train, held_out = (x[:40], y[:40]), (x[40:], y[40:])
    macro_f1 = lambda outputs, targets, weight: f1_score(targets, outputs.argmax(axis=1), average="macro")
    macro_f1.__name__ = "macro_f1"

    def error_rate(outputs, targets, weight):
        return jnp.mean(outputs.argmax(axis=1) != targets)

    result = fit(
        CLASSIFICATION, optimisers.adam(0.3), params, train, epochs=12, batch_size=16, key=KEY,
        validation=held_out, metrics=["accuracy", error_rate, macro_f1],
    )  # fmt: skip
    outputs = np.asarray(mlp.apply(result.params, jnp.asarray(held_out[0])))
    history = result.history
    np.testing.assert_allclose(
        history.metrics["accuracy"][-1], (outputs.argmax(axis=1) == held_out[1]).mean(), rtol=1e-12
    )
    np.testing.assert_allclose(
        history.metrics["error_rate"], 1 - history.metrics["accuracy"], rtol=1e-6
    )  # the mean of booleans is float32
    assert history.metrics["macro_f1"][-1] == f1_score(held_out[1], outputs.argmax(axis=1), average="macro")
    best = int(np.argmin(history.validation_loss))
    assert result.best_epoch == best + 1
    np.testing.assert_allclose(CLASSIFICATION(result.best_params, held_out), history.validation_loss[best], rtol=1e-12)


@pytest.mark.slow
def test_monitoring_a_metric_where_more_is_better():
    (x, y), params = classes(), network(2, 8, 3)
    result = fit(
        CLASSIFICATION, optimisers.adam(0.3), params, (x, y), epochs=12, batch_size=16, key=KEY,
        validation=0.3, metrics=["accuracy"], monitor="accuracy",
    )  # fmt: skip
    assert result.best_epoch == int(np.argmax(result.history.metrics["accuracy"])) + 1


def test_patience():
    (x, y), params = numbers(), network(3, 8, 1)
    rng = np.random.default_rng(1)
    noise = (rng.normal(size=(20, 3)), rng.normal(size=(20, 1)))  # nothing to learn for the validation set
    result = fit(REGRESSION, ADAM, params, (x, y), epochs=500, batch_size=8, key=KEY, validation=noise, patience=7)
    epochs = len(result.history.loss)
    assert epochs == result.best_epoch + 7 < 500
    assert result.stop == f"no improvement for 7 epochs: the best was epoch {result.best_epoch} of {epochs}"
    assert result.reason == "patience"
    patient = fit(
        REGRESSION, ADAM, params, (x, y), epochs=9, batch_size=8, key=KEY, validation=noise, patience=3, min_delta=1e9
    )
    assert patient.best_epoch == 1  # nothing improves on the first by so much
    assert len(patient.history.loss) == 4


def test_the_validation_loss_has_neither_penalty_nor_dropout(x64):
    data, params = numbers(), network(3, 8, 1)
    predict = lambda params, x, key=None: mlp.apply(params, x, activation=jnp.tanh, dropout=0.5, key=key)
    objective = Objective(predict, losses.squared_error, penalty=l2(10.0))
    result = fit(objective, ADAM, params, data, epochs=1, batch_size=50, key=KEY, validation=data)
    outputs = mlp.apply(result.params, jnp.asarray(data[0]), activation=jnp.tanh)
    np.testing.assert_allclose(
        result.history.validation_loss[0], losses.squared_error(outputs, data[1]).mean(), rtol=1e-12
    )
    assert result.history.loss[0] > 10  # the training loss has the penalty


def test_dropout_draws_anew_at_each_step():
    data = (np.ones((8, 4)), np.zeros((8, 1)))
    predict = lambda params, x, key=None: mlp.apply(params, x, dropout=(0.5,), key=key)
    result = fit(
        Objective(predict, losses.squared_error), optimisers.sgd(0.0), network(4, 1), data,
        epochs=6, batch_size=8, key=KEY,
    )  # fmt: skip
    assert len(set(result.history.loss.tolist())) == 6


def test_weights_and_class_weights(x64):
    (x, y), params = classes(30), network(2, 3)
    doubled = [*range(30), *np.flatnonzero(y == 1)]
    settings = {"epochs": 30, "batch_size": 64, "key": KEY}
    by_rows = fit(CLASSIFICATION, optimisers.sgd(0.5), params, (x[doubled], y[doubled]), **settings)
    by_class = fit(CLASSIFICATION, optimisers.sgd(0.5), params, (x, y), class_weight={1: 2.0}, **settings)
    by_weight = fit(CLASSIFICATION, optimisers.sgd(0.5), params, (x, y, 1.0 + (y == 1)), **settings)
    for other in (by_class, by_weight):
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9), by_rows.params, other.params)
    y[:15] = 0
    balanced = fit(CLASSIFICATION, optimisers.sgd(0.5), params, (x, y), class_weight="balanced", **settings)
    counts = np.bincount(y)
    named = fit(CLASSIFICATION, optimisers.sgd(0.5), params, (x, y, (30 / (3 * counts))[y]), **settings)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9), balanced.params, named.params)


def test_a_diverging_run_goes_back_and_on_at_half_the_rate():
    quadratic = lambda theta, batch: jnp.mean((1e3 * theta - batch[0]) ** 2)  # stable below a rate of 1e-6
    result = fit(
        quadratic, optimisers.sgd(1.1e-5), jnp.ones(()), (np.zeros(64), np.zeros(64)), epochs=30, batch_size=1, key=KEY
    )
    assert np.isfinite(result.history.loss).all()
    assert len(result.history.loss) == 30
    assert len(result.notes) == 4
    assert result.notes[0] == (
        "The loss became non-finite in epoch 1. The run returned to the end of epoch 0 and continues at 0.5 times the "
        "learning rate."
    )
    np.testing.assert_allclose(result.history.learning_rate[-1], 1.1e-5 / 16, rtol=1e-6)
    assert abs(result.params) < 1e-6


def test_a_run_that_always_diverges_ends_with_the_last_good_parameters():
    poison = lambda theta, batch: jnp.where(theta < 0.5, jnp.nan, theta)  # nan as soon as theta gets there
    result = fit(
        poison, optimisers.sgd(0.3), jnp.ones(()), (np.zeros(4), np.zeros(4)), epochs=400, batch_size=4, key=KEY
    )
    assert "became non-finite" in result.stop
    assert "Lower the learning rate" in result.stop
    assert result.reason == "diverged"
    assert len(result.notes) == fit_module.RETRIES
    assert float(result.params) >= 0.5
    assert np.isfinite(result.history.loss).all()
    assert len(result.history.loss) == int(result.stop.split("those of epoch ")[1].split(".")[0])


def test_hooks_see_every_epoch_and_may_end_the_run():
    data, params = numbers(), network(3, 4, 1)
    told = []

    def hook(epoch):
        told.append(epoch)
        return epoch.epoch == 3

    result = fit(REGRESSION, ADAM, params, data, epochs=10, batch_size=8, key=KEY, hooks=[hook])
    assert [epoch.epoch for epoch in told] == [1, 2, 3]
    assert (result.stop, result.reason) == ("a hook ended the run after 3 epochs", "hook")
    np.testing.assert_allclose([epoch.values["loss"] for epoch in told], result.history.loss)
    jax.tree.map(np.testing.assert_array_equal, told[-1].params, result.params)
    assert not np.array_equal(told[0].params[0].w, told[1].params[0].w)  # each hook keeps what it was given


def test_history_as_lines_of_json(tmp_path):
    file = tmp_path / "history.jsonl"
    result = fit(
        REGRESSION, optax.sgd(0.01), network(3, 1), numbers(), epochs=3, batch_size=8, key=KEY, history_file=file
    )
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    np.testing.assert_array_equal([row["loss"] for row in rows], result.history.loss)
    assert all(row["learning_rate"] is None for row in rows)  # optax's sgd does not tell
    assert (np.diff([row["seconds"] for row in rows]) > 0).all()
    assert result.history.validation_loss is None


# Interruption and resumption


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_what_it_has_learnt(number):
    data, params = numbers(2000), network(3, 32, 1)
    fit(REGRESSION, ADAM, params, data, epochs=1, batch_size=8, key=KEY)  # compiled: the signal meets a running loop
    sent = []

    def send():
        sent.append(time.monotonic())
        os.kill(os.getpid(), number)

    timer = threading.Timer(0.5, send)
    timer.start()
    result = fit(REGRESSION, ADAM, params, data, epochs=20_000, batch_size=8, key=KEY)  # a minute, if nothing ends it
    answered = time.monotonic() - sent[0]
    assert result.stop.startswith(f"interrupted by {signal.Signals(number).name}")
    assert result.reason == "interrupted"
    assert answered < 2.0  # half a second on an idle machine; this one may be busy
    assert len(result.history.loss) > 1
    assert result.history.loss[-1] < result.history.loss[0]


@pytest.mark.usefixtures("in_the_background")
def test_in_the_background_sigterm_alone_ends_the_run():
    send = lambda epoch: os.kill(os.getpid(), {2: signal.SIGINT, 4: signal.SIGTERM}.get(epoch.epoch, 0))  # 0: nothing
    result = fit(REGRESSION, ADAM, network(3, 1), numbers(), epochs=9, batch_size=8, key=KEY, hooks=[send])
    assert result.stop == "interrupted by SIGTERM after 4 epochs"
    assert len(result.history.loss) == 4
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("where", ["in_the_foreground", "in_the_background"])
def test_signals_are_given_back(where, request):
    request.getfixturevalue(where)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    fit(REGRESSION, ADAM, network(3, 1), numbers(), epochs=1, batch_size=8, key=KEY)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.slow
@pytest.mark.rounding
def test_threads_train_alike():
    data, params = numbers(), network(3, 8, 1)
    alone = fit(REGRESSION, ADAM, params, data, epochs=5, batch_size=8, key=KEY)
    results = [None] * 4

    def work(i):
        results[i] = fit(REGRESSION, ADAM, params, data, epochs=5, batch_size=8, key=KEY)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for result in results:
        jax.tree.map(np.testing.assert_array_equal, result.params, alone.params)


@pytest.mark.by_default("ours")
@pytest.mark.rounding
@pytest.mark.parametrize("optimiser", [ADAM, optax.adamw(1e-2)], ids=["ours", "optax"])
def test_resumed_after_any_epoch_the_bits_are_the_same(tmp_path, optimiser, monkeypatch):
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 0.0)
    data, params = numbers(), network(3, 8, 1)
    predict = lambda params, x, key=None: mlp.apply(params, x, dropout=0.2, key=key)
    objective = Objective(predict, losses.squared_error)
    settings = {"batch_size": 8, "key": KEY, "validation": 0.2, "metrics": ["rmse"], "checkpoint": tmp_path}
    whole = fit(objective, optimiser, params, data, epochs=6, **{**settings, "checkpoint": None})
    for epochs in (2, 3, 6):
        parts = fit(objective, optimiser, params, data, epochs=epochs, resume=True, **settings)
    jax.tree.map(np.testing.assert_array_equal, parts.params, whole.params)
    jax.tree.map(np.testing.assert_array_equal, parts.best_params, whole.best_params)
    np.testing.assert_array_equal(parts.history.loss, whole.history.loss)
    np.testing.assert_array_equal(parts.history.metrics["rmse"], whole.history.metrics["rmse"])
    assert parts.best_epoch == whole.best_epoch


@pytest.mark.slow
@pytest.mark.rounding
def test_a_stalled_run_goes_on_with_more_patience(tmp_path):
    data, params = numbers(), network(3, 8, 1)
    settings = {"epochs": 30, "batch_size": 8, "key": KEY, "min_delta": 1e9, "checkpoint": tmp_path}
    short = fit(REGRESSION, ADAM, params, data, patience=3, **settings)
    assert short.stop == "no improvement for 3 epochs: the best was epoch 1 of 4"
    again = fit(REGRESSION, ADAM, params, data, patience=3, resume=True, **settings)
    assert again.stop == short.stop
    longer = fit(REGRESSION, ADAM, params, data, patience=6, resume=True, **settings)
    assert longer.stop == "no improvement for 6 epochs: the best was epoch 1 of 7"
    whole = fit(REGRESSION, ADAM, params, data, **{**settings, "checkpoint": None}, patience=6)
    jax.tree.map(np.testing.assert_array_equal, longer.params, whole.params)


@pytest.mark.slow
@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.rounding
def test_resumed_in_the_middle_of_an_epoch_the_bits_are_the_same(tmp_path, monkeypatch):
    data, params = numbers(), network(3, 8, 1)
    whole = fit(REGRESSION, ADAM, params, data, epochs=3, batch_size=4, key=KEY)
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 0.0)
    monkeypatch.setattr(fit_module, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(fit_module, "FIRST_FLOPS", 0)
    calls = []
    advance = fit_module.advance

    def stopping(*args):
        calls.append(None)
        if len(calls) == 18:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(*args)

    monkeypatch.setattr(fit_module, "advance", stopping)
    settings = {"epochs": 3, "batch_size": 4, "key": KEY, "checkpoint": tmp_path}
    stopped = fit(REGRESSION, ADAM, params, data, **settings)
    assert stopped.stop == "interrupted by SIGTERM after 1 epoch"
    assert stopped.state.step == 19  # twelve whole batches and the short one, then six
    resumed = fit(REGRESSION, ADAM, params, data, resume=True, **settings)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)
    np.testing.assert_array_equal(resumed.history.loss, whole.history.loss)


@pytest.mark.slow
def test_another_run_is_not_resumed(tmp_path):
    (x, y), params = numbers(), network(3, 4, 1)
    settings = {"epochs": 2, "batch_size": 8, "key": KEY, "checkpoint": tmp_path}
    fit(REGRESSION, ADAM, params, (x, y), **settings)
    with pytest.raises(ValueError, match="already contains checkpoints: pass resume=True"):
        fit(REGRESSION, ADAM, params, (x, y), **settings)
    for changed, message in (
        ({"batch_size": 16}, "batch size differs .8 in the checkpoint, 16 in this run."),
        ({"key": jax.random.key(9)}, "key differs"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(REGRESSION, ADAM, params, (x, y), resume=True, **(settings | changed))
    with pytest.raises(ValueError, match="its data differs"):
        fit(REGRESSION, ADAM, params, (x + 1, y), resume=True, **settings)
    with pytest.raises(ValueError, match="another network or optimiser"):
        fit(REGRESSION, optimisers.sgd(0.1), params, (x, y), resume=True, **settings)
    with pytest.raises(ValueError, match="another network or optimiser"):
        fit(REGRESSION, ADAM, network(3, 5, 1), (x, y), resume=True, **settings)


def test_a_full_disk_does_not_stop_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 0.0)
    data, params = numbers(), network(3, 4, 1)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxnn.training.checkpoint_files.write_numbered", full)
    result = fit(REGRESSION, ADAM, params, data, epochs=3, batch_size=8, key=KEY, checkpoint=tmp_path)
    assert result.stop == "all 3 epochs done"
    assert len(result.notes) == 1
    assert "training continues without it: [Errno 28] No space left" in result.notes[0]


# Bad input


def refused(error, match, *, data=None, objective=CLASSIFICATION, params=None, **settings):
    with pytest.raises(error, match=match):
        fit(
            objective, ADAM, network(2, 4, 3) if params is None else params, classes() if data is None else data,
            **({"epochs": 1, "batch_size": 8, "key": KEY} | settings),
        )  # fmt: skip


def test_wrong_data_are_refused_before_training(tmp_path):
    x, y = classes()
    bad = x.copy()
    bad[7, 1] = np.nan
    refused(ValueError, r"inputs of the training set contain nan in row 7, column 1", data=(bad, y))
    refused(ValueError, r"same number of rows, got \[60, 59\]", data=(x, y[:-1]))
    refused(ValueError, r"training set has no rows", data=(x[:0], y[:0]))
    refused(ValueError, r"The label 3 in row 2 is outside \[0, 3\)", data=(x, y + 1))
    refused(TypeError, r"integer class labels, got float", data=(x, y + 0.5))
    refused(TypeError, r"targets of the training set must be numbers, got <U", data=(x, y.astype(str)))
    refused(ValueError, r"x must have shape \(..., 2\) for layer 0, got \(60, 1\)", data=(x[:, :1], y))
    refused(ValueError, r"outputs and targets .* got \(60, 1\) and \(60,\)", data=(x, y),
            objective=REGRESSION, params=network(2, 1))  # fmt: skip
    refused(ValueError, r"weight of the training set must be ≥ 0, got -1.0 in row 3",
            data=(x, y, np.where(np.arange(60) == 3, -1.0, 1.0)))  # fmt: skip
    refused(ValueError, r"is 0 in every row", data=(x, y, np.zeros(60)))
    refused(ValueError, r"does not fit into int32", data=(x, y.astype(np.int64) + 2**40))
    refused(ValueError, r"too large for float32", data=(x * 1e300, y))
    refused(ValueError, r"In the validation set: The label 5", validation=(x, np.full(60, 5)))
    refused(ValueError, r"splits 60 rows into 60 for training and 0", validation=0.001)
    refused(ValueError, r"class_weight names class 7", class_weight={7: 1.0})
    refused(
        ValueError, r"contains nan or inf: start from finite", params=jax.tree.map(lambda p: p * np.inf, network(2, 3))
    )
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_refused_before_training(tmp_path):
    refused(ValueError, r"epochs must be a whole number ≥ 1, got 0", epochs=0)
    refused(ValueError, r"patience must be a whole number ≥ 1", patience=0)
    refused(ValueError, r"Unknown metric 'acuracy'. Did you mean 'accuracy'", metrics=["acuracy"])
    refused(TypeError, r"metrics must be a sequence", metrics="accuracy")
    refused(ValueError, r"Unknown monitor 'validation_loss'", monitor="validation_loss")
    refused(ValueError, r"resume=True needs the folder to resume from", resume=True)
    refused(ValueError, r"pass an Objective", objective=lambda p, b: CLASSIFICATION(p, b), metrics=["accuracy"])
    file = tmp_path / "file"
    file.write_text("")
    refused(OSError, "Not a directory", checkpoint=file / "below")
    refused(OSError, "folder", history_file=tmp_path / "absent" / "history.jsonl")


@pytest.mark.slow
def test_progress_on_request_only(capsys):
    data, params = numbers(), network(3, 1)
    training.fit(REGRESSION, ADAM, params, data, epochs=2, batch_size=8, key=KEY, progress=False)
    assert capsys.readouterr() == ("", "")
    training.fit(REGRESSION, ADAM, params, data, epochs=2, batch_size=8, key=KEY, validation=data)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("epoch 2/2  loss ")
    assert "validation loss" in err
    assert math.isfinite(float(err.split()[-1]))


# Rollback, best parameters and scores at their edges


def counting(theta, batch):
    """Finite on whole numbers up to 5; a step at rate 1 adds 1, and one at half the rate leaves the whole numbers."""
    whole = (theta == jnp.round(theta)) & (theta <= 5)
    return jnp.where(whole, 0.0, jnp.nan) - theta + 0 * batch[0].mean()


def test_giving_up_goes_back_to_what_it_says():
    result = fit(
        counting, optimisers.sgd(1.0), jnp.zeros(()), (np.zeros(8), np.zeros(8)), epochs=9, batch_size=4, key=KEY
    )
    epoch = int(result.stop.split("those of epoch ")[1].split(".")[0])
    assert len(result.history.loss) == epoch
    assert int(result.state.step) == 2 * epoch
    assert float(result.params) == 2.0 * epoch


def test_a_divergence_later_leaves_the_best_epoch_alone():
    def parabola(theta, batch):
        return jnp.where(theta > 8, jnp.nan, (theta - 3) ** 2) + 0 * batch[0].mean()

    climbing = optimisers.Optimiser(lambda params: (), lambda grads, state, params, **words: (jnp.ones(()), state))
    data = (np.zeros(4), np.zeros(4))
    result = fit(parabola, climbing, jnp.zeros(()), data, epochs=40, batch_size=4, key=KEY, validation=data)
    assert "became non-finite" in result.stop
    assert result.best_epoch == 3
    assert float(result.best_params) == 3.0


def test_a_score_that_is_never_finite_is_said():
    never = lambda outputs, targets, weight: jnp.nan * outputs.sum()
    never.__name__ = "never"
    data, params = numbers(), network(3, 1)
    result = fit(
        REGRESSION, ADAM, params, data, epochs=3, batch_size=8, key=KEY,
        metrics=[never], monitor="never", higher_is_better=True,
    )  # fmt: skip
    assert result.best_epoch == 0
    assert result.notes == ("The score, never, was never a finite number, so best_params are the last parameters.",)
    jax.tree.map(np.testing.assert_array_equal, result.best_params, result.params)


def test_monitoring_a_metric_of_ones_own():
    def right(outputs, targets, weight):
        return jnp.mean(outputs.argmax(axis=1) == targets)

    (x, y), params = classes(), network(2, 8, 3)
    settings = {"epochs": 10, "batch_size": 16, "key": KEY, "metrics": [right], "monitor": "right"}
    with pytest.raises(ValueError, match="It is unknown whether a higher 'right' is better"):
        fit(CLASSIFICATION, optimisers.adam(0.3), params, (x, y), **settings)
    result = fit(CLASSIFICATION, optimisers.adam(0.3), params, (x, y), higher_is_better=True, **settings)
    assert result.best_epoch == int(np.argmax(result.history.metrics["right"])) + 1
    on_host = lambda outputs, targets, weight: f1_score(targets, outputs.argmax(axis=1), average="macro")
    on_host.__name__ = "on_host"
    with pytest.raises(ValueError, match="computed on the host between epochs, so it can't be monitored"):
        fit(CLASSIFICATION, ADAM, params, (x, y), **(settings | {"metrics": [on_host], "monitor": "on_host"}))


@pytest.mark.slow
def test_a_resumed_run_remembers_what_happened_and_notices_what_changed(tmp_path):
    diverging = lambda theta, batch: jnp.mean((1e3 * theta - batch[0]) ** 2)
    data = (np.zeros(64), np.zeros(64))
    settings = {"batch_size": 1, "key": KEY, "checkpoint": tmp_path}
    first = fit(diverging, optimisers.sgd(1.1e-5), jnp.ones(()), data, epochs=3, **settings)
    assert first.notes
    second = fit(diverging, optimisers.sgd(1.1e-5), jnp.ones(()), data, epochs=4, resume=True, **settings)
    assert second.notes[: len(first.notes)] == first.notes
    with pytest.warns(UserWarning, match="objective or the optimiser is not the one"):
        fit(diverging, optimisers.sgd(1e-6), jnp.ones(()), data, epochs=5, resume=True, **settings)
    with pytest.raises(ValueError, match="its score differs"):
        fit(diverging, optimisers.sgd(1e-6), jnp.ones(()), data, epochs=5, resume=True, validation=None,
            higher_is_better=True, **settings)  # fmt: skip


def test_checkpoints_that_cannot_be_read_are_not_removed(tmp_path):
    data, params = numbers(), network(3, 1)
    settings = {"epochs": 2, "batch_size": 8, "key": KEY, "checkpoint": tmp_path}
    fit(REGRESSION, ADAM, params, data, **settings)
    for file in tmp_path.glob("*.ckpt"):
        file.write_bytes(b"damaged" + file.read_bytes())
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.ckpt")}
    with (
        pytest.warns(UserWarning, match="Skipped a damaged checkpoint"),
        pytest.raises(ValueError, match="None of the checkpoints"),
    ):
        fit(REGRESSION, ADAM, params, data, resume=True, **settings)
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.ckpt")} == before


def test_a_history_that_cannot_be_written_loses_nothing(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    result = fit(
        REGRESSION, ADAM, network(3, 1), numbers(), epochs=2, batch_size=8, key=KEY,
        history_file=folder / "history.jsonl", hooks=[lambda epoch: (epoch.epoch == 1 and folder.rmdir()) or None],
    )  # fmt: skip
    assert len(result.history.loss) == 2
    assert result.notes[0].startswith("The history file could not be written: ")


@pytest.mark.usefixtures("in_the_foreground")
def test_a_signal_in_the_last_call_is_told():
    send = lambda epoch: os.kill(os.getpid(), signal.SIGTERM) if epoch.epoch == 2 else None
    result = fit(REGRESSION, ADAM, network(3, 1), numbers(), epochs=2, batch_size=8, key=KEY, hooks=[send])
    assert result.stop == "all 2 epochs done"
    assert result.interrupted == "SIGTERM"


def test_keys_of_the_wrong_kind():
    refused(TypeError, "key must be a PRNG key", key=0)


def test_metrics_of_another_shape_are_refused_by_name():
    refused(TypeError, r"metric accuracy_score must take \(outputs, targets, weight\)", metrics=[accuracy_score])

    def rows(outputs, targets, weight):
        return outputs[:, 0]

    refused(TypeError, r"metric rows must return one number, got shape \(60,\)", metrics=[rows])


def test_other_wrong_kinds():
    refused(ValueError, "validation must be a fraction in", validation=20)
    refused(ValueError, r"class_weight\[0\] must be ≥ 0", class_weight={0: -1.0})
    refused(ValueError, "epochs must be below 2³¹", epochs=2**31)
    with pytest.raises(ValueError, match=r"rows must be integers of shape \(steps, batch\), got int"):
        training.run(REGRESSION, ADAM, network(3, 1), numbers(), np.arange(4))
