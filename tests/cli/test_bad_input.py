"""What is wrong with the input is told in one line, before anything is trained."""

import pickle

import pytest

from tests.cli.conftest import FAST, as_csv, rows_of_patients

TARGET = ("--target", "stroke")


@pytest.fixture
def table(tmp_path):
    """Writes a table with changed columns, and gives its path."""

    def write(name="table.csv", n=60, **changed):
        columns = rows_of_patients(n) | changed
        path = tmp_path / name
        path.write_text(as_csv({k: v for k, v in columns.items() if v is not None}), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("digitz", "Did you mean 'digits'?"),
        ("patients.csv", "There is no file or data set named 'patients.csv'"),
        (".", "is a folder"),
    ],
)
def test_data_that_is_not_there(refused, data, told):
    assert told in refused("train", data, *TARGET)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("pressure,stroke\n", "no rows"),
        ("pressure,stroke\n1,2\n3\n", "line 3: 1 field, but the first line names 2"),
        ("pressure,stroke\n1,2\n", "has 1 row: at least 10"),
        ("1.5,2\n3,4\n", "line of names"),
        ("\x00\x01\x02", "binary"),
        (",,\n1,2,3\n", "no column has a name"),
    ],
    ids=["empty", "header only", "ragged", "one row", "no names", "binary", "blank names"],
)
def test_files_that_are_no_tables(refused, tmp_path, content, told):
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    assert told in refused("train", path, *TARGET)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "add --target COLUMN, one of id, pressure"),
        (("--target", "strok"), "Did you mean 'stroke'?"),
        ((*TARGET, "--drop", "idd"), "Did you mean 'id'?"),
        ((*TARGET, "--weight", "wieght"), "Did you mean 'weight'?"),
        ((*TARGET, "--weight", "smoker"), "every row needs a finite number ≥ 0"),
        ((*TARGET, "--validation", "0.6", "--test", "0.5"), "below 1"),
        ((*TARGET, "--drop", "id", "--metric", "r2"), "does not apply to classes"),
        ((*TARGET, "--drop", "id", "--class-weight", "wel=2"), "Did you mean 'well'?"),
        ((*TARGET, "--drop", "id", "--class-weight", "ill=0,well=0"), "class_weight in the training set is 0"),
        ((*TARGET, "--drop", "id", "--no-class-weight-on-validation"), "has no effect without class weights"),
        (("--target", "cost", "--drop", "id", "--class-weight", "balanced"), "the target is a number"),
        (("--target", "cost", "--drop", "id", "--test", "0.01"), "leaves 1 row, but the metrics need at least 2"),
        ((*TARGET, "--drop", "id", "--hidden", "4,4,4", "--activation", "relu,tanh"), "3 hidden layers"),
        ((*TARGET, "--resume"), "add --checkpoint FOLDER"),
        ((*TARGET, "--weight", "smoker"), "is 'yes' in row "),
        ((*TARGET, "--drop", "id", "--metric", "top_k_accuracy"), "always true with 2 classes: use --metric accuracy"),
        ((*TARGET, "--class-weight", "ill=5,ill=6"), "'ill' has two weights"),
        ((*TARGET, "--hidden", "99999999999999999999"), "sizes from 1 to 2³¹ - 1"),
        ((*TARGET, "--hidden", "2147483648"), "sizes from 1 to 2³¹ - 1"),
        (
            (*TARGET, "--drop", "id", "--hidden", "1000000,1000000"),
            "1,000,009,000,002 parameters needs about 48,000.4 GB",
        ),
        (("--optimizer", "adam"), "Did you mean '--optimiser'? `jaxnn train --help`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_options_that_do_not_fit_the_table(refused, patients, options, told):
    assert told in refused("train", patients, *options)


def test_a_data_set_knows_its_target(refused):
    assert "'species'" in refused("train", "iris", "--target", "sepal")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"stroke": ["well"] * 60}, "only one class"),
        ({"pressure": ["inf"] + ["1"] * 59}, "infinite in row 1"),
        ({"stroke": [""] * 60}, "no values"),
        ({"stroke": ["2020-01-01", "2020-01-02"] * 30}, "dates"),
    ],
    ids=["one class", "infinite", "no values", "dates"],
)
def test_columns_of_no_use(refused, table, changed, told):
    assert told in refused("train", table(**changed), *TARGET, "--drop", "id")


def test_only_the_target_is_left(refused, table):
    path = table(id=None, smoker=None, always=None, weight=None, cost=None)
    assert "No columns are left" in refused("train", path, *TARGET, "--drop", "pressure")


@pytest.mark.parametrize("option", ["--out", "--plot", "--history"])
def test_outputs_are_refused_before_training(refused, patients, tmp_path, option, monkeypatch):
    monkeypatch.setattr("jaxnn.training.fit", None)  # to be called is to fail otherwise
    assert "no such folder" in refused("train", patients, *TARGET, option, "nowhere/x.png")
    assert "is a folder" in refused("train", patients, *TARGET, option, tmp_path)
    assert "same file" in refused("train", patients, *TARGET, option, patients)
    (tmp_path / "file").write_text("")
    assert "not a folder" in refused("train", patients, *TARGET, option, "file/x.png")


def test_a_picture_needs_a_suffix_that_is_known(refused, patients):
    assert ".png, .svg" in refused("train", patients, *TARGET, "--plot", "picture.gif")


def test_a_checkpoint_folder_that_is_a_file(refused, patients, tmp_path):
    (tmp_path / "file").write_text("")
    assert "must be a folder, and 'file' is a file" in refused("train", patients, *TARGET, "--checkpoint", "file")


@pytest.mark.parametrize(
    ("bad", "told"), [("-1", "is -1.0"), ("inf", "is inf"), ("", "is missing"), ("two", "is 'two'")]
)
def test_a_weight_that_is_none_is_told_by_its_row(refused, table, bad, told):
    path = table(weight=["1"] * 4 + [bad] + ["1"] * 55)
    assert f"{told} in row 5 of 60." in refused("train", path, *TARGET, "--drop", "id", "--weight", "weight")


def test_a_missing_extra_is_named(refused, patients, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert "[plot]" in refused("train", patients, *TARGET, "--plot", "picture.png")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pressure": ["high"] * 60}, "the text 'high'"),
        ({"pressure": ["inf"] * 60}, "infinite"),
        ({"pressure": ["NaN"] + ["1"] * 59}, "missing value in row 1"),
        ({"pressure": ["1e300"] * 60}, "too far from the training values"),
        ({"pressure": None, "presure": [1] * 60}, "The nearest to 'pressure' is 'presure'"),
    ],
    ids=["text", "infinite", "missing value", "far", "missing column"],
)
def test_tables_that_a_model_cannot_read(refused, model, table, changed, told):
    assert told in refused("predict", model, table(**changed))


@pytest.mark.parametrize("command", [("show",), ("predict",)])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (pickle.dumps({"weights": [1.0]}), "pickle"),
        (b"", "is empty"),
        (b"PK\x03\x04" + b"\0" * 100, "zip archive"),
        (b"jaxnn" * 50, ""),
    ],
    ids=["pickle", "empty", "zip", "noise"],
)
def test_files_that_are_no_models(refused, patients, tmp_path, command, content, told):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    line = refused(*command, path, *([patients] if command == ("predict",) else []))
    assert str(path) in line
    assert told in line


def test_a_damaged_model(refused, model, tmp_path):
    content = bytearray(model.read_bytes())
    content[-3] ^= 1
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(content)
    assert "damaged" in refused("show", path)


def test_a_model_that_is_not_there_or_a_folder(refused, tmp_path):
    assert "'none.safetensors': No such file" in refused("show", "none.safetensors")
    assert str(tmp_path) in refused("show", tmp_path)


@pytest.mark.slow
def test_probabilities_are_of_classes(refused, run, patients):
    argv = ["train", patients, "--target", "cost", "--drop", "id", "--out", "cost.safetensors", *FAST]
    assert run(*argv).status == 0
    assert "predicts numbers, not classes" in refused("predict", "cost.safetensors", patients, "--probabilities")


@pytest.mark.slow
def test_a_name_cannot_command_the_terminal(run, table):
    columns = rows_of_patients()
    path = table(pressure=None, **{"pres\x1b[31msure": columns["pressure"]})
    result = run("train", path, *TARGET, "--drop", "id", *FAST)
    assert result.status == 0
    assert "\x1b" not in result.out + result.err


def test_a_metric_that_needs_every_class(refused, table):
    path = table(stroke=["ill"] * 2 + ["well"] * 58)  # one to train on, one to test on, none to validate
    told = refused("train", path, *TARGET, "--drop", "id", "--metric", "roc_auc", *FAST)
    assert "--metric roc_auc needs validation rows of every class, and 'ill' has none" in told
