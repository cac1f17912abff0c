"""The practitioner's run from Python: the numbers of the command line, from whatever holds the rows."""

import re

import jax
import numpy as np
import pandas as pd
import pytest

from jaxnn import data, experiments, metrics, training
from jaxnn.cli import main
from tests.cli.conftest import as_csv, rows_of_patients

RECIPE = {"hidden": (4,), "epochs": 3, "batch_size": 16}
FAST = ("--hidden", "4", "--epochs", "3", "--batch-size", "16")
PROBLEMS = {
    "classes": {"target": "stroke", "drop": ("id", "cost")},
    "numbers": {"target": "cost", "drop": ("id", "stroke"), "weight": "weight"},
}


def quick(rows, **words):
    return experiments.run(rows, RECIPE, **{"seed": 3, "progress": False, **words})


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (first, second)), strict=True))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "patients.csv"
    path.write_text(as_csv(rows_of_patients()), encoding="utf-8")
    return path


@pytest.mark.by_default("numbers")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_numbers_are_the_command_lines(problem, path, tmp_path, capsys):
    columns = PROBLEMS[problem]
    argv = ["train", path, "--target", columns["target"], "--drop", *columns["drop"], "--seed", 3, *FAST]
    argv += ["--weight", columns["weight"]] if "weight" in columns else []
    assert main([*map(str, argv), "--out", str(tmp_path / "m"), "--history", str(tmp_path / "h")]) == 0
    saved = training.load(tmp_path / "m")
    for rows in (path, rows_of_patients(), pd.DataFrame(rows_of_patients())):
        outcome = quick(experiments.source(rows, **columns))
        assert outcome.rows.problem.name == problem
        assert same(outcome.model.params, saved.params)
        assert outcome.scores == saved.config["about"]["metrics"]
        # A note shows the only value of a column as it stands, in the table as the text '7'.
        assert outcome.model.preprocessing._replace(notes=()) == saved.preprocessing._replace(notes=())
    outcome = quick(experiments.source(path, **columns), history_file=tmp_path / "mine")
    training.save(tmp_path / "again", outcome.model)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    assert len((tmp_path / "mine").read_text().splitlines()) == len((tmp_path / "h").read_text().splitlines()) == 3
    told = capsys.readouterr().out
    for name, values in (outcome.scores | outcome.baselines).items():
        line = next(line for line in told.splitlines() if line.startswith(f"{name}  "))
        assert f"{next(iter(values.values())):.4f}" in line


@pytest.mark.by_default("diabetes")
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_arrays_give_the_numbers_of_the_data_set(name):
    dataset = data.load(name)
    named, arrays = quick(name, seed=0), quick((dataset.x, dataset.y), seed=0)
    assert same(named.model.params, arrays.model.params)
    assert (named.scores, named.baselines) == (arrays.scores, arrays.baselines)
    assert set(arrays.baselines) == {f"test, {each}" for each in arrays.rows.problem.baselines}
    np.testing.assert_array_equal(named.outputs, arrays.outputs)


def test_weights_of_rows_in_memory_count():
    """They change what is learnt, and a score is that of the rows that have some."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(80, 2)), rng.permutation(np.repeat([1.0, 0.0], 40))
    y = x[:, 0] + 0.1 * x[:, 1]
    plain, weighted = quick((x, y), compare=False), quick((x, y, weight), compare=False)
    assert not same(plain.model.params, weighted.model.params)
    judged = weighted.rows.split.test[weight[weighted.rows.split.test] > 0]
    predictions = weighted.model.predict(x)
    assert weighted.scores["test"]["MAE"] == pytest.approx(metrics.mae(y[judged], predictions[judged]), rel=1e-6)


def test_the_outcome_says_what_was_done(path):
    outcome = quick(experiments.source(path, **PROBLEMS["classes"]))
    split = outcome.rows.split
    assert sorted(np.concatenate(split)) == list(range(60))
    assert (outcome.recipe.hidden, outcome.recipe.optimiser) == ((4,), "adamw")
    assert len(outcome.history.loss) == 3
    assert (outcome.stop, outcome.learnt, outcome.interrupted) == ("all 3 epochs done", True, None)
    assert outcome.notes == (*outcome.model.preprocessing.notes, *outcome.fit.notes)
    assert outcome.outputs.shape == (60, 2)
    answers = outcome.model.predict(rows_of_patients())[split.test]
    truth = np.array(rows_of_patients()["stroke"])[split.test]
    assert outcome.scores["test"]["accuracy"] == np.mean(answers == truth)
    with pytest.raises(AttributeError):
        outcome.seed = 4


def test_a_recipe_of_one_run_makes_the_next():
    first = quick("iris", compare=False)
    again = experiments.run("iris", first.recipe, seed=3, compare=False, progress=False)
    other = experiments.run("iris", first.recipe._replace(learning_rate=0.03), seed=3, compare=False, progress=False)
    assert same(first.model.params, again.model.params)
    assert not same(first.model.params, other.model.params)
    assert first.baselines == {}


def test_a_listener_is_told_in_turn():
    told = []

    def hear(name):
        return lambda *what: told.append((name, *what))

    listener = experiments.Listener(*map(hear, experiments.Listener._fields))
    outcome = quick("iris", listener=listener)
    assert [name for name, *_ in told] == ["prepared", "epoch", "epoch", "epoch", "trained", "tested"]
    assert told[0][2] == outcome.recipe
    assert [each.epoch for name, each in told[1:4]] == [1, 2, 3]
    assert told[4][1] is outcome.fit
    assert told[5][1] == outcome._replace(baselines={})


def test_a_listener_can_end_the_training():
    outcome = quick("iris", listener=experiments.Listener(epoch=lambda epoch: epoch.epoch == 2))
    assert len(outcome.history.loss) == 2
    assert outcome.baselines


def test_a_training_that_diverges_at_once_is_an_outcome_without_scores():
    heard = []
    listener = experiments.Listener(trained=heard.append, tested=heard.append)
    recipe = RECIPE | {"learning_rate": 1e30}
    outcome = experiments.run("iris", recipe, seed=3, progress=False, listener=listener)
    assert not outcome.learnt
    assert outcome.stop.startswith("the loss became non-finite")
    assert (outcome.scores, outcome.baselines, heard) == ({}, {}, [])


@pytest.mark.parametrize(
    ("argv", "columns", "words"),
    [
        ((), {}, {}),
        (("--target", "strok"), {"target": "strok"}, {}),
        (("--target", "stroke", "--drop", "idd"), {"target": "stroke", "drop": "idd"}, {}),
        (("--target", "stroke", "--weight", "smoker"), {"target": "stroke", "weight": "smoker"}, {}),
        (
            ("--target", "stroke", "--drop", "id", "--metric", "r2"),
            {"target": "stroke", "drop": "id"},
            {"metric": "r2"},
        ),
        (
            ("--target", "stroke", "--drop", "id", "--metric", "top_k_accuracy"),
            {"target": "stroke", "drop": "id"},
            {"metric": "top_k_accuracy"},
        ),
        (
            ("--target", "cost", "--drop", "id", "--class-weight", "balanced"),
            {"target": "cost", "drop": "id"},
            {"class_weight": "balanced"},
        ),
        (
            ("--target", "stroke", "--drop", "id", "--class-weight", "wel=2"),
            {"target": "stroke", "drop": "id"},
            {"class_weight": {"wel": 2.0}},
        ),
        (("--target", "cost", "--drop", "id", "--test", "0.01"), {"target": "cost", "drop": "id"}, {"test": 0.01}),
        (
            ("--target", "cost", "--drop", "id", "--optimiser", "newton", "--dropout", "0.1"),
            {"target": "cost", "drop": "id"},
            {"recipe": {"optimiser": "newton", "dropout": 0.1}},
        ),
        (
            ("--target", "cost", "--drop", "id", "--hidden", "1000000,1000000"),
            {"target": "cost", "drop": "id"},
            {"recipe": {"hidden": (1_000_000, 1_000_000)}},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_raises_the_sentence_that_the_command_line_prints(argv, columns, words, path, capsys):
    assert main(["train", str(path), *argv]) == 2
    told = capsys.readouterr().err.removeprefix("jaxnn: ").strip()
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        experiments.run(experiments.source(path, **columns), **{"progress": False, **words})


def test_too_few_rows_in_memory_are_refused():
    with pytest.raises(ValueError, match="'arrays' has 3 rows: at least 10 are needed"):
        quick((np.eye(3), np.arange(3.5, 6.5)))


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
        quick("iris", metric="acuracy")
    with pytest.raises(ValueError, match="Did you mean 'tanh'"):
        experiments.run("iris", {"activation": "thanh"}, progress=False)
