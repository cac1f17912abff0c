"""Leaks, duplicates and rare classes are told with what to do; honest columns and bundled data sets raise no alarm."""

import numpy as np
import pytest

from jaxnn import data, experiments
from jaxnn.experiments.pitfalls import pitfalls
from jaxnn.experiments.rows import split_and_preprocess

N = 400
RNG = np.random.default_rng(0)
PRICE = np.exp(RNG.normal(5, 1, N))
GRADE = np.array(["a", "b", "c"], object)[RNG.integers(0, 3, N)]
NOISE = RNG.normal(size=N)
OTHER_NOISE = np.random.default_rng(1).normal(size=N)


def told(table, target, **words):
    source = experiments.source(table | {"noise": NOISE}, target=target)
    return pitfalls(split_and_preprocess(source, validation=0.2, test=0.2, seed=0), **words)


LEAKS = {
    "equal": ({"z": PRICE * 100}, PRICE),
    "logarithm": ({"z": np.log(PRICE)}, PRICE),
    "falling": ({"z": -PRICE}, PRICE),
    "with gaps": ({"z": np.where(np.arange(N) % 5, PRICE, np.nan)}, PRICE),
    "means": ({"z": GRADE}, np.array([{"a": 1.5, "b": 2.5, "c": 7.25}[grade] for grade in GRADE]) + 1e-4 * NOISE),
    "codes": ({"z": np.array([{"a": 7, "b": 3, "c": 5}[grade] for grade in GRADE])}, GRADE),
    "words": ({"z": [f"was {grade}" for grade in GRADE]}, GRADE),
    "threshold": ({"z": PRICE}, np.where(PRICE > 200, "much", "little")),
    "missing": ({"z": np.where(GRADE == "a", np.nan, NOISE)}, np.where(GRADE == "a", "yes", "no")),
}


@pytest.mark.parametrize("case", LEAKS)
def test_a_leak_is_told_with_what_to_do(case):
    table, target = LEAKS[case]
    (line,) = told(table | {"y": target}, "y")
    assert line.startswith("column 'z' alone predicts 'y' almost perfectly (")
    assert line.endswith("then drop it (drop='z'; --drop z)")


def test_a_target_that_is_a_sum_of_columns_is_told():
    members, others = RNG.poisson(50, N), RNG.poisson(9, N)
    (line,) = told({"members": members, "others": others, "grade": GRADE, "y": members + others}, "y")
    assert line.startswith(
        "'y' is a weighted sum of 'members', 'others', up to rounding: if these are not known before"
    )
    assert told({"members": members, "others": others, "y": members + others + 0.1 * NOISE**2}, "y") == ()
    assert told({"members": members, "y": members * others}, "y") == ()


HONEST = {
    "correlated": ({"z": PRICE * np.exp(0.1 * NOISE)}, PRICE),
    "a tenth wrong": ({"z": np.where(np.arange(N) % 10, GRADE, "a")}, GRADE),
    "some wrong of a rare class": ({"z": np.arange(N) % 11 == 0}, np.where(np.arange(N) % 11 % 10 == 0, "yes", "no")),
    "threshold with noise": ({"z": PRICE}, np.where(PRICE + 10 * NOISE > 200, "much", "little")),
    "many categories": ({"z": [f"w{j // 4}" for j in range(N)]}, (np.arange(N) // 4) % 7 + 0.5 * OTHER_NOISE),
    "a quarter": ({"z": np.floor(PRICE / 50)}, PRICE),
}


@pytest.mark.parametrize("case", HONEST)
def test_an_honest_column_raises_no_alarm(case):
    table, target = HONEST[case]
    assert told(table | {"y": target}, "y") == ()


def test_the_only_column_is_no_leak():
    source = experiments.source({"x": PRICE, "y": np.log(PRICE)}, target="y")
    assert pitfalls(split_and_preprocess(source, validation=0.2, test=0.2, seed=0)) == ()


def test_duplicates_across_the_split_are_counted():
    twice = np.arange(N) // 2
    table = {"x": NOISE[twice], "town": GRADE[twice], "y": PRICE[twice]}
    source = experiments.source(table, target="y")
    rows = split_and_preprocess(source, validation=0.2, test=0.2, seed=0)
    train = set(twice[rows.split.train].tolist())
    expected = [
        sum(twin in train for twin in twice[part].tolist()) for part in (rows.split.validation, rows.split.test)
    ]
    (line,) = pitfalls(rows)
    assert line.startswith(f"duplicates: {expected[0]} of 80 validation rows, {expected[1]} of 80 test rows are also")


def test_rows_that_agree_by_chance_are_no_duplicates():
    table = {"a": GRADE, "b": NOISE > 0, "y": np.where(np.arange(N) % 3, "yes", "no")}
    source = experiments.source(table, target="y")
    assert pitfalls(split_and_preprocess(source, validation=0.2, test=0.2, seed=0)) == ()


def test_a_rare_class_is_told_unless_classes_have_weights():
    rare = {"y": np.where(np.arange(N) % 40, "no", "yes")}
    (line,) = told(rare, "y")
    assert line.startswith("class 'yes' has only 6 training rows of 240 (2.5 %)")
    assert "--class-weight balanced" in line
    assert "--metric roc_auc" in line
    assert told(rare, "y", weighted=True) == ()
    many = {"y": [f"c{j % 30}" for j in range(N)]}  # 3 % each, but none rarer than the others
    assert told(many, "y") == ()


@pytest.mark.parametrize("name", [name for name in data.NAMES if name != "fashion_mnist"])
def test_bundled_data_sets_raise_no_alarm(name):
    for seed in range(5):
        rows = split_and_preprocess(experiments.source(name), validation=0.2, test=0.2, seed=seed)
        assert pitfalls(rows) == ()


def test_a_run_carries_the_warnings():
    recipe = {"hidden": (2,), "epochs": 1, "batch_size": 256}
    source = experiments.source({"z": np.log(PRICE), "noise": NOISE, "y": PRICE}, target="y")
    outcome = experiments.run(source, recipe, progress=False, compare=False)
    assert any(note.startswith("column 'z' alone predicts 'y'") for note in outcome.notes)
