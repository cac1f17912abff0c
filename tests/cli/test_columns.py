"""What the command line says and is told about columns: nothing is decided in silence, and each word has its option."""

import numpy as np
import pytest

from jaxnn import data, experiments, training
from tests.cli.conftest import FAST, as_csv

N = 60
TARGET = ("--target", "y", *FAST)


def columns():
    rng = np.random.default_rng(5)
    age = rng.integers(18, 90, N)
    return {
        "age": age.tolist(),
        "fee": [f'"{value:,}"' for value in np.r_[950, rng.integers(1000, 90_000, N - 1)]],
        "share": [f"{value} %" for value in rng.integers(2, 90, N)],
        "zip": rng.choice(["00501", "10001", "94105"], N).tolist(),
        "region": rng.choice(["NA", "EU"], N).tolist(),
        "y": np.where(age > 50, "old", "young").tolist(),
    }


@pytest.fixture
def write(tmp_path):
    def write(name="t.csv", delimiter=",", **changed):
        path = tmp_path / name
        table = {key: values for key, values in (columns() | changed).items() if values is not None}
        path.write_text(as_csv(table, delimiter), encoding="utf-8")
        return path

    return write


def told(text):
    return " ".join(text.split())


@pytest.mark.slow
def test_choices_are_told_stored_and_applied_to_the_next_table(run, write):
    result = run("train", write(), *TARGET, "--missing", "", "--out", "m")
    assert result.status == 0
    for note in (
        "Column 'fee' is read as numbers, ",
        "Column 'share' is read as numbers, ",
        "Column 'zip' stays text because of leading zeros",
    ):
        assert note in told(result.out)
        assert note in told(run("show", "m").out)
    p = training.load("m").preprocessing
    kinds = {column.name: column.kind for column in p.columns}
    assert kinds == {"age": "number", "fee": "number", "share": "number", "zip": "category", "region": "category"}
    assert p.columns[4].categories == ("EU", "NA")
    header = "age,fee,share,zip,region\n"
    for name, row in (("a", '30,"1,045",5 %,00501,NA'), ("b", "30,1045,5,501,NA")):
        write_rows(f"{name}.csv", header + f"{row}\n")
    outputs = [run("predict", "m", f"{name}.csv", "--probabilities").out for name in "ab"]
    assert outputs[0].count("\n") == 2
    assert outputs[0] == outputs[1]


def write_rows(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.slow
def test_a_table_of_one_convention_is_read_in_it_row_by_row(run, write):
    fee = [f"{value:,.1f}".translate(str.maketrans(",.", ".,")) for value in np.linspace(500, 5000, N)]
    size = [f"{value:.1f}".replace(".", ",") for value in np.linspace(1, 5, N)]
    words = {"region": None, "zip": None, "share": None}
    assert run("train", write(delimiter=";", fee=fee, size=size, **words), *TARGET, "--out", "m").status == 0
    p = training.load("m").preprocessing
    write_rows("new.csv", "age;fee;size\n30;1.045;1,045\n")
    write_rows("plain.csv", "age;fee;size\n30;1045;1.045\n")
    first, second = (run("predict", "m", name, "--probabilities") for name in ("new.csv", "plain.csv"))
    assert (first.status, second.status) == (0, 2)  # 1.045 was written 1,045 in training
    assert "'size' holds the text '1.045'" in second.err
    number = {"age": [30.0], "fee": [1045.0], "size": [1.045]}
    write_rows("whole.csv", "age;fee;size\n30;1045;1,045\n")
    assert run("predict", "m", "whole.csv", "--probabilities").out == first.out
    assert np.isfinite(p.inputs(number)).all()


@pytest.mark.slow
@pytest.mark.parametrize("word", ["--category", "--number"])
def test_the_words_about_columns(run, write, word):
    assert run("train", write(), *TARGET, word, "zip", "share", word, "age", "--out", "m").status == 0
    kinds = {column.name: column.kind for column in training.load("m").preprocessing.columns}
    assert {kinds["zip"], kinds["share"], kinds["age"]} == {word.removeprefix("--")}


@pytest.mark.slow
def test_the_word_about_the_target(run, write):
    grades = [j % 5 for j in range(N)]
    for word, problem in (("--category", "classes"), ("--number", "numbers")):
        result = run("train", write(y=grades), *TARGET, word, "y")
        assert f"problem {problem} (chosen by {word})" in told(result.out)


@pytest.mark.by_default("all alike", "per cent")
@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ([f"{j % 54}%" for j in range(N)], "numbers"),
        ([f"${100 + j % 14}" for j in range(N)], "numbers"),
        ([f'"{11_900 + 13 * j:,}"' for j in range(N)], None),
        ([f'"{900 + 13 * j:,}"' for j in range(N)], "numbers"),
        (['"4,5"', "7"] * (N // 2), "numbers"),
    ],
    ids=["per cent", "dollars", "all alike", "thousands", "decimal commas"],
)
def test_targets_written_as_text_are_never_classes_in_silence(run, write, target, problem):
    result = run("train", write(y=target), *TARGET)
    if problem is None:
        assert result.status == 2
        assert "--decimal point or comma" in result.err
        result = run("train", write(y=target), *TARGET, "--decimal", "point")
    assert "problem numbers (the values are numbers, written as text)" in told(result.out)
    assert "Target 'y' is read as numbers" in told(result.out)


@pytest.mark.slow
def test_missing_says_which_cells_are(run, refused, write):
    ages = [*columns()["age"][:-1], "90+"]
    line = refused("train", write(age=ages), *TARGET)
    assert "'age' holds numbers, but also '90+' in row 60 of 60" in line
    assert "--missing 90+" in line
    assert run("train", write(age=ages), *TARGET, "--missing", "90+", "--out", "m").status == 0
    p = training.load("m").preprocessing
    assert "age" in {column.name for column in p.columns if column.kind == "number"}
    assert p.missing == (*data.MISSING, "90+")
    assert "NA" not in next(column for column in p.columns if column.name == "region").categories
    assert run("predict", "m", write(age=["90+"] * N)).status == 0


def test_a_value_missing_at_predict_is_named_and_can_be_filled(run, refused, write):
    run("train", write(), *TARGET, "--missing", "", "--out", "m")
    path = write("gaps.csv", age=["", *columns()["age"][1:]])
    line = refused("predict", "m", path)
    assert "Column 'age' has a missing value in row 1 of 60" in line
    assert "--fill-missing" in line
    result = run("predict", "m", path, "--fill-missing")
    assert result.status == 0
    assert "'age' in 1 row" in result.err


def test_far_inputs_are_told_and_clipped(run, write):
    run("train", write(), *TARGET, "--missing", "", "--out", "m")
    path = write("far.csv", age=["1e6", "1e7", *columns()["age"][2:]])
    result = run("predict", "m", path, "--probabilities")
    assert "Numbers are far outside the training range in 2 of 60 rows: 'age' in 2, such as 1e+06" in result.err
    clipped = run("predict", "m", path, "--probabilities", "--clip")
    assert "they are limited" in clipped.err
    first, second = clipped.out.splitlines()[1:3], result.out.splitlines()[1:3]
    assert first != second
    assert run("predict", "m", write("same.csv", age=columns()["age"])).err.count("far outside") == 0


@pytest.mark.slow
def test_a_constant_column_cannot_move_predictions(run, write):
    constant = [repr(0.1 + 0.2), "0.3"] * (N // 2)
    result = run("train", write(k=constant), *TARGET, "--missing", "", "--out", "m")
    assert "left out, because the training rows hold a single value: 'k' (0.3)" in told(result.out)
    outputs = [run("predict", "m", write("n.csv", k=k), "--probabilities").out for k in (constant, ["1e30"] * N)]
    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_an_identifier_of_a_sorted_table_is_left_out(run, write):
    """120 of 150 flowers sorted by class, with their numbers: without these, the noise alone tells nothing."""
    kept = np.sort(np.random.default_rng(0).permutation(150)[:120])
    noise = np.random.default_rng(1).normal(size=120).tolist()
    changed = dict.fromkeys(columns()) | {"Id": kept.tolist(), "noise": noise, "y": [f"c{j // 50}" for j in kept]}
    result = run("train", write(**changed), "--target", "y", "--epochs", "30")
    assert "Column 'Id' seems to number the rows" in told(result.out)
    assert float(result.out.split()[-1]) < 0.75  # seeds 0 to 4: 0.08 to 0.46 without Id, 0.92 to 1 with it


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("--category", "ag"), "Did you mean 'age'?"),
        (("--number", "ag"), "Did you mean 'age'?"),
        (("--number", "region"), "'region' holds the text 'EU' in row "),
        (("--category", "age", "--number", "age"), "'age' is declared both"),
        (("--date", "age"), "is declared a date, but '"),
        (("--date", "age=%d"), "Unknown form of dates '%d'. Did you mean"),
        (("--decimal", "dot"), "expected point or comma, got 'dot'"),
        (("--number", "y", "--problem", "classes"), "declared a number, but the problem is classes"),
    ],
)
def test_words_that_do_not_fit_are_told_in_one_line(refused, write, argv, line):
    assert line in refused("train", write(), *TARGET, "--missing", "", *argv)


def test_words_about_columns_are_for_files(refused):
    assert "--number, --date, --decimal and --missing, which apply to files" in refused(
        "train", "iris", "--number", "x"
    )


def table_of_work():
    """A table as people have it: names, numbers of cases, dates, a stray word, gaps in the target, many agents."""
    rng = np.random.default_rng(7)
    age = rng.integers(18, 90, N)
    return {
        "case": (np.arange(N) + 7000).tolist(),
        "doctor": [f"Dr {j} of {age[j]}" for j in range(N)],
        "seen": [f"{j % 28 + 1:02d}.{j % 12 + 1:02d}.2021" for j in range(N)],
        "age": [*age[:-1].tolist(), "unknown"],
        "none": [""] * N,
        "y": ["" if j % 10 == 4 else "old" if age[j] > 50 else "young" for j in range(N)],
    }


def test_a_table_as_people_have_it_trains_at_the_first_try(run, write):
    nothing = dict.fromkeys(columns())
    path = write(**nothing | table_of_work())
    result = run("train", path, *TARGET, "--out", "m")
    assert result.status == 0
    for note in (
        "note 6 rows of 60 without a target 'y' are left out: row 5 of 60 (and 5 more)",
        "Column 'case' seems to number the rows",
        "Column 'doctor' has 54 different texts in 54 rows",
        "Column 'seen' is read as dates, '01.01.2021' as 2021-01-01; inputs: the time elapsed, month, day, weekday",
        "Column 'age' holds numbers, but also 'unknown' in row 60 of 60, read as missing",
        "left out, because the training rows hold no value: 'none'",
    ):
        assert note in told(result.out)
    assert "seen date 7 the time elapsed in days, month, day, weekday; written like 31.01.2023" in told(
        run("show", "m").out
    )
    whole = run("predict", "m", path)
    assert whole.out.count("\n") == 61
    assert "54 of 60 rows, which have a target: accuracy 0." in whole.err
    write_rows("one.csv", "seen,age\n24.12.2021,unknown\n")
    write_rows("iso.csv", "seen,age\n2021-12-24,unknown\n")
    first, second = (run("predict", "m", name, "--probabilities") for name in ("one.csv", "iso.csv"))
    assert first.status == 0
    assert first.out == second.out
    write_rows("wrong.csv", "seen,age\n24.12.2021,30\nlater,30\n")
    assert "'seen' holds 'later' in row 2 of 2" in run("predict", "m", "wrong.csv").err


def test_all_faults_are_told_at_once_each_on_its_own_line(run, write):
    age = [*columns()["age"][:-1], "90+"]
    result = run("train", write(age=age, far=["inf"] + ["1"] * (N - 1), y=["old"] * N), *TARGET)
    assert result.status == 2
    lines = result.err.splitlines()
    assert len(lines) == 5
    assert lines[0] == "jaxnn: The table has 3 faults:"
    assert all(line.startswith("jaxnn: ") for line in lines)
    assert lines[-1].endswith("--drop age far")
    assert run("train", write(age=age, far=age), *TARGET, "--drop", "age", "far").status == 0


def test_columns_are_explained_without_training(run, write):
    result = run("train", write(), "--target", "y", "--explain-columns", "--missing", "")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].split() == ["column", "read", "as", "inputs", "missing", "example", "to", "change", "it"]
    assert [line.split()[0] for line in lines[1:] if line[0] != " "] == ["y", *list(columns())[:-1]]
    assert "Column 'fee' is read as numbers" in told(result.out)
    assert "stopped" not in result.out
    age = [*columns()["age"][:-1], "90+"]
    result = run("train", write(age=age), "--target", "y", "--explain-columns")
    assert result.status == 2
    assert "age fault" in told(result.out)
    assert "'age' holds numbers, but also '90+'" in result.err


@pytest.mark.slow
def test_leaks_are_told_where_a_table_is_trained(run, write):
    labels = columns()["y"]
    result = run("train", write(leak=[f"was {label}" for label in labels]), *TARGET)
    assert "warning column 'leak' alone predicts 'y' almost perfectly" in told(result.out)
    assert "drop it (drop='leak'; --drop leak)" in told(result.out)


def test_words_for_missing_values_are_added_to_the_usual_ones(run, write):
    ages = [*map(str, range(20, 20 + N - 2)), "NA", "Ancient"]
    result = run("train", write(age=ages), *TARGET, "--missing", "Ancient", "--out", "m")
    assert result.status == 0, result.err
    p = training.load("m").preprocessing
    assert next(column for column in p.columns if column.name == "age").kind == "number"
    assert {"", "NA", "Ancient"} <= set(p.missing)
    assert {"", "x"} == set(experiments.source(write(), target="y", missing=("", "x")).columns.missing)
