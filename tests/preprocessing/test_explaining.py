"""What is done with each column is told before training, faults included, and agrees with what `fit` does."""

import numpy as np
import pytest

from jaxnn import experiments, preprocessing

N = 100
RNG = np.random.default_rng(0)
TABLE = {
    "case": np.arange(N) + 500,
    "name": [f"Mr {j}" for j in range(N)],
    "when": [f"{j % 28 + 1}.{j % 12 + 1}.2021" for j in range(N)],
    "town": np.array(["Bonn", "Ulm", None], object)[RNG.integers(0, 3, N)],
    "age": [*map(str, RNG.integers(20, 80, N - 1)), "unknown"],
    "ill": RNG.random(N) < 0.5,
    "fee": [f"$1,{j:03d}.50" for j in range(N)],
    "one": [3] * N,
    "nothing": [None] * N,
    "price": RNG.normal(size=N),
}


def test_every_column_has_a_row_that_agrees_with_the_fit():
    found = preprocessing.explain(TABLE, "price")
    p = preprocessing.fit(TABLE, "price")
    rows = {row.column: row for row in found.rows}
    assert list(rows) == ["price", *list(TABLE)[:-1]]
    assert found.refusal is None
    kinds = {column.name: "left out" if column.kind == "unused" else column.kind for column in p.columns}
    assert {name: row.read_as for name, row in rows.items()} == {"price": "target: numbers", **kinds}
    assert sum(row.inputs for row in found.rows) == len(p.input_names)
    for name, column in TABLE.items():
        values = [value for value in np.asarray(column, object).tolist() if value is not None]
        assert rows[name].missing == N - len(values)
        assert rows[name].example == ("" if not values else rows[name].example)
    assert rows["when"].example == "1.1.2021"
    assert rows["town"].decided == "one input for each of 2: Bonn, Ulm; one more input where it is missing"
    changes = {name: row.change for name, row in rows.items()}
    assert changes["case"] == "--number case"
    assert changes["name"] == "--category name"
    assert changes["age"] == "--category age, --drop age"
    assert changes["one"] == changes["nothing"] == ""


@pytest.mark.parametrize("option", ["case", "name", "age", "ill", "when"])
def test_the_options_named_do_change_it(option):
    (row,) = (row for row in preprocessing.explain(TABLE, "price").rows if row.column == option)
    word, _, name = row.change.split(",")[0].removeprefix("--").partition(" ")
    (changed,) = (row for row in preprocessing.explain(TABLE, "price", **{word: name}).rows if row.column == option)
    assert changed.read_as == word != row.read_as


def test_text_is_a_table_with_the_decision_below_each_line():
    lines = str(preprocessing.explain(TABLE, "price")).splitlines()
    assert lines[0].split() == ["column", "read", "as", "inputs", "missing", "example", "to", "change", "it"]
    assert max(map(len, lines)) <= 100
    (line,) = (j for j, line in enumerate(lines) if line.startswith("ill "))
    assert lines[line].split()[:4] == ["ill", "boolean", "1", "0"]
    assert lines[line + 1].strip() == "0 or 1"


def test_faults_are_rows_and_the_refusal_is_that_of_the_fit():
    bad = TABLE | {"list": [{}] * N, "far": np.r_[np.inf, np.ones(N - 1)]}
    found = preprocessing.explain(bad, "price")
    faults = {row.column: row.decided for row in found.rows if row.read_as == "fault"}
    assert set(faults) == {"list", "far"}
    assert "infinite in row 1 of 100" in faults["far"]
    with pytest.raises(ValueError, match="2 faults") as caught:
        preprocessing.fit(bad, "price")
    assert str(caught.value) == str(found.refusal)
    target = preprocessing.explain(TABLE | {"price": [1.5] * N}, "price")
    assert target.rows[0].read_as == "fault"
    assert "single value" in str(target.refusal)


def test_a_source_is_explained_by_the_rows_that_would_train():
    source = experiments.source(TABLE, target="price", drop=["name"])
    found = experiments.explain_columns(source, seed=3)
    rows = experiments.run(source, {"hidden": (2,), "epochs": 1}, seed=3, compare=False, progress=False).rows
    assert sum(row.inputs for row in found.rows) == rows.x.shape[1]
    age = next(row for row in found.rows if row.column == "fee")
    assert "is read as numbers, '$1,000.50' as 1000.5" in age.decided
    with pytest.raises(ValueError, match="'iris' are all numbers"):
        experiments.explain_columns(experiments.source("iris"))


def test_what_a_model_does_is_described():
    by_name = {column.name: preprocessing.described(column) for column in preprocessing.fit(TABLE, "price").columns}
    assert by_name["when"] == "the time elapsed in days, month, day, weekday; written like 31.01.2023"
    assert by_name["one"] == "ignored"
    assert by_name["age"].endswith("; missing where it says 'unknown'; one more input where it is missing")
    fee = by_name["fee"]
    mean, scale = np.mean([1000.5 + j for j in range(N)]), np.std(np.arange(N))
    assert fee == f"(x - {mean:.6g}) / {scale:.6g}; written like $1,234.5"
