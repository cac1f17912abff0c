"""Preprocessing against scikit-learn and pandas; every refusal; stored descriptions, honest and hostile."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from jaxnn import data, preprocessing

N = 60
RNG = np.random.default_rng(0)
TABLE = {
    "age": RNG.normal(50, 12, N),
    "floor": RNG.integers(0, 4, N),
    "smoker": RNG.random(N) < 0.3,
    "town": np.array(["Bonn", "Ulm", "Köln"], object)[RNG.integers(0, 3, N)],
    "price": RNG.normal(200, 30, N),
    "state": np.array(["well", "ill"], object)[RNG.integers(0, 2, N)],
}
GAPS = TABLE | {
    "age": np.where(np.arange(N) % 7 == 3, np.nan, TABLE["age"]),
    "town": np.array([None if j % 9 == 4 else town for j, town in enumerate(TABLE["town"])], object),
    "smoker": np.array([None if j == 11 else bool(s) for j, s in enumerate(TABLE["smoker"])], object),
}


WORDS = np.array([f"patient {j}" for j in range(N)], object)


def without(table, *names):
    return {name: column for name, column in table.items() if name not in names}


def fitted(**words):
    return preprocessing.fit(without(TABLE, "price"), "state", **words)


def test_inputs_are_scikit_learns():
    p = fitted()
    assert p.input_names == ("age", "floor", "smoker", "town=Bonn", "town=Köln", "town=Ulm")
    scaled = StandardScaler().fit_transform(np.stack([TABLE["age"], TABLE["floor"]], axis=1))
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(TABLE["town"][:, None])
    inputs = p.inputs(TABLE)
    assert inputs.dtype == np.float64
    np.testing.assert_allclose(inputs[:, :2], scaled, rtol=1e-13, atol=1e-14)
    np.testing.assert_array_equal(inputs[:, 2], TABLE["smoker"])
    np.testing.assert_array_equal(inputs[:, 3:], one_hot)


def test_only_the_training_rows_are_learnt_from():
    rows = np.arange(0, N, 3)
    p = preprocessing.fit(TABLE, "price", rows=rows)
    alone = preprocessing.fit({name: column[rows] for name, column in TABLE.items()}, "price")
    assert p == alone
    np.testing.assert_allclose(p.inputs(TABLE)[rows, 0].mean(), 0, atol=1e-14)
    np.testing.assert_allclose(p.inputs(TABLE)[rows, 0].std(), 1, rtol=1e-14)
    np.testing.assert_allclose(p.targets(TABLE["price"])[rows].std(), 1, rtol=1e-14)


def test_missing_values_stand_at_the_mean_and_are_marked():
    p = preprocessing.fit(GAPS, "price", drop=["state"])
    assert p.input_names == (
        "age",
        "age is missing",
        "floor",
        "smoker",
        "smoker is missing",
        "town=Bonn",
        "town=Köln",
        "town=Ulm",
        "town is missing",
    )
    x = dict(zip(p.input_names, p.inputs(GAPS).T, strict=True))
    gone = np.isnan(GAPS["age"])
    np.testing.assert_array_equal(x["age is missing"], gone)
    assert (x["age"][gone] == 0).all()
    present = GAPS["age"][~gone]
    np.testing.assert_allclose(x["age"][~gone], (present - present.mean()) / present.std(), rtol=1e-12)
    smokers = [s for s in GAPS["smoker"] if s is not None]
    np.testing.assert_allclose(x["smoker"][11], np.mean(smokers), rtol=1e-15)
    assert sum(x[f"town={town}"][4] for town in ("Bonn", "Köln", "Ulm")) == 0
    assert x["town is missing"][4] == 1


def test_missing_values_outside_the_training_rows_are_filled_without_a_mark():
    p = preprocessing.fit(GAPS, "price", drop=["state"], rows=np.arange(3))
    assert p.input_names[:2] == ("age", "floor")
    assert p.inputs(GAPS)[3, 0] == 0


def frames():
    import pyarrow

    yield "pandas", pd.DataFrame(GAPS)
    yield "pandas nullable", pd.DataFrame(GAPS).convert_dtypes()
    yield "pandas categorical", pd.DataFrame(GAPS).astype({"town": "category"})
    yield "pyarrow", pyarrow.Table.from_pandas(pd.DataFrame(GAPS))
    yield "Table", data.Table({name: np.asarray(column) for name, column in GAPS.items()}, N, "somewhere")
    yield "lists", {name: list(column) for name, column in GAPS.items()}


@pytest.mark.parametrize(("kind", "frame"), list(frames()))
def test_any_kind_of_table(kind, frame):
    p = preprocessing.fit(frame, "price", drop=["state"])
    expected = preprocessing.fit(GAPS, "price", drop=["state"])
    assert p == expected
    np.testing.assert_array_equal(p.inputs(frame), expected.inputs(GAPS))


def test_from_a_file_and_back(tmp_path):
    pd.DataFrame(GAPS).to_csv(tmp_path / "t.csv", index=False)
    table = data.read_table(tmp_path / "t.csv")
    p = preprocessing.fit(table, "price")
    expected = preprocessing.fit(GAPS, "price")
    assert p.input_names == expected.input_names
    np.testing.assert_allclose(p.inputs(table), expected.inputs(GAPS), rtol=1e-12, atol=1e-12)


def test_columns_are_found_by_name_and_others_ignored():
    p = fitted()
    shuffled = {name: TABLE[name] for name in reversed(TABLE)} | {"noise": ["?"] * N}
    np.testing.assert_array_equal(p.inputs(shuffled), p.inputs(TABLE))


@pytest.mark.parametrize(("rows", "columns"), [(100, 1), (3, 5), (1, 2)])
def test_arrays(rows, columns):
    x = np.random.default_rng(rows).normal(3, 5, (rows, columns))
    p = preprocessing.fit_arrays(x, x[:, 0] + 0.5)
    expected = StandardScaler().fit_transform(x)
    np.testing.assert_allclose(p.inputs(x), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(p.inputs({f"x{j}": x[:, j] for j in range(columns)}), p.inputs(x))


def test_arrays_with_gaps_and_booleans():
    x = np.array([[1.0, 0.0], [np.nan, 1.0], [3.0, 0.0]])
    p = preprocessing.fit_arrays(x, [0.5, 1.5, 2.5])
    assert p.input_names == ("x0", "x0 is missing", "x1")
    np.testing.assert_allclose(p.inputs(x)[:, :2], [[-1, 0], [0, 1], [1, 0]])
    flags = preprocessing.fit_arrays(x[:, 1:] == 1, [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(flags.inputs(x[:, 1:] == 1), [[0], [1], [0]])


def test_images_have_one_scale():
    digits = data.load("digits")
    train = np.arange(1000)
    p = preprocessing.fit_arrays(
        digits.x,
        digits.y,
        input_names=digits.feature_names,
        class_names=digits.class_names,
        target_name=digits.target_name,
        common_scale=True,
        rows=train,
    )
    pixels = digits.x[train]
    np.testing.assert_allclose(p.inputs(digits.x), (digits.x - pixels.mean()) / pixels.std(), rtol=1e-12, atol=1e-13)
    assert p.problem == "classes"
    assert p.class_names == tuple("0123456789")
    np.testing.assert_array_equal(p.targets(digits.y), digits.y)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e38, 5e-324, "a", True])
def test_a_constant_column_is_left_out_and_told(value):
    p = preprocessing.fit({"k": [value] * 9, "x": np.arange(9) + 0.1, "y": np.arange(9) + 0.5}, "y")
    assert p.input_names == ("x",)
    assert p.notes[0].startswith("left out, because the training rows hold a single value: 'k'")
    assert preprocessing.from_spec(p.to_spec()) == p
    table = {"x": np.arange(4.0)}
    for other in ({}, {"k": [1e30] * 4}, {"k": ["strange"] * 4}, {"k": [None] * 4}):
        np.testing.assert_array_equal(p.inputs(table | other), p.inputs(table))


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1.0, 1e30, 1e38])
def test_scales_neither_overflow_nor_vanish(unit):
    x = np.random.default_rng(1).normal(size=50)
    p = preprocessing.fit({"x": x * unit, "y": x}, "y")
    np.testing.assert_allclose(p.inputs({"x": x * unit})[:, 0], (x - x.mean()) / x.std(), rtol=1e-12)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["a", "b"], "classes"),
        ([True, False], "classes"),
        ([0, 1] * 5, "classes"),
        ([0.0, 1.0] * 5, "classes"),
        (np.arange(1797) % 10, "classes"),
        (np.arange(20).repeat(2), "classes"),
        (np.arange(21).repeat(2), "numbers"),
        (np.arange(20), "numbers"),
        ([0.5, 1.0] * 5, "numbers"),
        (data.load("diabetes").y, "numbers"),
        (data.load("wine").y, "classes"),
    ],
)
def test_problem_of(values, problem):
    decided, reason = preprocessing.problem_of(values)
    assert decided == problem
    assert reason.startswith("the values are ")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "c", "a"], ("a", "b", "c")),
        ([True, False, True], ("False", "True")),
        ([7, 3, 3, 7, 5, 5], ("3", "5", "7")),
        ([1.0, 0.0, 1.0, 0.0], ("0", "1")),
    ],
)
def test_classes_there_and_back(values, names):
    p = preprocessing.fit({"x": np.arange(len(values)) * 0.1, "y": values}, "y")
    assert p.class_names == names
    codes = p.targets(values)
    assert codes.dtype == np.int32
    assert [p.class_names[code] for code in codes] == [str(int(v) if isinstance(v, float) else v) for v in values]
    assert p.labels(codes).tolist() == values


def test_numbers_there_and_back():
    p = preprocessing.fit(TABLE, "price")
    standardised = p.targets(TABLE["price"])
    np.testing.assert_allclose(standardised.std(), 1, rtol=1e-14)
    for outputs in (standardised, standardised[:, None]):
        np.testing.assert_allclose(p.numbers(outputs), TABLE["price"], rtol=1e-14)


def test_the_problem_can_be_forced():
    table = {"x": np.arange(40) * 0.1, "y": np.arange(40) % 4}
    assert preprocessing.fit(table, "y").problem == "classes"
    assert preprocessing.fit(table, "y", problem="numbers").problem == "numbers"
    halves = table | {"y": np.arange(40) % 4 / 2}
    p = preprocessing.fit(halves, "y", problem="classes")
    assert p.labels(p.targets(halves["y"])).tolist() == halves["y"].tolist()


def test_new_categories_become_zeros_and_can_be_asked_for():
    p = fitted()
    table = TABLE | {"town": np.array(["Trier", "Ulm"] * (N // 2), object)}
    np.testing.assert_array_equal(p.inputs(table)[:2, 3:], [[0, 0, 0], [0, 0, 1]])
    assert p.unknown_categories(table) == {"town": ("Trier",)}
    assert p.unknown_categories(TABLE) == {}


def test_categories_that_read_as_numbers_or_booleans():
    """A later file whose cells happen to be all numbers is read as numbers: they mean the same categories."""
    p = preprocessing.fit({"floor": ["01", "2", "G", "true"] * 3, "y": np.arange(12) + 0.5}, "y")
    assert p.input_names == ("floor=01", "floor=2", "floor=G", "floor=true")
    np.testing.assert_array_equal(p.inputs({"floor": [2.0, 1.0, 3.0]}), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(p.inputs({"floor": [True, False]}), [[0, 0, 0, 1], [0, 0, 0, 0]])


def test_zeros_and_ones_are_booleans_where_booleans_were():
    p = fitted()
    np.testing.assert_array_equal(p.inputs(TABLE | {"smoker": TABLE["smoker"].astype(int)}), p.inputs(TABLE))


def test_what_cannot_be_used_can_be_dropped():
    table = TABLE | {"day": ["2020-02-03"] * N, "id": WORDS}
    p = preprocessing.fit(table, "state", drop=["day", "id"])
    assert p == preprocessing.fit(TABLE, "state")
    assert preprocessing.fit(TABLE | {"id": WORDS}, "state", drop="id") == p


def test_no_rows_give_no_inputs():
    p = fitted()
    assert p.inputs({name: column[:0] for name, column in TABLE.items()}).shape == (0, 6)
    assert p.targets([]).shape == (0,)


FIT_REFUSED = {
    "constant target": ({"x": np.arange(9.0), "y": np.full(9, 2.5)}, "y", {}, "'y' holds a single value .*, 2.5"),
    "large target": ({"x": [1, 2, 3], "y": [0.5, 1e300, 1.5]}, "y", {}, r"'y' is 1e\+300 in row 2 of 3"),
    "large input": (TABLE | {"age": np.r_[1.0, 1e300, np.ones(58)]}, "state", {}, r"'age' is 1e\+300 in row 2 of 60"),
    "thousands or decimals": (
        {"age": ["1,045", "2,310"] * 30, "floor": TABLE["floor"], "state": TABLE["state"]},
        "state",
        {},
        "'1,045'.*--decimal point",
    ),
    "some per cent": (
        TABLE | {"age": ["45%", "7", "0.3"] * 20},
        "state",
        {},
        "such as '45%' and '7'",
    ),
    "two currencies": (TABLE | {"age": ["$4", "€5"] * 30}, "state", {}, r"'\$4' and '€5'.*--category age"),
    "unknown target": (TABLE, "stat", {}, "Did you mean 'state'"),
    "unknown drop": (TABLE, "state", {"drop": ["ag"]}, "Did you mean 'age'"),
    "dropped target": (TABLE, "state", {"drop": ["state"]}, "cannot be dropped"),
    "nothing left": ({"y": [1, 2]}, "y", {}, "No columns are left"),
    "no rows": ({"x": [], "y": []}, "y", {}, "no rows"),
    "lengths": ({"x": [1, 2], "y": [1, 2, 3]}, "y", {}, "Column 'x' has 2, Target 'y' has 3"),
    "infinite": (TABLE | {"i": np.r_[np.zeros(N - 1), np.inf]}, "state", {}, "'i' is infinite in row 60 of 60"),
    "beyond all floats": (TABLE | {"i": [0] * (N - 1) + [10**400]}, "state", {}, "'i' is infinite in row 60"),
    "complex": (TABLE | {"c": np.ones(N) * 1j}, "state", {}, "complex128"),
    "objects": (TABLE | {"o": [[1], [2]] * (N // 2)}, "state", {}, "one-dimensional"),
    "dicts": (TABLE | {"o": [{}] * N}, "state", {}, "of type dict"),
    "missing target": (
        TABLE | {"state": [None] + ["a", "b"] * 29 + [None]},
        "state",
        {},
        r"row 1 of 60 \(and 1 more\)",
    ),
    "one class": (TABLE | {"state": ["a"] * N}, "state", {}, "only one class, 'a'"),
    "text as numbers": (TABLE, "state", {"problem": "numbers"}, "holds the text"),
    "dates to predict": ({"x": [1.0, 2.0], "y": ["2020-01-01"] * 2}, "y", {}, "holds dates"),
    "unknown problem": (TABLE, "state", {"problem": "class"}, 'must be "classes", "numbers" or "counts"'),
    "rows out of range": (TABLE, "state", {"rows": np.array([0, N])}, r"0\.\.59"),
    "no training rows": (TABLE, "state", {"rows": np.array([], int)}, "non-empty"),
    "endless name": ({"x" * 10_001: [1.0, 2.0], "y": [0.5, 1.5]}, "y", {}, "10001 characters"),
    "endless category": ({"x": ["a" * 10_001, "b"], "y": [0.5, 1.5]}, "y", {}, "10001 characters"),
    "endless class": ({"x": [1.0, 2.0], "y": ["a" * 10_001, "b"]}, "y", {}, "10001 characters"),
    "huge classes": ({"x": [1.0] * 4, "y": [2**53, 2**53 + 1] * 2}, "y", {}, "float64 cannot tell apart"),
    "infinite classes": ({"x": [1.0] * 4, "y": [1, np.inf] * 2}, "y", {}, "infinite in row 2"),
    "nothing left but constants": ({"x": [1.0] * 4, "y": [0, 1] * 2}, "y", {}, "holds a single value.*'x'"),
    "called both": (TABLE, "state", {"category": "age", "number": "age"}, "'age' is declared both"),
    "unknown category": (TABLE, "state", {"category": ["agee"]}, "Did you mean 'age'"),
    "unknown number": (TABLE, "state", {"number": ["agee"]}, "Did you mean 'age'"),
    "no mark": (TABLE, "state", {"decimal": ";"}, "decimal must be"),
    "target called another": (TABLE, "state", {"number": "state", "problem": "classes"}, "declared a number, but"),
    "a word as a number": (TABLE, "state", {"number": "town"}, "'town' holds the text '.*' in row 1 of 60"),
    "a date as a number": (TABLE | {"d": ["2020-02-03"] * N}, "state", {"number": "d"}, "'d' holds dates.*--number"),
    "only names": ({"id": WORDS, "y": [0, 1] * 30}, "y", {}, "No columns are left.*--category"),
    "too many classes": ({"x": np.ones(1500), "y": np.arange(1500)}, "y", {"problem": "classes"}, "1500 different"),
}


@pytest.mark.parametrize("case", FIT_REFUSED)
def test_fit_refuses(case):
    table, target, words, told = FIT_REFUSED[case]
    with pytest.raises(ValueError, match=told) as caught:
        preprocessing.fit(table, target, **words)
    assert "\n" not in str(caught.value)


def test_a_number_column_with_one_slip_is_told_from_an_identifier():
    column = [f"{value:.3f}" for value in np.random.default_rng(0).normal(size=N)]
    column[16] = "1_0"
    with pytest.raises(ValueError, match="'x' holds numbers, but also '1_0' in row 17 of 60"):
        preprocessing.fit({"x": column, "y": TABLE["price"]}, "y")


INPUTS_REFUSED = {
    "absent": (without(TABLE, "age") | {"agee": TABLE["age"]}, "lacks the columns 'age'.*'agee'"),
    "text": (TABLE | {"age": ["1"] * 4 + ["old"] + ["3"] * 55}, "'age' holds the text 'old' in row 5 of 60"),
    "text of numbers": (TABLE | {"age": ["1"] * N}, "'age' holds the text '1'"),
    "missing number": (TABLE | {"age": GAPS["age"]}, "'age' has a missing value in row 4 of 60"),
    "missing category": (TABLE | {"town": GAPS["town"]}, "'town' has a missing value in row 5 of 60"),
    "missing boolean": (TABLE | {"smoker": GAPS["smoker"]}, "'smoker' has a missing value in row 12 of 60"),
    "infinite": (TABLE | {"age": np.r_[1.0, -np.inf, np.ones(58)]}, "'age' is infinite in row 2 of 60"),
    "far": (TABLE | {"age": np.r_[1.0, 1e200, np.ones(58)]}, "'age' is 1e.200 in row 2 of 60, too far"),
    "no boolean": (TABLE | {"smoker": [0, 1, 2] * 20}, "'smoker' is 2 in row 3 of 60"),
    "lengths": (TABLE | {"age": [1.0]}, "same number of rows"),
    "array": (np.zeros((3, 4)), "'town'.*named columns"),
}


@pytest.mark.parametrize("case", INPUTS_REFUSED)
def test_inputs_refuse(case):
    table, told = INPUTS_REFUSED[case]
    with pytest.raises(ValueError, match=told):
        fitted().inputs(table)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.zeros((3, 7)), "7 columns, the model was trained on 8"),
        (np.zeros(8), r"x.reshape\(1, -1\)"),
        (np.where(np.arange(16).reshape(2, 8) == 13, np.nan, 1.0), "Column 'x5' has a missing value in row 2 of 2"),
        (np.where(np.arange(16).reshape(2, 8) == 3, np.inf, 1.0), "Column 'x3' is infinite in row 1 of 2"),
        (np.full((2, 8), "a"), "Column 'x0' holds the text 'a'"),
    ],
)
def test_arrays_refuse(x, told):
    p = preprocessing.fit_arrays(np.random.default_rng(0).normal(size=(9, 8)), np.arange(9) % 2)
    with pytest.raises(ValueError, match=told):
        p.inputs(x)


def test_what_is_no_table_is_a_type_error():
    with pytest.raises(TypeError, match="must be a mapping"):
        fitted().inputs(3)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"x": np.zeros((3, 2)), "y": [1, 2]}, "3 rows, targets have 2"),
        ({"x": np.zeros(3), "y": [1, 2, 3]}, "must have shape"),
        ({"x": np.zeros((0, 2)), "y": []}, "no rows"),
        ({"x": np.zeros((3, 0)), "y": [1, 2, 3]}, "no columns"),
        ({"x": np.zeros((2, 2)), "y": [0.5, 1], "input_names": ["a", "a"]}, "2 different names"),
        ({"x": np.zeros((4, 1)), "y": [0, 1, 0, 1], "class_names": ["a"]}, "class_names must be 2"),
        ({"x": np.full((2, 1), np.inf), "y": [0.5, 1], "common_scale": True}, "no missing or infinite"),
        ({"x": np.full((2, 1), "a"), "y": [0.5, 1]}, "must hold numbers"),
    ],
)
def test_fit_arrays_refuses(words, told):
    with pytest.raises(ValueError, match=told):
        preprocessing.fit_arrays(**words)


def test_targets_and_outputs_refuse():
    classes, numbers = fitted(), preprocessing.fit(TABLE, "price")
    for call, told in [
        (lambda: classes.targets(["ill", "sick"]), "'sick' in row 2 of 2, which is not one of the classes"),
        (lambda: classes.targets(["ill", None]), "missing in row 2 of 2"),
        (lambda: classes.labels([0, 2]), r"0\.\.1"),
        (lambda: classes.labels([-1]), r"0\.\.1"),
        (lambda: classes.labels([0.5]), "whole numbers"),
        (lambda: classes.numbers([0.5]), "use labels"),
        (lambda: numbers.labels([0]), "use numbers"),
        (lambda: numbers.numbers(np.zeros((2, 2))), r"\(n, 1\)"),
        (lambda: numbers.targets([1.0, np.inf]), "infinite in row 2"),
    ]:
        with pytest.raises(ValueError, match=told):
            call()


SPECS = {
    "classes": fitted(),
    "numbers": preprocessing.fit(GAPS, "price"),
    "integers": preprocessing.fit_arrays(np.eye(4), [0, 1, 1, 0], class_names=["no", "yes"]),
    "booleans": preprocessing.fit({"x": [0.1, 0.2], "y": [True, False]}, "y"),
}


@pytest.mark.parametrize("case", SPECS)
def test_descriptions_survive_json_exactly(case):
    p = SPECS[case]
    text = json.dumps(p.to_spec(), allow_nan=False)
    again = preprocessing.from_spec(json.loads(text))
    assert again == p
    assert [type(label) for label in again.target.classes] == [type(label) for label in p.target.classes]


def places(value, path=()):
    """The path to every value inside a nested description."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(spec, path, value):
    if not path:
        return value
    spec = copy.deepcopy(spec)
    inner = spec
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return spec


RUBBISH = [None, [], {}, [[]], {"a": 1}, float("nan"), float("inf"), -1e999, 10**400, [1, None], object()]


@pytest.mark.parametrize("case", SPECS)
@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda value: type(value).__name__)
def test_rubbish_anywhere_in_a_description_is_refused(case, rubbish):
    spec = SPECS[case].to_spec()
    for path in places(spec):
        with pytest.raises(ValueError, match="stored"):
            preprocessing.from_spec(replaced(spec, path, rubbish))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("columns", 0, "scale"), 0.0),
        (("columns", 0, "scale"), -1.0),
        (("columns", 0, "scale"), True),
        (("columns", 0, "mean"), "1"),
        (("columns", 0, "kind"), "category"),
        (("columns", 0, "kind"), "date"),
        (("columns", 0, "missing"), "maybe"),
        (("columns", 0, "name"), "floor"),
        (("columns", 0, "name"), "x" * 10_001),
        (("columns", 0, "more"), 1),
        (("columns", 3, "categories"), ["a", "a"]),
        (("columns", 3, "categories"), ["a"] * 101),
        (("target", "classes"), ["a", "a"]),
        (("target", "classes"), ["a", 1]),
        (("target", "classes"), [0, False]),
        (("target", "classes"), ["a"]),
        (("target", "class_names"), ["a"]),
        (("target", "problem"), "numbers"),
        (("columns",), []),
        (("columns",), [{}] * 200_000),
    ],
)
def test_hostile_descriptions(path, value):
    with pytest.raises(ValueError, match="stored"):
        preprocessing.from_spec(replaced(SPECS["classes"].to_spec(), path, value))


def test_a_million_rows_take_seconds():
    import time

    n = 1_000_000
    table = {
        "x": np.arange(n) * 0.5,
        "c": np.array(["a", "b", None], object)[np.arange(n) % 3],
        "y": np.arange(n) % 5,
    }
    start = time.perf_counter()
    p = preprocessing.fit(table, "y")
    assert p.inputs(table).shape == (n, 4)
    assert p.targets(table["y"]).shape == (n,)
    assert time.perf_counter() - start < 10  # 1.3 s on a busy core


@pytest.mark.parametrize("texts", [("0-10%", "10-20%"), ("1,2,3", "4"), ("12 mm", "1,045"), ("1,0455", "x")])
def test_categories_may_hold_digits(texts):
    p = preprocessing.fit({"x": list(texts) * 9, "y": [0, 1] * 9}, "y")
    assert p.columns[0].categories == tuple(sorted(texts))


def test_a_constant_target_of_the_training_rows_is_refused_whatever_the_others_hold():
    with pytest.raises(ValueError, match="holds a single value in the training rows, 4, "):
        preprocessing.fit({"x": np.arange(4.0), "y": [4.0, 4.0, 4.0, 0.5]}, "y", rows=[0, 1, 2])
