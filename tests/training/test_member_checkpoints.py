"""An ensemble that was stopped and resumed is what it would be if it had never stopped."""

import contextlib
import os
import signal
from functools import partial

import jax
import numpy as np
import pytest

from jaxnn import losses, mlp, optimisers, training
from jaxnn.objective import Objective
from jaxnn.training import checkpoint_files, host_loop, member_loop

COUNT, ROWS = 5, 37
KEYS = jax.random.split(jax.random.key(3), COUNT)
REGRESSION = Objective(partial(mlp.apply, dropout=0.1), losses.squared_error)
PLAIN = Objective(mlp.apply, losses.squared_error)
FOLDS = np.array_split(np.random.default_rng(0).permutation(ROWS), COUNT)  # of eight rows, or seven
WORDS = dict(epochs=9, batch_size=8, key=KEYS, progress=False)
OF_FOLDS = dict(
    rows=[np.setdiff1d(np.arange(ROWS), fold) for fold in FOLDS], validation_rows=FOLDS, patience=3, metrics=["rmse"]
)  # fmt: skip
RATES = optimisers.stack(optimisers.sgd, learning_rate=[0.05, 0.02, 3.0, 0.0, 1e7])


@pytest.fixture(autouse=True)
def an_epoch_a_call(monkeypatch):
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("jaxnn.training.checkpoint.SHARE", np.inf)
    monkeypatch.setattr(host_loop, "CALL_SECONDS", 0.0)


def starts(sizes=(3, 4, 2), count=COUNT):
    return jax.vmap(lambda key: mlp.init(key, sizes))(jax.random.split(jax.random.key(0), count))


def table():
    x = np.random.default_rng(1).normal(size=(ROWS, 3)).astype(np.float32)
    return x, np.tanh(x[:, :2] - 0.3)


def halted_second(scores):
    """Ends member 1 after four epochs."""
    return [1] if len(scores.get(1, ())) == 4 else []


def assert_equal_bits(found, expected):
    """All but the seconds."""
    for one, other in zip(found.members, expected.members, strict=True):
        assert (one.stop, one.reason, one.notes, one.best_epoch, one.interrupted) == (
            other.stop, other.reason, other.notes, other.best_epoch, other.interrupted,
        )  # fmt: skip
        np.testing.assert_array_equal(one.best_score, other.best_score)
        parts = [
            (fit.params, fit.best_params, fit.state._replace(key=jax.random.key_data(fit.state.key)),
             fit.history._replace(seconds=None)) for fit in (one, other)
        ]  # fmt: skip
        jax.tree.map(np.testing.assert_array_equal, *parts)


class Crash(Exception):
    """Stands for kill -9: nothing is saved any more."""


@pytest.mark.slow
@pytest.mark.rounding
@pytest.mark.parametrize("at_once", [1, 2])
def test_crashed_in_any_call_and_resumed_the_bits_are_the_same(tmp_path, monkeypatch, at_once):
    """Among the members are one that the hook ends, one that recovers from divergence, one that does not, and one whose
    patience ends."""
    words = WORDS | OF_FOLDS | {"members_at_once": at_once, "hook": halted_second}
    run = partial(training.fit_ensemble, REGRESSION, RATES, starts(), table(), **words)
    whole = run()
    assert [fit.reason for fit in whole.members] == ["epochs", "hook", "epochs", "patience", "diverged"]
    assert whole.members[2].notes
    advance, calls = member_loop.lockstep.advance, []

    def crashing(*arguments):
        calls.append(None)
        if len(calls) % 8 == 0:
            raise Crash
        return advance(*arguments)

    monkeypatch.setattr(member_loop.lockstep, "advance", crashing)
    crashes = 0
    while True:
        try:
            found = run(checkpoint=tmp_path, resume=True)
            break
        except Crash:
            crashes += 1
            assert crashes < 20
    assert crashes >= 3
    assert_equal_bits(found, whole)
    seconds = found.members[0].history.seconds
    assert np.all(np.diff(seconds) > 0)
    assert_equal_bits(run(checkpoint=tmp_path, resume=True), whole)  # all have ended; nothing is left to do
    assert len(checkpoint_files.numbered(tmp_path, "run")) == 2


@pytest.mark.slow
@pytest.mark.rounding
def test_members_that_wait_begin_when_they_would_have(tmp_path, monkeypatch):
    """So a hook sees the same scores side by side. Here three have room, and others begin when two have ended."""
    monkeypatch.setattr("jaxnn.training.workers.count", lambda: 1)
    words = WORDS | {"epochs": [2, 4, 5, 3, 3], "members_at_once": 3}
    told, ended = [], []
    run = partial(
        training.fit_ensemble, PLAIN, optimisers.adam(1e-2), starts(), table(), **words,
        hook=lambda scores: told.append({number: own.tolist() for number, own in scores.items()}) or [],
        finished=lambda number, fit: ended.append(number),
    )  # fmt: skip
    whole = run()
    expected, told[:] = told[:], []
    in_order, ended[:] = ended[:], []
    assert [list(each) for each in expected] == [[0, 1, 2], [1, 2], [1, 2], [2], [3, 4], [3, 4]]
    advance, calls = member_loop.lockstep.advance, []

    def crashing(*arguments):
        calls.append(None)
        if len(calls) % 2 == 0:
            raise Crash
        return advance(*arguments)

    monkeypatch.setattr(member_loop.lockstep, "advance", crashing)
    found = None
    while found is None and len(calls) < 40:
        with contextlib.suppress(Crash):
            found = run(checkpoint=tmp_path, resume=True)
    assert_equal_bits(found, whole)
    assert told == expected
    assert ended == in_order


@pytest.mark.slow
@pytest.mark.rounding
def test_what_is_noted_at_the_end_is_noted_once(tmp_path):
    never = lambda outputs, targets, weight: np.nan * outputs.sum()
    never.__name__ = "never"
    words = WORDS | {"metrics": [never], "monitor": "never", "higher_is_better": True, "epochs": [1, 1, 1, 1, 2]}
    run = partial(training.fit_ensemble, PLAIN, optimisers.adam(1e-2), starts(), table(), **words)
    whole = run(checkpoint=tmp_path)
    assert whole.members[0].notes == (
        "The score, never, was never a finite number, so best_params are the last parameters.",
    )
    assert_equal_bits(run(checkpoint=tmp_path, resume=True), whole)


@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.rounding
def test_interrupted_and_resumed_the_bits_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.training.checkpoint.LEAST_SECONDS", 1e9)  # only the last is saved
    run = partial(training.fit_ensemble, REGRESSION, optimisers.adam(1e-2), starts(), table(), **WORDS)
    whole = run()
    advance, calls = member_loop.lockstep.advance, []

    def interrupted(*arguments):
        calls.append(None)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(*arguments)

    monkeypatch.setattr(member_loop.lockstep, "advance", interrupted)
    stopped = run(checkpoint=tmp_path)
    assert stopped.interrupted == "SIGTERM"
    epochs = len(stopped.members[0].history.loss)
    assert stopped.stop == (f"interrupted by SIGTERM after {epochs} epochs",) * COUNT
    assert_equal_bits(run(checkpoint=tmp_path, resume=True), whole)


@pytest.mark.slow
@pytest.mark.rounding
def test_with_larger_limits_members_go_on(tmp_path):
    rates = optimisers.stack(optimisers.sgd, learning_rate=[0.05, 0.02, 0.03, 0.0, 0.0])
    run = partial(training.fit_ensemble, PLAIN, rates, starts(), table(), monitor="loss")
    whole = run(**WORDS, patience=5)
    assert [fit.reason for fit in whole.members] == ["epochs"] * 3 + ["patience"] * 2
    for epochs in ([2, 3, 1, 2, 2], [2, 4, 4, 4, 3], 9):
        parts = run(**WORDS | {"epochs": epochs}, patience=3, checkpoint=tmp_path, resume=True)
    assert parts.stop[3] == "no improvement for 3 epochs: the best was epoch 1 of 4"
    parts = run(**WORDS, patience=5, checkpoint=tmp_path, resume=True)
    assert_equal_bits(parts, whole)


@pytest.mark.slow
@pytest.mark.rounding
@pytest.mark.parametrize("at_once", [2, 3])
def test_the_bits_of_a_member_do_not_depend_on_its_neighbours_or_its_place(at_once):
    """Only on how many there are: so a resumed run may divide its members otherwise."""
    params, data = starts((3, 17, 2)), table()
    words = WORDS | {"epochs": 4, "members_at_once": at_once}
    whole = training.fit_ensemble(REGRESSION, optimisers.adam(1e-2), params, data, **words)
    for order in ([4, 3, 2, 1, 0], [1, 3, 0, 4, 2]):
        order = np.array(order)
        moved = jax.tree.map(lambda leaf, order=order: leaf[order], params)
        found = training.fit_ensemble(REGRESSION, optimisers.adam(1e-2), moved, data, **words | {"key": KEYS[order]})
        back = np.argsort(order)
        assert_equal_bits(found._replace(members=tuple(found.members[i] for i in back)), whole)


@pytest.mark.slow
@pytest.mark.rounding
def test_a_resumed_run_trains_as_many_at_once_as_before(tmp_path, monkeypatch):
    """Although another machine would choose another number."""
    monkeypatch.setattr(member_loop, "_fitting", lambda train, count: 3)
    run = partial(training.fit_ensemble, REGRESSION, optimisers.adam(1e-2), starts(), table())
    whole = run(**WORDS)
    run(**WORDS | {"epochs": 3}, checkpoint=tmp_path)
    made, advance = [], member_loop.lockstep.advance
    monkeypatch.setattr(member_loop.lockstep, "advance", lambda *a: made.append(a[2].epoch.shape) or advance(*a))
    monkeypatch.setattr(member_loop, "_fitting", lambda train, count: 1)
    assert_equal_bits(run(**WORDS, checkpoint=tmp_path, resume=True), whole)
    assert set(made) == {(3,)}
    with pytest.raises(
        ValueError, match=r"members trained 3 at a time, .* pass members_at_once=3, or nothing, instead"
    ):
        run(**WORDS, checkpoint=tmp_path, resume=True, members_at_once=2)


WEIGHTS = np.linspace(1, 2, COUNT * ROWS).reshape(COUNT, ROWS)
OTHERS = {
    "members": (
        {"params": starts(count=3), "key": KEYS[:3]},
        r"number of members differs \(5 in the .*, 3 in this run",
    ),
    "shapes": ({"params": starts((3, 6, 2))}, "another network or optimiser: The leaf carry/0/train/params/0/w should"),
    "batch_size": ({"batch_size": 16}, r"batch size differs \(8 in the checkpoint, 16 in this run\)"),
    "key": ({"key": KEYS[::-1]}, "its key differs"),
    "data": ({"data": (table()[0] + 1, table()[1])}, "its data differs"),
    "fewer": ({"data": (table()[0][1:], table()[1][1:])}, r"its rows differs \(37 in the checkpoint, 36 in this run\)"),
    "rows": ({"rows": [np.arange(ROWS)] * COUNT}, "its choice of rows differs"),
    "weights": ({"weights": WEIGHTS}, "its weighting differs"),
    "optimiser": ({"optimiser": optimisers.adam(2e-2)}, "its optimiser differs"),
    "score": ({"monitor": "loss"}, "its score differs"),
    "metrics": ({"metrics": ["rmse"]}, "recorded .* pass the same metrics and validation"),
    "resume": ({"resume": False}, "already contains checkpoints: pass resume=True"),
    "folder": ({"checkpoint": None}, "resume=True needs the folder to resume from"),
}


@pytest.mark.by_default("rows", "optimiser", "folder")
@pytest.mark.parametrize(("changed", "message"), OTHERS.values(), ids=OTHERS)
def test_the_checkpoint_of_another_ensemble_is_refused(tmp_path, changed, message):
    words = WORDS | {"epochs": 2, "checkpoint": tmp_path, "members_at_once": 5}
    arguments = dict(objective=PLAIN, optimiser=optimisers.adam(1e-2), params=starts(), data=table()) | words
    training.fit_ensemble(**arguments)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        training.fit_ensemble(**arguments | {"resume": True} | changed)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.slow
def test_fit_and_fit_ensemble_refuse_the_checkpoints_of_each_other(tmp_path):
    words = WORDS | {"epochs": 1}
    one = jax.tree.map(lambda leaf: leaf[0], starts())
    alone = partial(training.fit, PLAIN, optimisers.adam(1e-2), one, table(), **words | {"key": KEYS[0]})
    many = partial(training.fit_ensemble, PLAIN, optimisers.adam(1e-2), starts(), table(), **words)
    alone(checkpoint=tmp_path / "one")
    many(checkpoint=tmp_path / "many")
    with pytest.raises(ValueError, match="is a checkpoint of fit_ensemble, not of fit: use another folder"):
        alone(checkpoint=tmp_path / "many", resume=True)
    with pytest.raises(ValueError, match="is a checkpoint of fit, not of fit_ensemble: use another folder"):
        many(checkpoint=tmp_path / "one", resume=True)


@pytest.mark.slow
def test_another_objective_of_the_same_shapes_is_noticed(tmp_path):
    words = WORDS | {"epochs": 1, "checkpoint": tmp_path}
    run = lambda loss, **more: training.fit_ensemble(
        Objective(mlp.apply, loss), optimisers.adam(1e-2), starts(), table(), **words | more
    )
    run(losses.squared_error)
    with pytest.warns(UserWarning, match="objective or the optimiser is not the one"):
        run(losses.absolute_error, resume=True, epochs=2)


def test_a_full_disk_is_noted_by_every_member(tmp_path, monkeypatch):
    def full(*arguments, **words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxnn.training.checkpoint_files.write_numbered", full)
    found = training.fit_ensemble(PLAIN, optimisers.adam(1e-2), starts(), table(), **WORDS, checkpoint=tmp_path)
    assert set(found.stop) == {"all 9 epochs done"}
    for each in found.members:
        assert len(each.notes) == 1
        assert "training continues without it: [Errno 28] No space left" in each.notes[0]


def test_a_state_too_large_for_a_file_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxnn.training.checkpoint.MAX_FILE_BYTES", 2**20 + 1000)
    with pytest.raises(ValueError, match=r"this run has .* GB, and a checkpoint at most .*: train fewer or smaller"):
        training.fit_ensemble(PLAIN, optimisers.adam(1e-2), starts(), table(), **WORDS, checkpoint=tmp_path)


@pytest.mark.slow
def test_what_no_run_could_have_written_is_refused(tmp_path):
    words = WORDS | {"epochs": 1, "checkpoint": tmp_path}
    run = partial(training.fit_ensemble, PLAIN, optimisers.adam(1e-2), starts(), table(), **words)
    run()
    _, spec, tensors = checkpoint_files.newest(tmp_path, "run", "checkpoint", allow_nonfinite=True)
    number = next(iter(checkpoint_files.numbered(tmp_path, "run")))
    text = lambda words: np.frombuffer(words.encode(), np.uint8)
    member = '{"notes": [], "ending": null}'
    of_all = lambda first: text('{"members": [' + ", ".join([first] + [member] * (COUNT - 1)) + "]}")
    for changed in (
        {"history": tensors["history"][1:]},
        {"retries": tensors["retries"].astype(np.float64)},
        {"texts": text("{" * 10_000)},
        {"texts": text('{"members": []}')},
        {"texts": of_all('{"notes": [3], "ending": null}')},
        {"texts": of_all('{"notes": [], "ending": {"reason": "diverged", "facts": {}}}')},
        {"texts": of_all('{"notes": [], "ending": {"reason": "epochs", "facts": {"epochs": 1}}}')},
        {"at_once": [0]},
        {"at_once": "3"},
        {"waiting": [6]},
        {"elapsed": -1.0},
        {"elapsed": None},
    ):
        other_spec = spec | {name: part for name, part in changed.items() if name in spec}
        other_tensors = tensors | {name: part for name, part in changed.items() if name in tensors}
        checkpoint_files.write_numbered(tmp_path, "run", number, "checkpoint", other_spec, other_tensors)
        with pytest.raises(ValueError, match="is not a valid checkpoint: its history or description is damaged"):
            run(resume=True)
    checkpoint_files.write_numbered(tmp_path, "run", number, "checkpoint", spec, tensors | {"texts": of_all(member)})
    assert run(resume=True).stop == ("all 1 epoch done",) * COUNT
