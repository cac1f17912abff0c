"""Members of an ensemble are what `fit` makes of them alone."""

import os
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import losses, metrics, mlp, optimisers, schedules, training
from jaxnn.objective import Objective, l2
from jaxnn.training import host_loop, member_loop

COUNT = 5
ROWS = 37  # with a short last batch
KEYS = jax.random.split(jax.random.key(3), COUNT)
REGRESSION = Objective(mlp.apply, losses.squared_error)
CLASSES = Objective(mlp.apply, losses.softmax_cross_entropy)
WORDS = dict(epochs=4, batch_size=8)
fit = partial(training.fit, progress=False)
fit_ensemble = partial(training.fit_ensemble, progress=False, key=KEYS)


def starts(sizes=(3, 4, 2), dtype=np.float32, count=COUNT):
    init = lambda key: mlp.init(key, sizes, dtype=dtype)
    return jax.vmap(init)(jax.random.split(jax.random.key(0), count))


def table(dtype=np.float32, classes=False):
    random = np.random.default_rng(1)
    x = random.normal(size=(ROWS, 3)).astype(dtype)
    if classes:
        return x, (x[:, 0] > 0).astype(np.int32)
    return x, np.tanh(x[:, :2] - 0.3).astype(dtype)


def member(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def assert_same(found, expected, dtype=np.float32):
    """The same run to rounding: `found` and `expected` are of type `Fit`."""
    close = partial(np.testing.assert_allclose, rtol=5e-4 if dtype == np.float32 else 1e-10, atol=1e-6)
    assert (found.stop, found.reason, found.notes) == (expected.stop, expected.reason, expected.notes)
    assert found.best_epoch == expected.best_epoch
    close(found.best_score, expected.best_score)
    assert int(found.state.step) == int(expected.state.step)
    for part in ("loss", "gradient_norm", "learning_rate", "validation_loss", "training_loss"):
        if getattr(expected.history, part) is not None:
            close(getattr(found.history, part), getattr(expected.history, part))
    jax.tree.map(close, found.history.metrics, expected.history.metrics)
    jax.tree.map(close, (found.params, found.best_params), (expected.params, expected.best_params))


@pytest.mark.by_default("adam")
@pytest.mark.parametrize("name", optimisers.TABLE)
def test_a_member_is_the_fit_with_its_key_by_every_rule(x64, name):
    params, data = starts(dtype=np.float64), table(np.float64)
    rule = optimisers.TABLE[name](1e-3)
    found = fit_ensemble(REGRESSION, rule, params, data, members_at_once=2, **WORDS)
    assert len(found.members) == COUNT
    assert found._replace(interrupted="SIGTERM").interrupted == "SIGTERM"  # a NamedTuple as any other
    for i in range(COUNT):
        alone = fit(REGRESSION, rule, member(params, i), data, key=KEYS[i], **WORDS)
        assert_same(found.members[i], alone, np.float64)
        jax.tree.map(np.testing.assert_array_equal, member(found.best_params, i), found.members[i].best_params)


@pytest.mark.by_default("patience")
@pytest.mark.parametrize(
    ("words", "data_words"),
    [
        ({"validation": 0.3, "patience": 2, "monitor": "accuracy", "metrics": ["accuracy"]}, {"classes": True}),
        ({"monitor": "loss", "min_delta": 1e-3, "patience": 1}, {}),
        ({"class_weight": "balanced", "validation": 0.3, "metrics": ["accuracy"]}, {"classes": True}),
        ({"batch_size": 100}, {}),
    ],
    ids=["patience", "monitor", "class_weight", "full_batch"],
)
def test_all_that_fit_does_at_an_epochs_end_is_done_for_each(words, data_words):
    params, data = starts(), table(**data_words)
    objective = CLASSES if data_words else REGRESSION
    words = WORDS | {"epochs": 12} | words
    rates = optimisers.stack(optimisers.adam, learning_rate=np.geomspace(1e-3, 0.3, COUNT).tolist())
    found = fit_ensemble(objective, rates, params, data, members_at_once=2, **words)
    held_out = {}
    if "validation" in words:  # split off by the first member's key, for all
        data, held_out = split(data, KEYS[0]), {}
        data, held_out = data[0], {"validation": data[1]}
    for i in range(COUNT):
        alone = fit(objective, member(rates, i), member(params, i), data, key=KEYS[i], **words | held_out)
        assert_same(found.members[i], alone)
    if "patience" in words:
        assert len({fit.best_epoch for fit in found.members}) > 1  # they did not all end at once


def split(data, key):
    from jaxnn.training import inputs, preparation

    device = tuple(map(jnp.asarray, data))
    return inputs.split_rows(device, 0.3, jax.random.fold_in(key, preparation.SPLIT_KEY))[:2]


@pytest.mark.slow
def test_hyperparameters_of_each_are_a_sequence_or_a_stack():
    params, data = starts(), table()
    rules = [
        optimisers.adamw(schedules.cosine(1e-2 * 2**i, steps=20), weight_decay=0.01 * i + 0.01) for i in range(COUNT)
    ]
    by_sequence = fit_ensemble(REGRESSION, rules, params, data, **WORDS)
    for i, rule in enumerate(rules):
        assert_same(by_sequence.members[i], fit(REGRESSION, rule, member(params, i), data, key=KEYS[i], **WORDS))
    decays = [0.0, 0.1, 0.2, 0.3, 0.4]
    by_stack = fit_ensemble(
        REGRESSION, optimisers.stack(optimisers.adamw, learning_rate=0.01, weight_decay=decays), params, data, **WORDS
    )
    for i, decay in enumerate(decays):
        rule = optimisers.adamw(0.01, weight_decay=decay)
        assert_same(by_stack.members[i], fit(REGRESSION, rule, member(params, i), data, key=KEYS[i], **WORDS))


def test_penalties_and_dropout_rates_of_each():
    params, data = starts(), table()
    objectives = [
        Objective(partial(mlp.apply, dropout=0.1 + 0.1 * i), losses.squared_error, l2(0.01 * 3**i))
        for i in range(COUNT)
    ]
    found = fit_ensemble(objectives, optimisers.adam(1e-2), params, data, **WORDS)
    for i, objective in enumerate(objectives):
        alone = fit(objective, optimisers.adam(1e-2), member(params, i), data, key=KEYS[i], **WORDS)
        assert_same(found.members[i], alone)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_of_unequal_lengths(weighted):
    """Rows and validation rows of each; the folds have eight rows, or seven."""
    params, data = starts(), table()
    if weighted:
        data = (*data, np.linspace(0.5, 2, ROWS).astype(np.float32))
    folds = np.array_split(np.random.default_rng(0).permutation(ROWS), COUNT)
    rest = [np.setdiff1d(np.arange(ROWS), fold) for fold in folds]
    words = WORDS | {"metrics": ["rmse"]}
    found = fit_ensemble(
        REGRESSION, optimisers.adam(1e-2), params, data, rows=rest, validation_rows=folds, members_at_once=2, **words
    )
    for i, (fold, others) in enumerate(zip(folds, rest, strict=True)):
        own, held_out = (tuple(part[rows] for part in data) for rows in (others, fold))
        alone = fit(
            REGRESSION, optimisers.adam(1e-2), member(params, i), own, key=KEYS[i], validation=held_out, **words
        )
        assert_same(found.members[i], alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_validation", "own"), [(True, True), (True, False), (False, True)], ids=["both", "set", "training"]
)
def test_balanced_classes_are_those_of_each_members_rows(on_validation, own):
    """Folds by class, so that the members' classes are in different proportions."""
    params, (x, y) = starts(), table(classes=True)
    order = np.argsort(y + np.random.default_rng(0).uniform(size=ROWS))
    folds = [np.sort(fold) for fold in np.array_split(order, COUNT)]
    rest = [np.setdiff1d(np.arange(ROWS), fold) for fold in folds]
    assert len({y[rows].mean() for rows in rest}) > 2
    weight = np.linspace(0.5, 2, ROWS).astype(np.float32)
    data, held_out = (x, y, weight), (x[::2], y[::2])
    words = WORDS | dict(class_weight="balanced", class_weight_on_validation=on_validation, metrics=["accuracy"])
    of_all = {"validation_rows": folds} if own else {"validation": held_out}
    found = fit_ensemble(CLASSES, optimisers.adam(1e-2), params, data, rows=rest, **of_all, **words)
    for i, (fold, others) in enumerate(zip(folds, rest, strict=True)):
        alone = fit(
            CLASSES,
            optimisers.adam(1e-2),
            member(params, i),
            tuple(part[others] for part in data),
            key=KEYS[i],
            validation=tuple(part[fold] for part in data) if own else held_out,
            **words,
        )
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_second_order_hyperparameters_of_each_with_float32_parameters(x64):
    """Numbers of a stack take the dtype of the parameters, as Python's do."""
    params, data = starts(), table()
    dampings = [1e-3, 1e-2, 1e-1, 1.0, 10.0]
    rules = optimisers.stack(optimisers.levenberg_marquardt, damping=dampings)
    words = WORDS | {"batch_size": ROWS}
    found = fit_ensemble(REGRESSION, rules, params, data, **words)
    for i in (0, 3):
        rule = optimisers.levenberg_marquardt(damping=dampings[i])
        alone = fit(REGRESSION, rule, member(params, i), data, key=KEYS[i], **words)
        assert alone.params[0].w.dtype == found.members[i].params[0].w.dtype == np.float32
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_a_member_that_never_finished_an_epoch_has_the_score_of_its_own_fold():
    params, data = starts(), table()
    folds = np.array_split(np.random.default_rng(0).permutation(ROWS), COUNT)
    rest = [np.setdiff1d(np.arange(ROWS), fold) for fold in folds]
    rule = optimisers.sgd(1e7)
    found = fit_ensemble(REGRESSION, rule, params, data, rows=rest, validation_rows=folds, **WORDS)
    for i, (fold, others) in enumerate(zip(folds, rest, strict=True)):
        own, held_out = (tuple(part[rows] for part in data) for rows in (others, fold))
        alone = fit(REGRESSION, rule, member(params, i), own, key=KEYS[i], validation=held_out, **WORDS)
        assert (found.members[i].best_epoch, found.members[i].reason) == (0, "diverged")
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_bootstrap_samples_and_weights_of_each():
    params, data = starts(), table()
    random = np.random.default_rng(5)
    samples = [random.integers(0, ROWS, ROWS) for _ in range(COUNT)]
    by_rows = fit_ensemble(REGRESSION, optimisers.sgd(0.1), params, data, rows=samples, **WORDS)
    weights = random.exponential(size=(COUNT, ROWS))
    by_weights = fit_ensemble(REGRESSION, optimisers.sgd(0.1), params, data, weights=weights, **WORDS)
    for i, sample in enumerate(samples):
        own = tuple(part[sample] for part in data)
        assert_same(
            by_rows.members[i], fit(REGRESSION, optimisers.sgd(0.1), member(params, i), own, key=KEYS[i], **WORDS)
        )
        own = (*data, weights[i].astype(np.float32))
        assert_same(
            by_weights.members[i], fit(REGRESSION, optimisers.sgd(0.1), member(params, i), own, key=KEYS[i], **WORDS)
        )


@pytest.mark.by_default("True")
@pytest.mark.parametrize("of_each", [False, True])
def test_metrics_of_the_training_rows_have_their_weights(of_each):
    params, (x, y) = starts(), table()
    random = np.random.default_rng(5)
    weights = random.exponential(size=(COUNT, ROWS)).astype(np.float32)
    samples = [random.integers(0, ROWS, 30) for _ in range(COUNT)]
    data = (x, y) if of_each else (x, y, weights[0])
    words = WORDS | {"metrics": ["rmse"]}
    found = fit_ensemble(
        REGRESSION, optimisers.sgd(0.1), params, data, rows=samples, **words | ({"weights": weights} if of_each else {})
    )
    for i, sample in enumerate(samples):
        sampled = (x[sample], y[sample], weights[i if of_each else 0][sample])
        alone = fit(REGRESSION, optimisers.sgd(0.1), member(params, i), sampled, key=KEYS[i], **words)
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_with_weights_of_each_validation_keeps_those_of_the_data():
    params, (x, y) = starts(), table()
    random = np.random.default_rng(5)
    weight, weights = random.exponential(size=ROWS), random.exponential(size=(COUNT, ROWS))
    folds = [np.arange(i, ROWS, COUNT) for i in range(COUNT)]
    words = WORDS | {"metrics": ["rmse"]}
    found = fit_ensemble(
        REGRESSION, optimisers.sgd(0.1), params, (x, y, weight), weights=weights, validation_rows=folds, **words
    )
    for i, fold in enumerate(folds):
        held_out = (x[fold], y[fold], weight[fold])
        alone = fit(
            REGRESSION, optimisers.sgd(0.1), member(params, i), (x, y, weights[i]), key=KEYS[i], validation=held_out,
            **words,
        )  # fmt: skip
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_weights_keep_double_precision(x64):
    params, data = starts(dtype=np.float64), (*table(np.float64), np.linspace(0.1, 2, ROWS))
    found = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **WORDS)
    for i in range(COUNT):
        alone = fit(REGRESSION, optimisers.adam(1e-2), member(params, i), data, key=KEYS[i], **WORDS)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-11), found.members[i].params, alone.params)


@pytest.mark.by_default("2")
@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_member_that_diverges_changes_no_other(at_once):
    params, data = starts(), table()
    words = WORDS | {"epochs": 12, "members_at_once": at_once}
    tame = fit_ensemble(REGRESSION, [optimisers.sgd(0.01)] * COUNT, params, data, **words)
    rules = [optimisers.sgd(1e7 if i == 2 else 0.01) for i in range(COUNT)]
    found = fit_ensemble(REGRESSION, rules, params, data, **words)
    for i in range(COUNT):
        if i != 2:
            jax.tree.map(np.testing.assert_array_equal, found.members[i].params, tame.members[i].params)
            assert found.members[i].notes == ()
    alone = fit(REGRESSION, rules[2], member(params, 2), data, key=KEYS[2], **WORDS | {"epochs": 12})
    assert found.members[2].reason == alone.reason == "diverged"
    assert found.members[2].stop == alone.stop
    assert found.members[2].notes == alone.notes


def test_a_member_that_recovers_from_divergence_goes_on_as_in_fit():
    params, data = starts(), table()
    rules = [optimisers.sgd(rate) for rate in (0.01, 6.0, 0.02, 0.03, 3.0)]
    objective = Objective(mlp.apply, losses.squared_error)
    words = WORDS | {"epochs": 30}
    found = fit_ensemble(objective, rules, params, data, members_at_once=2, **words)
    recovered = 0
    for i, rule in enumerate(rules):
        alone = fit(objective, rule, member(params, i), data, key=KEYS[i], **words)
        recovered += bool(alone.notes) and alone.reason == "epochs"
        assert found.members[i].notes == alone.notes
        assert found.members[i].stop == alone.stop
        assert len(found.members[i].history.loss) == len(alone.history.loss)
    assert recovered


def test_one_at_a_time_a_members_bits_are_its_own():
    params, data = starts(), table()
    run = lambda chosen: fit_ensemble(
        REGRESSION,
        optimisers.adam(1e-2),
        member(params, chosen),
        data,
        key=KEYS[chosen],
        members_at_once=1,
        **WORDS,
    )
    together, backwards = run(np.arange(COUNT)), run(np.arange(COUNT)[::-1])
    for i in range(COUNT):
        one, other = together.members[i], backwards.members[COUNT - 1 - i]
        states = [fit.state._replace(key=jax.random.key_data(fit.state.key)) for fit in (one, other)]
        jax.tree.map(np.testing.assert_array_equal, states[0], states[1])
        np.testing.assert_array_equal(one.history.loss, other.history.loss)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rbg", "unsafe_rbg"])
def test_keys_of_other_kinds_draw_as_alone(kind):
    params, data = starts(), table()
    keys = jax.random.split(jax.random.key(3, impl=kind), COUNT)
    objective = Objective(partial(mlp.apply, dropout=0.3), losses.squared_error)
    words = WORDS | {"members_at_once": 2}
    found = fit_ensemble(objective, optimisers.adam(1e-2), params, data, **words | {"key": keys})
    for i in range(COUNT):
        alone = fit(objective, optimisers.adam(1e-2), member(params, i), data, key=keys[i], **WORDS)
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_a_chunk_is_no_longer_than_its_group(monkeypatch):
    """No time goes into members that fill a chunk, when there are fewer."""
    made, advance = [], member_loop.lockstep.advance
    monkeypatch.setattr(member_loop.lockstep, "advance", lambda *a: made.append(a[2].epoch.shape) or advance(*a))
    samples = [np.arange(20)] * 3 + [np.arange(15)] * 2
    fit_ensemble(REGRESSION, optimisers.adam(1e-2), starts(), table(), rows=samples, members_at_once=100, **WORDS)
    assert set(made) == {(3,), (2,)}


def test_one_key_is_split():
    params, data = starts(), table()
    found = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **WORDS | {"key": jax.random.key(7)})
    keys = jax.random.split(jax.random.key(7), COUNT)
    again = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **WORDS | {"key": keys})
    jax.tree.map(np.testing.assert_array_equal, found.params, again.params)
    other = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **WORDS)
    assert not np.array_equal(found.params[0].w, other.params[0].w)


def test_members_that_have_ended_cost_nothing_more(monkeypatch):
    """Each member whose patience is over leaves; the chunks get fewer."""
    monkeypatch.setattr(host_loop, "CALL_SECONDS", 0.0)  # one epoch a call
    made, advance = [], member_loop.lockstep.advance
    monkeypatch.setattr(member_loop.lockstep, "advance", lambda *a: made.append(a) or advance(*a))
    params, data = starts(), table()
    rates = optimisers.stack(optimisers.sgd, learning_rate=[0.0, 0.0, 0.0, 0.0, 0.1])
    found = fit_ensemble(
        REGRESSION, rates, params, data, members_at_once=2, patience=2, monitor="loss", **WORDS | {"epochs": 20}
    )
    assert found.best_epoch.tolist() == [1, 1, 1, 1, 20]
    assert [fit.reason for fit in found.members] == ["patience"] * 4 + ["epochs"]
    assert len(made) == 3 * 3 + (20 - 3)


def test_other_numbers_compile_nothing(compilations):
    params, data = starts(), table()
    run = lambda rate, strength: fit_ensemble(
        Objective(mlp.apply, losses.squared_error, l2(strength)), optimisers.adam(rate), params, data, **WORDS
    )
    run(1e-2, 0.1)
    before = compilations()
    run(1e-3, 0.2)
    assert compilations() == before > 0


@pytest.mark.by_default("1")
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_hook_ends_members_and_the_others_go_on_as_without_it(at_once, monkeypatch):
    params, data = starts(), table()
    rates = optimisers.stack(optimisers.adam, learning_rate=np.geomspace(1e-3, 0.1, COUNT).tolist())
    words = WORDS | {"epochs": 9, "members_at_once": at_once, "validation": 0.3}
    whole = fit_ensemble(REGRESSION, rates, params, data, **words)
    made, advance = [], member_loop.lockstep.advance
    monkeypatch.setattr(member_loop.lockstep, "advance", lambda *a: made.append(a) or advance(*a))
    ends, told = {0: 2, 4: 3, 3: 3}, []

    def hook(scores):
        told.append(scores)
        return [number for number, own in scores.items() if len(own) == ends.get(number)]

    found = fit_ensemble(REGRESSION, rates, params, data, hook=hook, **words)
    for number in range(COUNT):  # told after each of its epochs but the last, whenever it begins
        lengths = [len(scores[number]) for scores in told if number in scores]
        assert lengths == list(range(1, 1 + ends.get(number, 8)))
    trained = sum(ends.get(number, 9) for number in range(COUNT))
    assert trained == 26
    assert len(made) in ([26] if at_once == 1 else range(13, 19))  # those that ended cost nothing more
    same = np.testing.assert_array_equal if at_once == 1 else partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    for number, (one, other) in enumerate(zip(found.members, whole.members, strict=True)):
        epochs = ends.get(number, 9)
        assert one.reason == ("hook" if number in ends else "epochs")
        assert one.stop == (f"a hook ended the run after {epochs} epochs" if number in ends else "all 9 epochs done")
        for part in ("loss", "validation_loss", "gradient_norm"):
            assert len(getattr(one.history, part)) == epochs
            same(getattr(one.history, part), getattr(other.history, part)[:epochs])
        assert one.best_epoch == 1 + np.argmin(one.history.validation_loss)
        assert one.best_score == one.history.validation_loss.min()
        if number not in ends:
            jax.tree.map(same, (one.params, one.best_params), (other.params, other.best_params))
    for number in (1, 2):
        own = next(scores[number] for scores in reversed(told) if number in scores)
        assert own.tolist() == found.members[number].history.validation_loss[:8].tolist()


def test_members_wait_for_room_and_are_reported_as_they_end(monkeypatch):
    """No more are in training than the cores have room for, and none is changed by having waited."""
    params, data = starts(), table()
    rates = optimisers.stack(optimisers.adam, learning_rate=np.geomspace(1e-3, 0.1, COUNT).tolist())
    words = WORDS | {"epochs": [2, 5, 3, 4, 2], "members_at_once": 1, "validation": 0.3}
    monkeypatch.setattr(member_loop.workers, "count", lambda: COUNT)
    at_once = fit_ensemble(REGRESSION, rates, params, data, **words)
    monkeypatch.setattr(member_loop.workers, "count", lambda: 2)
    reported, running = {}, []
    waited = fit_ensemble(
        REGRESSION, rates, params, data, **words,
        hook=lambda scores: running.append(sorted(scores)) or [],
        finished=lambda number, fit: reported.setdefault(number, (len(running), fit)),
    )  # fmt: skip
    assert max(map(len, running)) == 2
    assert running[0] == [0, 1]
    assert sorted(reported) == list(range(COUNT))
    assert len({calls for calls, _ in reported.values()}) > 2  # not all at the end
    for number, (one, other) in enumerate(zip(waited.members, at_once.members, strict=True)):
        assert reported[number][1] is one
        jax.tree.map(np.testing.assert_array_equal, one.params, other.params)
        np.testing.assert_array_equal(one.history.loss, other.history.loss)


@pytest.mark.slow
def test_a_hook_sees_metrics_as_they_are():
    """Not negated, though larger is better."""
    told = []
    words = WORDS | {"metrics": ["accuracy"], "monitor": "accuracy", "hook": lambda scores: told.append(scores) or ()}
    found = fit_ensemble(CLASSES, optimisers.adam(1e-2), starts(), table(classes=True), **words)
    assert len(told) == WORDS["epochs"] - 1
    for number, own in told[-1].items():
        np.testing.assert_array_equal(own, found.members[number].history.metrics["accuracy"][:-1])


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ([1, 7], ValueError, "hook returned member 7, which is not running; those that are: 0, 1, 2, 3, 4"),
        (None, TypeError, r"hook must return the numbers of the members to end, .* got None"),
        ([0.5], TypeError, r"hook must return the numbers .* got \[0.5\]"),
    ],
)
def test_what_a_hook_returns_is_checked(told, error, message):
    with pytest.raises(error, match=message):
        fit_ensemble(REGRESSION, optimisers.adam(1e-2), starts(), table(), hook=lambda scores: told, **WORDS)


def test_each_member_has_its_own_number_of_epochs():
    params, data = starts(), table()
    epochs = [3, 1, 7, 3, 2]
    words = WORDS | {"epochs": np.array(epochs), "members_at_once": 2}
    found = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **words)
    for i, own in enumerate(epochs):
        words = WORDS | {"epochs": own}
        assert_same(
            found.members[i], fit(REGRESSION, optimisers.adam(1e-2), member(params, i), data, key=KEYS[i], **words)
        )


@pytest.mark.usefixtures("in_the_foreground")
def test_an_interrupt_keeps_what_was_learnt(monkeypatch):
    monkeypatch.setattr(host_loop, "CALL_SECONDS", 0.0)  # one epoch a call
    made, advance = [], member_loop.lockstep.advance

    def interrupted(*arguments):
        made.append(None)
        if len(made) == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(*arguments)

    monkeypatch.setattr(member_loop.lockstep, "advance", interrupted)
    params, data = starts(), table()
    found = fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, members_at_once=3, **WORDS | {"epochs": 1000})
    assert found.interrupted == "SIGTERM"
    for i, each in enumerate(found.members):
        assert each.interrupted == "SIGTERM"
        assert each.stop == f"interrupted by SIGTERM after {len(each.history.loss)} epochs"
        np.testing.assert_allclose(each.best_score, REGRESSION(member(found.best_params, i), data), rtol=1e-5)


@pytest.mark.slow
def test_progress_tells_how_many_run_and_the_best(capsys):
    params, data = starts(), table()
    fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **WORDS | {"progress": True, "validation": 0.2})
    assert "epoch 4/4  running 0  best validation loss " in capsys.readouterr().err


@pytest.mark.slow
def test_progress_shows_a_note_on_the_split_once(capsys):
    x, y = table(classes=True)
    y[0] = 7  # a class of one row, which cannot be held out
    objective, params = Objective(mlp.apply, losses.softmax_cross_entropy), starts((3, 4, 8))
    words = WORDS | {"progress": True, "validation": 0.2}
    found = fit_ensemble(objective, optimisers.adam(1e-2), params, (x, y), **words)
    assert [len(each.notes) for each in found.members] == [1] * COUNT
    assert capsys.readouterr().err.count(found.members[0].notes[0]) == 1


BAD = [
    ({"params": member(starts(), 0)}, "Every leaf of params needs a leading axis of the same number of members"),
    ({"params": starts(count=3)}, r"got params\[0\].w 3, params\[0\].b 3, params\[1\].w 3, params\[1\].b 3, key 5"),
    ({"params": member(starts(), slice(0, 0)), "key": KEYS[:0]}, "an ensemble has at least one"),
    ({"optimiser": [optimisers.adam(1e-2)] * 3}, "There are 5 members by params, but 3 in optimiser"),
    ({"objective": [REGRESSION] * 6}, "There are 5 members by params, but 6 in objective"),
    ({"optimiser": [optimisers.adam(1e-2)] * 4 + [optimisers.sgd(1e-2)]}, r"optimiser\[0\] and optimiser\[4\] differ in"
     " more than numbers"),
    ({"optimiser": optimisers.stack(optimisers.adam, learning_rate=[0.1, 0.2])}, "5 members by params, but 2"),
    ({"optimiser": optimisers.stack(optimisers.sgd, learning_rate=[0.1, 0.2])}, "5 members by params, but 2"),
    ({"rows": [[0, 1]] * COUNT, "validation": 0.2}, "With rows or weights, .* validation=0.2 cannot hold out"),
    ({"weights": np.ones((COUNT, ROWS)), "validation": 0.2}, "validation=0.2 cannot hold out a fraction"),
    ({"params": jax.tree.map(lambda leaf: leaf.at[3].set(jnp.nan), starts())}, r"params\[0\].w contains nan or inf"),
    ({"rows": [[0, 1]] * 4}, "There are 5 members by params, but 4 in rows"),
    ({"rows": [[0, 1]] * 4 + [[0, 37]]}, r"rows\[4\] has row 37; rows are numbered from 0 to 36"),
    ({"rows": [[0.5]] * 5}, r"rows\[0\] must be a list of row numbers, got float64"),
    ({"validation_rows": [[-1]] * 5}, r"validation_rows\[0\] has row -1"),
    ({"validation_rows": [[1]] * 5, "validation": 0.2}, "validation or validation_rows, not both"),
    ({"weights": np.ones((4, ROWS))}, r"weights must have shape \(5, 37\)"),
    ({"weights": np.zeros((5, ROWS))}, r"weights\[0\] is 0 in every row"),
    ({"members_at_once": 0}, "members_at_once must be a whole number ≥ 1"),
    ({"epochs": 0}, "epochs must be a whole number ≥ 1"),
    ({"epochs": [1, 1, 0, 1, 1]}, r"epochs\[2\] must be a whole number ≥ 1, got 0"),
    ({"epochs": [1, 1, 2**31, 1, 1]}, r"epochs\[2\] must be below 2³¹"),
    ({"epochs": [3, 3]}, "There are 5 members by params, but 2 in epochs"),
    ({"metrics": [lambda outputs, targets, weight: float(np.asarray(outputs).mean())]}, "cannot be traced by JAX"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), BAD)
def test_bad_input_is_named(words, message):
    arguments = {"objective": REGRESSION, "optimiser": optimisers.adam(1e-2), "params": starts(), "data": table()}
    with pytest.raises(ValueError, match=message):
        training.fit_ensemble(**arguments | WORDS | {"key": KEYS, "progress": False} | words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"key": 3}, "key must be a PRNG key"),
        ({"optimiser": "adam"}, "optimiser must have init and update"),
        ({"epochs": np.array([1, 1, 2.5, 1, 1])}, r"epochs\[0\] must be a whole number"),
    ],
)
def test_the_wrong_type_is_named(words, message):
    arguments = {"objective": REGRESSION, "optimiser": optimisers.adam(1e-2), "params": starts(), "data": table()}
    with pytest.raises(TypeError, match=message):
        training.fit_ensemble(**arguments | WORDS | {"key": KEYS, "progress": False} | words)


def test_a_fold_without_a_class_is_named():
    x, y = table(classes=True)
    ones = np.flatnonzero(y == 1)
    with pytest.raises(ValueError, match=r"monitor='roc_auc' is undefined on validation_rows\[1\]: it needs rows"):
        fit_ensemble(CLASSES, optimisers.adam(1e-2), starts(), (x, y), validation_rows=[np.arange(ROWS), ones] +
                     [np.arange(ROWS)] * 3, metrics=["roc_auc"], monitor="roc_auc", **WORDS)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("which", ["rows", "validation_rows"])
def test_a_metric_that_some_members_cannot_measure_is_noted_for_those(which):
    params, (x, y) = starts(), table(classes=True)
    ones = np.flatnonzero(y == 1)
    chosen = [np.arange(20)] * 2 + [ones] + [np.arange(20)] * 2
    words = WORDS | {"metrics": ["roc_auc"]}
    found = fit_ensemble(CLASSES, optimisers.adam(1e-2), params, (x, y), **words | {which: chosen})
    for i, rows in enumerate(chosen):
        own = (x[rows], y[rows])
        data, held_out = (own, None) if which == "rows" else ((x, y), own)
        alone = fit(CLASSES, optimisers.adam(1e-2), member(params, i), data, key=KEYS[i], validation=held_out, **words)
        assert len(alone.notes) == (i == 2)
        assert_same(found.members[i], alone)


@pytest.mark.slow
def test_a_method_that_needs_all_rows_warns_as_in_fit():
    with pytest.warns(UserWarning, match="compares values of J between steps, and with 8 of 37 rows"):
        fit_ensemble(REGRESSION, optimisers.lbfgs(), starts(count=1), table(), **WORDS | {"key": KEYS[:1], "epochs": 1})


def test_more_members_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr(member_loop, "machine_memory", lambda: 20_000)
    with pytest.raises(ValueError, match=r"5 members need about .* GB, more than half .*: train at most \d in a call"):
        fit_ensemble(REGRESSION, optimisers.adam(1e-2), starts(), table(), **WORDS)


@pytest.mark.slow
def test_a_plain_objective_of_weighted_rows():
    """A plain J gets weights of mean 1 over the rows of each."""

    def weighted(params, batch):
        x, y, weight = batch
        return jnp.mean(weight * jnp.sum((mlp.apply(params, x) - y) ** 2, axis=1))

    params, data = starts(), (*table(), np.linspace(1, 3, ROWS).astype(np.float32))
    samples = [np.arange(i, ROWS - 5 + i) for i in range(COUNT)]
    found = fit_ensemble(weighted, optimisers.adam(1e-2), params, data, rows=samples, **WORDS)
    for i, sample in enumerate(samples):
        own = tuple(part[sample] for part in data)
        assert_same(
            found.members[i], fit(weighted, optimisers.adam(1e-2), member(params, i), own, key=KEYS[i], **WORDS)
        )


def test_it_trains():
    """Eight starts on the classes of a table: each learns, and the best by its score is the best there is."""
    data = table(classes=True)
    found = fit_ensemble(CLASSES, optimisers.adam(3e-2), starts(), data, epochs=60, batch_size=8)
    accuracy = metrics.from_outputs("accuracy")
    accuracies = [accuracy(mlp.apply(fit.best_params, data[0]), data[1]) for fit in found.members]
    assert min(accuracies) > 0.9
    assert np.all(found.best_score < 0.3)
