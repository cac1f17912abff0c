"""Rows without a target are left out and counted, whatever the table is, and wherever rows are counted."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow
import pytest

from jaxnn import data, experiments
from jaxnn.experiments.folds import Folds, folded
from jaxnn.experiments.rows import split_and_preprocess

N = 60
RNG = np.random.default_rng(0)
HAS = np.arange(N) % 6 != 2
TABLE = {
    "x": RNG.normal(size=N),
    "town": np.array(["Bonn", "Ulm", None], object)[RNG.integers(0, 3, N)],
    "w": RNG.random(N) + 0.5,
    "y": np.where(HAS, RNG.normal(size=N), np.nan),
}
ALONE = {name: column[HAS] for name, column in TABLE.items()}


def kinds():
    yield "arrays", TABLE
    yield "lists", {name: column.tolist() for name, column in TABLE.items()}
    yield "Table", data.Table(TABLE, N, "somewhere")
    frame = pd.DataFrame(TABLE).astype({"town": "category"})
    yield "pandas", frame.set_index(pd.Index(RNG.permutation(N)))
    yield "pandas nullable", pd.DataFrame(TABLE).convert_dtypes()
    yield "polars", pl.DataFrame({name: column.tolist() for name, column in TABLE.items()})
    yield "pyarrow", pyarrow.Table.from_pandas(pd.DataFrame(TABLE))


@pytest.mark.parametrize(("kind", "table"), list(kinds()))
def test_rows_without_a_target_are_left_out_and_counted(kind, table):
    source = experiments.source(table, target="y", weight="w")
    (note,) = source.notes
    assert note == "10 rows of 60 without a target 'y' are left out: row 3 of 60 (and 9 more)"
    assert (source.n_rows, source.n_given) == (50, 60)
    np.testing.assert_array_equal(source.kept, np.flatnonzero(HAS))
    expected = split_and_preprocess(experiments.source(ALONE, target="y", weight="w"), validation=0.2, test=0.2, seed=0)
    rows = split_and_preprocess(source, validation=0.2, test=0.2, seed=0)
    np.testing.assert_array_equal(rows.x, expected.x)
    np.testing.assert_array_equal(rows.y, expected.y)
    np.testing.assert_array_equal(rows.weight, expected.weight)


def test_arrays_and_classes():
    labels = np.array([["a", "b"][j % 2] if has else None for j, has in enumerate(HAS)], object)
    source = experiments.source((TABLE["x"][:, None], labels, TABLE["w"]))
    assert source.problem == "classes"
    assert source.n_rows == 50
    np.testing.assert_array_equal(source.rows[:, 0], TABLE["x"][HAS])
    np.testing.assert_array_equal(source.weight, TABLE["w"][HAS])
    assert "10 rows of 60 without a target" in source.notes[0]


def test_a_declared_missing_text_is_no_target():
    table = {"x": TABLE["x"], "y": [["good", "bad", "unknown"][j % 3] for j in range(N)]}
    source = experiments.source(table, target="y", missing="unknown")
    assert source.n_rows == 40


def test_no_target_at_all_is_refused():
    with pytest.raises(ValueError, match="holds no values"):
        experiments.source({"x": TABLE["x"], "y": [None] * N}, target="y")


@pytest.mark.parametrize("as_arrays", [False, True])
def test_values_missing_only_beside_missing_targets_are_accepted_later(as_arrays):
    x = np.where(HAS, TABLE["x"], np.nan)
    if as_arrays:
        source = experiments.source((x[:, None], TABLE["y"]))
    else:
        source = experiments.source({"x": x, "y": TABLE["y"]}, target="y")
    fitted = split_and_preprocess(source, validation=0.2, test=0.2, seed=0).preprocessing
    assert fitted.columns[0].missing == "filled"
    np.testing.assert_allclose(fitted.inputs(x[:, None] if as_arrays else {"x": x})[~HAS], 0, atol=1e-15)


def test_groups_and_row_numbers_count_the_rows_as_given():
    pytest.importorskip("sklearn")
    source = experiments.source(TABLE, target="y", weight="w")
    groups = np.arange(N) // 4
    alone = folded(experiments.source(ALONE, target="y", weight="w"), Folds(3, groups=groups[HAS]))
    for fold, expected in zip(folded(source, Folds(3, groups=groups)), alone, strict=True):
        np.testing.assert_array_equal(fold.split.validation, expected.split.validation)
    (fold,) = folded(source, [(np.arange(40), np.arange(40, N))])
    np.testing.assert_array_equal(source.kept[fold.split.train], np.flatnonzero(HAS)[np.flatnonzero(HAS) < 40])
    np.testing.assert_array_equal(source.kept[fold.split.validation], np.flatnonzero(HAS)[np.flatnonzero(HAS) >= 40])
    with pytest.raises(ValueError, match="beyond 0 to 59"):
        folded(source, [(np.arange(40), [60])])


def test_faults_of_the_target_and_of_columns_are_told_together():
    table = TABLE | {"list": [{}] * N, "y": ["1,045", "2,310"] * (N // 2)}
    with pytest.raises(ValueError, match=r"(?s)2 faults.*'1,045'.*type dict"):
        experiments.source(table, target="y")


def test_a_whole_run():
    recipe = {"hidden": (2,), "epochs": 1, "batch_size": 64}
    outcome = experiments.run(experiments.source(TABLE, target="y"), recipe, progress=False, compare=False)
    assert outcome.notes[0].startswith("10 rows of 60 without a target")
    assert len(outcome.outputs) == 50
    assert sum(outcome.about["rows"].values()) == 50


def test_rows_in_notes_and_faults_are_those_of_the_table_that_was_given():
    size = [f"{value:.1f}" for value in RNG.normal(50, 9, N)]
    size[9] = "unknown"  # the eighth of the rows with a target
    source = experiments.source(TABLE | {"size": size}, target="y")
    notes = split_and_preprocess(source, validation=0.2, test=0.2, seed=0).preprocessing.notes
    assert any("'size' holds numbers, but also 'unknown' in row 10 of 60" in note for note in notes)
    size[9] = "12o.5"
    source = experiments.source(TABLE | {"size": size}, target="y")
    with pytest.raises(ValueError, match=r"'12o\.5' in row 10 of 60"):
        split_and_preprocess(source, validation=0.2, test=0.2, seed=0)
    assert "'12o.5' in row 10 of 60" in str(experiments.explain_columns(source))
