"""Columns of DataFrames: nulls stay nulls, and a categorical dtype decides, whatever it is made of."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow
import pytest

from jaxnn import data, preprocessing

N = 40
TOWNS = [None if j % 9 == 4 else ["Bonn", "Ulm", "Köln"][j % 3] for j in range(N)]
GRADES = [None if j == 7 else [3, 1, 2][j % 3] for j in range(N)]
Y = [j * 0.5 for j in range(N)]
EXPECTED = preprocessing.fit({"town": TOWNS, "grade": GRADES, "y": Y}, "y", category="grade")


def arrow():
    town = pyarrow.array(TOWNS).dictionary_encode()
    return pyarrow.table({"town": town, "grade": pyarrow.array(GRADES).dictionary_encode(), "y": Y})


def chunked():
    return pyarrow.concat_tables([arrow().slice(0, 11), arrow().slice(11)]).unify_dictionaries()


def categorical():
    return pd.DataFrame({"town": pd.Categorical(TOWNS), "grade": pd.Categorical(GRADES), "y": Y})


def bare():
    town = pyarrow.array(TOWNS).dictionary_encode()
    return {"town": town, "grade": pd.Categorical(GRADES), "y": np.array(Y)}


def polars():
    frame = pl.DataFrame({"town": TOWNS, "grade": [None if g is None else str(g) for g in GRADES], "y": Y})
    return frame.with_columns(pl.col("town").cast(pl.Categorical), pl.col("grade").cast(pl.Categorical))


@pytest.mark.parametrize("frame", [arrow, chunked, categorical, bare, polars])
def test_nulls_stay_nulls_and_integers_stay_categories(frame):
    table = frame()
    p = preprocessing.fit(table, "y")
    assert p == EXPECTED
    assert p.columns[0].categories == ("Bonn", "Köln", "Ulm")
    assert p.columns[1].categories == ("1", "2", "3")
    assert [column.missing for column in p.columns] == ["marked", "marked"]
    inputs = p.inputs(table)
    np.testing.assert_array_equal(inputs, EXPECTED.inputs({"town": TOWNS, "grade": GRADES}))
    np.testing.assert_array_equal(inputs[:, 3], [town is None for town in TOWNS])
    np.testing.assert_array_equal(inputs[:, :3].sum(axis=1), [town is not None for town in TOWNS])


@pytest.mark.parametrize("frame", [arrow, categorical])
def test_a_parquet_file_keeps_them(frame, tmp_path):
    table = frame()
    (table.to_pandas() if hasattr(table, "to_pandas") else table).to_parquet(tmp_path / "t.parquet")
    p = preprocessing.fit(data.read_table(tmp_path / "t.parquet"), "y")
    assert p.columns[0].categories == ("Bonn", "Köln", "Ulm")
    assert p.columns[1].categories == ("1", "2", "3")


def test_a_list_with_nan_between_texts():
    p = preprocessing.fit({"town": ["Bonn", float("nan"), "Ulm"] * 4, "y": range(12)}, "y")
    assert p.columns[0].categories == ("Bonn", "Ulm")
    assert p.columns[0].missing == "marked"


@pytest.mark.parametrize("values", [pd.Categorical([True, False, None] * 12), [True, False, float("nan")] * 12])
def test_booleans_with_gaps_are_booleans(values):
    p = preprocessing.fit({"b": values, "y": np.arange(36) * 0.5}, "y", category="b")
    assert p.columns[0].categories == ("False", "True")
    np.testing.assert_array_equal(p.inputs({"b": np.array([True, False])}), [[0, 1, 0], [1, 0, 0]])
    number = preprocessing.fit({"b": list(values), "y": np.arange(36) * 0.5}, "y")
    assert (number.columns[0].kind, number.columns[0].missing) == ("boolean", "marked")


def test_a_categorical_target_is_classes_with_its_own_labels():
    y = pd.Series(pd.Categorical([3, 1, 2, 1] * 9))
    p = preprocessing.fit(pd.DataFrame({"x": np.arange(36) * 0.1, "y": y}), "y")
    assert p.target.classes == (1, 2, 3)
    assert p.labels(p.targets(y)).tolist() == y.tolist()
    assert preprocessing.problem_of(y) == ("classes", "the values are categorical by their dtype")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pd.DataFrame([[1.0, 2, 0]] * 4, columns=["a", "a", "y"]), "Columns 1 and 2 are both called 'a'"),
        (
            pd.DataFrame([[1.0, 2.0, 0]] * 4, columns=[1, "1", "y"]),
            r"Columns 1 and 2 are both called '1' \(int and str\)",
        ),
        ({1: [1.0, 2.0], "y": [0, 1], "1": [1.0, 2.0]}, r"Columns 1 and 3 are both called '1' \(int and str\)"),
        (pyarrow.table([[1.0], [2.0], [0]], names=["a", "y", "a"]), "Columns 1 and 3 are both called 'a'"),
    ],
)
def test_names_that_occur_twice_are_told(table, told):
    with pytest.raises(ValueError, match=told):
        preprocessing.fit(table, "y")


def test_a_parquet_file_with_a_name_twice_says_which(tmp_path):
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table([[1.0], [2.0], [0]], names=["a", "y", "a"]), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="two columns are called 'a'; rename one"):
        data.read_table(tmp_path / "t.parquet")
