"""Sweeps against a loop of single trainings; what a resumed search returns; what of a search depends on time."""

import itertools
import json
import math
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxnn import experiments, search
from jaxnn.experiments import network
from jaxnn.experiments.many import Job, train_many
from jaxnn.experiments.recipe import complete
from jaxnn.search import LogUniform, Trial, record, task, trials
from jaxnn.search import search as searches

PAGE = Path(__file__).parents[2] / "docs" / "search.md"
RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 3))
TABLE = {
    "a": X[:, 0].round(2).tolist(),
    "b": X[:, 1].round(2).tolist(),
    "c": X[:, 2].round(2).tolist(),
    "ill": np.where(X[:, 0] + X[:, 1] > 0, "yes", "no").tolist(),
}
SOURCE = experiments.source(TABLE, target="ill")
FIXED = {"hidden": (4,), "epochs": 3, "batch_size": 16}
GRID = {"learning_rate": [0.003, 0.03]}  # one program
SPLIT = {"validation": 0.25, "test": 0.2, "progress": False}


def sweep(grid=GRID, rows=SOURCE, recipe=FIXED, **settings):
    return search.sweep(rows, grid, recipe, **{**SPLIT, **settings})


def told(path):
    """The lines of a file of trials."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep, and its file."""
    path = tmp_path_factory.mktemp("sweep") / "trials.jsonl"
    return sweep(folds=3, seeds=2, file=path), path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The file of a sweep on one split."""
    path = tmp_path_factory.mktemp("recorded") / "trials.jsonl"
    sweep(file=path)
    return path


@pytest.fixture
def planted(recorded, tmp_path):
    """A copy of it, in which trial 0 has a score that no network has, and trial 1 is missing."""
    header, first, _ = told(recorded)
    assert first["number"] == 0
    path = tmp_path / "trials.jsonl"
    path.write_text(json.dumps(header) + "\n" + json.dumps({**first, "scores": [-5.0]}) + "\n")
    return path


# Sweeps


@pytest.mark.slow
def test_a_sweep_is_a_loop_of_single_trainings(swept):
    found, _ = swept
    assert [trial.choices for trial in found.trials] == [{"learning_rate": 0.003}, {"learning_rate": 0.03}]
    for trial, recipe in zip(found.trials, found.recipes, strict=True):
        assert recipe == complete(
            {**FIXED, **trial.choices}, rows=len(found.rows[0].split.train), problem=found.rows[0].problem
        )
        alone = [  # all folds of the first seed first
            network.train(rows, recipe, seed=seed, metric="loss", progress=False)
            for seed in range(2)
            for rows in found.rows
        ]
        assert_allclose(trial.scores, [each.fit.best_score for each in alone], rtol=1e-4)
        assert trial.stop == "finished"
        assert trial.rungs == ()
        assert all(1 <= epoch <= 3 for epoch in trial.epochs)
        if trial == found.best:
            assert len(found.model.models) == 6
            mean = np.mean([each.model.predict_probabilities(TABLE) for each in alone], axis=0)
            assert_allclose(found.model.predict_probabilities(TABLE), mean, rtol=1e-3, atol=1e-4)


def test_a_sweep_returns_its_trials_as_data(swept):
    found, path = swept
    scores = [trial.score for trial in found.trials]
    assert found.best == found.trials[int(np.argmin(scores))]
    assert (found.metric, found.higher_is_better, found.interrupted) == ("loss", False, None)
    (mattered,) = found.importance
    assert mattered.name == "learning_rate"
    assert mattered.share == 1.0
    assert_allclose(mattered.means, scores)
    assert set(found.scores) == {"test"}
    assert 0 <= found.scores["test"]["accuracy"] <= 1
    header, *lines = told(path)
    assert [line["number"] for line in sorted(lines, key=lambda line: line["number"])] == [0, 1]
    assert {name: header[name] for name in ("kind", "data", "metric", "folds", "seeds", "seed")} == {
        "kind": "sweep",
        "data": "table",
        "metric": "loss",
        "folds": 3,
        "seeds": 2,
        "seed": 0,
    }
    assert header["grid"] == GRID
    assert {trial.number: trial for trial in trials.read(path)[1]} == {trial.number: trial for trial in found.trials}


@pytest.mark.slow
def test_the_best_has_the_highest_score_where_higher_is_better(planted):
    header, first = told(planted)
    planted.write_text(
        json.dumps({**header, "metric": "accuracy"}) + "\n" + json.dumps({**first, "scores": [2.0]}) + "\n"
    )
    found = sweep(metric="accuracy", file=planted, resume=True)
    assert found.higher_is_better
    assert found.best.number == 0
    assert 0 <= found.trials[1].score <= 1
    assert found.importance[0].means[0] == 2.0


@pytest.mark.parametrize("scores", [(1.0, 1.0), (1.0, 0.5)])
def test_of_equal_trials_the_first_is_best(scores):
    work = task.task(SOURCE, FIXED, **TASK)
    kept = record.Record(work, {}, file=None, resume=False, progress=False)
    for number, score in reversed(list(enumerate(scores))):
        kept.add(Trial(number, {}, (score,), (1,), (), {}, "finished", 0.0), [])
    assert kept.best.number == int(np.argmin(scores))
    kept.add(Trial(2, {}, (0.0,), (1,), (), {}, "halved", 0.0), [])
    kept.add(Trial(3, {}, (math.nan,), (1,), (), {}, "diverged", 0.0), [])
    assert kept.best.number == int(np.argmin(scores))  # of those trained to the end
    assert set(kept.networks) == {0, kept.best.number}


TASK = {
    "kind": "sweep",
    "folds": None,
    "seeds": 1,
    "validation": 0.25,
    "test": 0.2,
    "metric": "loss",
    "class_weight": None,
    "class_weight_on_validation": True,
    "seed": 0,
}


@pytest.mark.slow
def test_one_that_diverges_is_recorded_and_harms_no_other(tmp_path):
    path, fixed = tmp_path / "trials.jsonl", {**FIXED, "optimiser": "sgd"}
    found = sweep({"learning_rate": [1e30, 0.1, 0.01]}, recipe=fixed, file=path)
    assert [trial.stop for trial in found.trials] == ["diverged", "finished", "finished"]
    assert math.isnan(found.trials[0].score)
    assert [line["scores"] for line in told(path)[1:] if line["number"] == 0] == [[None]]
    assert found.best.number in (1, 2)
    (mattered,) = found.importance
    assert mattered.share == 1.0
    assert math.isnan(mattered.means[mattered.values.index(1e30)])
    others = [
        network.train(found.rows[0], recipe, seed=0, metric="loss", progress=False).fit.best_score
        for recipe in found.recipes[1:]
    ]
    assert_allclose([trial.score for trial in found.trials[1:]], others, rtol=1e-4)


@pytest.mark.slow
def test_if_all_diverge_there_is_no_model():
    found = sweep({"learning_rate": [1e30, 1e31, 1e32]}, recipe={**FIXED, "optimiser": "sgd"})
    assert (found.best, found.model, found.scores) == (None, None, {})
    assert [each.share for each in found.importance] == [0.0]


@pytest.mark.slow
def test_rules_and_second_order_methods_share_a_grid():
    found = sweep({"optimiser": ["adamw", "lbfgs"]}, recipe={"hidden": (4,), "epochs": 3})
    assert [recipe.follows_curvature for recipe in found.recipes] == [False, True]
    assert np.isfinite([trial.score for trial in found.trials]).all()
    assert found.trials[1].score < 0.6  # where three steps of AdamW leave the loss of a coin


@pytest.mark.parametrize(
    ("grid", "recipe", "told"),
    [
        ({"learning_rat": [1.0]}, {}, "Did you mean 'learning_rate'"),
        ({"epochs": [2]}, {"epochs": 3}, "epochs is in the grid and fixed as well: leave out one of them"),
        (
            {"hidden": [(10**6, 10**6)]},
            {},
            "GB for training, more than half of this machine's .* --hidden layers smaller",
        ),
        ({"optimiser": ["adamw", "lbfgs"], "dropout": [0.1]}, {}, "lbfgs needs the same objective in every step"),
        ({"hidden": [(4,), (4, 4)], "activation": [("relu", "tanh")]}, {}, "2 names for 1 hidden layers"),
        ({"epochs": [1, 0]}, {}, "epochs must be a whole number ≥ 1, got 0"),
    ],
)
def test_what_does_not_suit_is_refused_before_a_file_is_begun(tmp_path, grid, recipe, told):
    with pytest.raises(ValueError, match=told):
        sweep(grid, recipe=recipe, file=tmp_path / "trials.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"validation": 0.0}, "Trials are compared on validation rows"),
        ({"metric": "rmse"}, "--metric rmse does not apply to classes"),
        ({"seeds": 0}, "seeds must be a whole number ≥ 1, got 0"),
        ({"class_weight": {"maybe": 2.0}}, "Unknown class 'maybe'"),
        ({"resume": True}, "resume=True needs the file of the search to continue: pass file"),
    ],
)
def test_settings_are_checked(settings, told):
    with pytest.raises(ValueError, match=told):
        sweep(**settings)


# Resuming


def test_what_the_file_holds_is_not_trained_again(planted, recorded):
    found = sweep(file=planted, resume=True)
    assert found.trials[0].scores == (-5.0,)
    assert found.best.number == 0
    assert found.importance[0].means[0] == -5.0
    (trained,) = told(planted)[2:]
    (whole,) = [line for line in told(recorded)[1:] if line["number"] == 1]
    assert_allclose(trained.pop("scores"), whole.pop("scores"), rtol=1e-4)
    assert trained["choices"] == whole["choices"]


@pytest.mark.slow
def test_the_networks_of_a_best_trial_of_an_earlier_run_are_trained_again(planted):
    found = sweep(file=planted, resume=True)
    alone = network.train(found.rows[0], found.recipes[0], seed=0, metric="loss", progress=False)
    expected = alone.model.predict_probabilities(TABLE)
    assert_allclose(found.model.predict_probabilities(TABLE), expected, rtol=1e-3, atol=1e-4)
    assert found.model.config["about"]["trial"]["scores"] == (-5.0,)


def test_a_search_that_is_complete_trains_nothing_but_the_best(recorded, tmp_path, monkeypatch):
    path = tmp_path / "trials.jsonl"
    path.write_bytes(recorded.read_bytes())
    monkeypatch.setattr("jaxnn.search.trial_runs.train_many", None)
    found = sweep(file=path, resume=True)
    assert path.read_bytes() == recorded.read_bytes()
    assert len(found.trials) == 2
    assert found.model is not None


OTHER = experiments.source({**TABLE, "ill": TABLE["ill"][::-1]}, target="ill")
HEAVIER = experiments.source({**TABLE, "w": [1.0] * 30 + [2.0] * 30}, target="ill", weight="w")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"grid": {"learning_rate": [0.003, 0.3]}}, r"grid is {\"learning_rate\": \[0.003, 0.03\]}, but this run's is"),
        ({"recipe": {**FIXED, "epochs": 2}}, "recipe"),
        ({"seed": 1}, "seed is 0, but this run's is 1"),
        ({"seeds": 2}, "seeds is 1, but this run's is 2"),
        ({"metric": "accuracy"}, 'metric is "loss", but this run\'s is "accuracy"'),
        ({"test": 0.3}, "test is 0.2, but this run's is 0.3"),
        ({"validation": 0.3}, "validation is 0.25, but this run's is 0.3"),
        ({"class_weight": "balanced"}, "class_weight is null"),
        ({"class_weight_on_validation": False}, "class_weight_on_validation is true, but this run's is false"),
        (
            {"rows": experiments.source(TABLE, name="other", target="ill")},
            'data is "table", but this run\'s is "other"',
        ),
        ({"rows": OTHER}, "rows, their columns, weights or split are not those of this run"),  # the same inputs
        ({"rows": HEAVIER}, "rows, their columns, weights or split are not those of this run"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_file_of_another_search_is_refused_and_what_differs_is_named(recorded, changed, named):
    before = recorded.read_bytes()
    with pytest.raises(ValueError, match=f"records another run: its {named}"):
        sweep(**changed, file=recorded, resume=True)
    assert recorded.read_bytes() == before


def test_a_file_is_not_begun_twice_and_tune_does_not_continue_a_sweep(recorded):
    with pytest.raises(ValueError, match=r"exists already: add --resume .*--trials"):
        sweep(file=recorded)
    with pytest.raises(ValueError, match='its kind is "sweep", but this run\'s is "tune"'):
        search.tune(SOURCE, FIXED, seconds=1.0, folds=None, file=recorded, resume=True, **SPLIT)


@pytest.mark.slow
@pytest.mark.usefixtures("in_the_foreground")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_search_and_resumed_it_is_as_if_nothing_had_been(tmp_path, monkeypatch, name):
    grid, path = {"hidden": [(4,), (5,)]}, tmp_path / "trials.jsonl"
    fixed = {"epochs": 3, "batch_size": 16}
    add = record.Record.add

    def signalled(self, trial, trained):
        """With the last epoch of the first program, when nothing runs that it could end."""
        add(self, trial, trained)
        os.kill(os.getpid(), getattr(signal, name))

    with monkeypatch.context() as patched:
        patched.setattr(record.Record, "add", signalled)
        found = sweep(grid, recipe=fixed, file=path)
    assert found.interrupted == name
    assert [trial.number for trial in found.trials] == [0]
    assert found.best.number == 0
    assert (found.model, found.scores) == (None, {})
    assert [line["number"] for line in told(path)[1:]] == [0]
    resumed = sweep(grid, recipe=fixed, file=path, resume=True)
    whole = sweep(grid, recipe=fixed)
    assert resumed.interrupted is None
    assert resumed.best.number == whole.best.number
    assert [trial.choices for trial in resumed.trials] == [trial.choices for trial in whole.trials]
    assert_allclose([trial.score for trial in resumed.trials], [trial.score for trial in whole.trials], rtol=1e-4)
    predicted = [each.model.predict_probabilities(TABLE) for each in (resumed, whole)]
    assert_allclose(*predicted, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("in_the_foreground")
def test_a_signal_while_the_best_is_trained_again_ends_the_search_without_a_model(recorded, tmp_path, monkeypatch):
    path = tmp_path / "trials.jsonl"
    path.write_bytes(recorded.read_bytes())

    def signalled(jobs, **settings):
        os.kill(os.getpid(), signal.SIGTERM)
        return train_many(jobs, **settings)

    monkeypatch.setattr("jaxnn.search.result.train_many", signalled)
    found = sweep(file=path, resume=True)
    assert (found.interrupted, found.model, found.scores) == ("SIGTERM", None, {})
    assert len(found.trials) == 2


@pytest.mark.slow
def test_no_program_begins_once_it_is_enough(swept):
    found, _ = swept
    jobs = [Job(found.rows[0], found.recipes[0]._replace(hidden=(units,)), 0) for units in (4, 5)]
    asked = []
    trained = train_many(jobs, metric="loss", enough=lambda: not asked.append(1))
    assert [len(each.fit.history.loss) > 0 for each in trained] == [True, False]
    assert [each.model.config["sizes"] for each in trained] == [[3, 4, 2], [3, 5, 2]]
    assert asked == [1]  # not before the first


# Tuning: what is drawn

SPACE = {"learning_rate": LogUniform(1e-4, 1e-1)}


@pytest.fixture
def untrained(monkeypatch):
    """Trials that end at once, halved, without training: the choices of each, and the judge."""
    seen = []

    def at_once(work, settings, report, *, judge):
        seen.append((dict(settings), judge))
        for number, choices in settings.items():
            report(Trial(number, dict(choices), (1.0,), (1,), (1.0,), {}, "halved", 0.0), [])

    monkeypatch.setattr(searches, "run_trials", at_once)
    return seen


def tune(recipe=FIXED, **settings):
    return search.tune(SOURCE, recipe, **{**SPLIT, "seconds": 1e9, "folds": None, **settings})


def test_as_many_trials_as_asked_for_and_each_as_it_is_drawn(untrained):
    found = tune(space=SPACE, max_trials=20, seed=3)
    assert [trial.number for trial in found.trials] == list(range(20))
    assert [trial.choices for trial in found.trials] == [search.draw(SPACE, 3, number) for number in range(20)]
    assert [list(settings) for settings, _ in untrained] == [[0], list(range(1, 16)), list(range(16, 20))]
    assert (found.best, found.model) == (None, None)
    assert [trial.number for trial in tune(space=SPACE, max_trials=1).trials] == [0]


def test_what_is_drawn_does_not_depend_on_time(untrained, monkeypatch):
    whole = tune(max_trials=40)
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(searches.time, "monotonic", lambda: next(clock))
    short = tune(seconds=4.5)
    assert 1 < len(short.trials) < 40
    assert [trial.choices for trial in short.trials] == [trial.choices for trial in whole.trials][: len(short.trials)]


def test_a_resumed_search_draws_what_is_missing(untrained, tmp_path):
    path = tmp_path / "trials.jsonl"
    whole = tune(max_trials=20, file=path)
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text(header + "".join(line for line in lines if json.loads(line)["number"] not in (0, 3, 17)))
    untrained.clear()
    resumed = tune(max_trials=20, file=path, resume=True)
    assert [list(settings) for settings, _ in untrained if settings] == [[0], [3], [17]]
    assert resumed.trials == whole.trials
    more = tune(max_trials=24, file=path, resume=True)
    assert more.trials[:20] == whole.trials


def test_trials_of_an_earlier_run_are_known_to_the_judge(untrained, tmp_path):
    path = tmp_path / "trials.jsonl"
    tune(space=SPACE, max_trials=3, metric="accuracy", file=path)
    untrained.clear()
    tune(space=SPACE, max_trials=5, metric="accuracy", file=path, resume=True)
    judge = untrained[-1][1]
    assert judge.reached == {0: [-1.0], 1: [-1.0], 2: [-1.0]}  # lower is better there
    assert judge.spared == {0}
    assert judge.rungs == (1, 3)


def test_what_is_fixed_is_not_drawn(untrained):
    fixed = {**FIXED, "learning_rate": 0.5}
    found = tune(fixed, max_trials=3)
    assert {name for trial in found.trials for name in trial.choices} == {"weight_decay", "dropout", "activation"}
    assert {(recipe.hidden, recipe.learning_rate, recipe.batch_size) for recipe in found.recipes} == {((4,), 0.5, 16)}


def test_few_rows_are_compared_on_folds_and_many_on_one_split(untrained, monkeypatch):
    assert len(tune(max_trials=1, folds="auto").rows) == 5
    monkeypatch.setattr(searches, "FOLDS_BELOW", N)
    assert len(tune(max_trials=1, folds="auto").rows) == 1
    assert len(tune(max_trials=1, folds=3).rows) == 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"seconds": 0.0}, "seconds must be > 0"),
        ({"max_trials": 0}, "max_trials must be a whole number ≥ 1"),
        ({"folds": "many"}, "Unknown folds 'many'"),
        ({"space": {"learning_rat": LogUniform(1e-3, 1e-1)}, "max_trials": 2}, "Did you mean 'learning_rate'"),
        (
            {"space": {"learning_rate": [1e-3, 1e-1]}, "max_trials": 2},
            "must be searched by Uniform, LogUniform or Choice",
        ),
    ],
)
def test_settings_of_tune_are_checked(untrained, settings, told):
    with pytest.raises(ValueError, match=told):
        tune(**settings)


# Tuning: what is trained


@pytest.fixture(scope="module")
def tuned():
    """Ten trials of nine epochs with rungs after one and three."""
    return tune({**FIXED, "epochs": 9, "patience": 0}, space={"learning_rate": LogUniform(1e-5, 1.0)}, max_trials=10)


@pytest.mark.slow
def test_the_defaults_are_trained_to_their_end_and_the_worse_trials_are_not(tuned):
    first, *others = tuned.trials
    assert (first.number, first.choices, first.stop) == (0, {}, "finished")
    assert len(first.rungs) == 2
    halved = [trial for trial in others if trial.stop == "halved"]
    # Of ten at a rung the best three go on, and of these at most one more than the best and the defaults.
    assert len(halved) >= 6
    for trial in halved:
        assert len(trial.rungs) in (1, 2)
        assert max(trial.epochs) <= (1, 3)[len(trial.rungs) - 1]
        assert_allclose(trial.score, trial.rungs[-1], rtol=1e-6)
    assert tuned.best.stop == "finished"
    assert tuned.best.score <= first.score
    assert set(tuned.scores) == ({"test"} if tuned.best == first else {"test", "test, defaults"})


def test_with_hardly_any_time_the_defaults_are_still_trained(tmp_path):
    path = tmp_path / "trials.jsonl"
    found = tune({**FIXED, "epochs": 9, "patience": 0}, space=SPACE, seconds=1e-3, file=path)
    assert [(trial.number, trial.stop) for trial in found.trials] == [(0, "finished")]
    assert found.best == found.trials[0]
    assert set(found.scores) == {"test"}
    again = tune({**FIXED, "epochs": 9, "patience": 0}, space=SPACE, seconds=1e-3, file=path, resume=True)
    assert again.trials == found.trials


@pytest.mark.slow
def test_the_snippets_of_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    assert [trial.number for trial in names["more"].trials] == list(range(16))
    assert len(trials.read("iris.jsonl")[1]) == 16
