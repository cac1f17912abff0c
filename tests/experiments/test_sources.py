from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jaxnn import data, experiments
from tests.cli.conftest import as_csv, rows_of_patients

COLUMNS = {"target": "cost", "drop": ("id", "stroke")}


def test_a_file_a_table_and_frames_hold_the_same(tmp_path):
    columns = rows_of_patients()
    path = tmp_path / "patients.csv"
    path.write_text(as_csv(columns), encoding="utf-8")
    given = [path, str(path), data.read_table(path), columns, pd.DataFrame(columns), pl.DataFrame(columns)]
    found = [experiments.source(each, **COLUMNS) for each in given]
    assert [each.name for each in found] == [str(path), str(path), "table", "table", "table", "table"]
    for each in found:
        assert (each.n_rows, each.dataset) == (60, None)
        assert np.asarray(each.target).tolist() == columns["cost"]
        assert (each.problem, each.reason) == ("numbers", "the values are numbers with fractions")


def test_a_source_is_given_back_and_knows_its_columns():
    source = experiments.source(rows_of_patients(), name="patients", **COLUMNS)
    assert source.name == "patients"
    assert source.columns == experiments.Columns(**COLUMNS)
    assert experiments.source(source) is source
    with pytest.raises(ValueError, match="already a Source"):
        experiments.source(source, target="stroke")


def test_a_name_alone_is_as_good_as_a_list_of_one():
    assert experiments.source(rows_of_patients(), target="cost", drop="id").columns.drop == ("id",)


def test_arrays_are_a_data_set_whose_problem_is_read():
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 3
    source = experiments.source((x, y))
    assert (source.problem, source.dataset.problem) == ("classes", "classes")
    assert source.reason.startswith("the values are whole numbers, 3 different ones in 20 rows; if they are amounts: ")
    assert source.dataset.feature_names == ("x0", "x1")
    assert experiments.source((x, y), problem="numbers").dataset.problem == "numbers"
    assert experiments.source((x, x[:, 0] / 7)).dataset.problem == "numbers"


def test_a_data_set_of_ones_own(tmp_path, monkeypatch):
    own = data.load("xor", n=50, seed=3)
    source = experiments.source(own)
    assert (source.name, source.n_rows, source.reason) == ("xor", 50, "stated by the data set")
    monkeypatch.chdir(tmp_path)
    Path("iris").write_text("a,b\n1.5,2\n", encoding="utf-8")
    assert experiments.source("iris").n_rows == 150
    assert experiments.source("./iris", target="b").n_rows == 1
    assert experiments.source(Path("iris"), target="b").n_rows == 1


@pytest.mark.parametrize(
    ("rows", "said", "told"),
    [
        ("digitz", {}, "Did you mean 'digits'?"),
        (".", {}, "is a folder"),
        ({"a": [1.0], "b": [2.0]}, {}, "The target column is missing: add --target COLUMN, one of a, b"),
        ({"a": [1.0], "b": [2.0]}, {"target": "c"}, "Unknown target column 'c'"),
        ({"a": [1.0], "b": [2.0]}, {"target": "a", "weight": "w"}, "Unknown weight column 'w'"),
        ({"a": [1.0], "b": [2.0]}, {"target": "a", "problem": "clases"}, "Did you mean 'classes'?"),
        ("iris", {"target": "petal"}, "has a fixed target, 'species'"),
        ("iris", {"drop": ("petal",)}, "which apply to files"),
        ((np.zeros((3, 2)), np.zeros(4)), {}, "Inputs have 3 rows, but targets have 4"),
        ((np.zeros((3, 2)), np.arange(3.0), np.ones(2)), {}, "Inputs have 3 rows, but weights have 2"),
        ((np.zeros(3), np.zeros(3)), {}, r"must have shape \(rows, columns\)"),
        ((np.zeros((3, 2)),), {}, r"Arrays must be given as \(x, y\) or \(x, y, weight\), got 1"),
    ],
    ids=str,
)
def test_what_is_no_source_is_refused(rows, said, told):
    with pytest.raises(ValueError, match=told):
        experiments.source(rows, **said)


def test_what_is_no_table_at_all_is_refused():
    with pytest.raises(TypeError, match="A table must be a mapping"):
        experiments.source(3.0, target="a")
