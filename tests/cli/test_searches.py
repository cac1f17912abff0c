"""`jaxnn sweep` and `jaxnn tune` at the command line: what is refused, what is printed, and what is written."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from jaxnn import search, training
from jaxnn.cli import searches, sweep, tune
from jaxnn.experiments import PROBLEMS, Recipe, recipe
from jaxnn.search import Choice, LogUniform, Uniform, halving
from jaxnn.search import search as python
from tests.cli.conftest import FAST, as_csv, rows_of_patients

COLUMNS = ("--target", "stroke", "--drop", "id", "cost")
GRID = ("--grid", "learning_rate=0.003,0.03")
TUNE = ("--seconds", "1000", "--at-most", "1")


@pytest.fixture
def caught(monkeypatch):
    """The results of searches that the command line carries out."""
    found = []
    for name in ("sweep", "tune"):
        carry_out = getattr(search, name)
        monkeypatch.setattr(
            search, name, lambda *a, carry_out=carry_out, **words: found.append(carry_out(*a, **words)) or found[-1]
        )
    return found


@pytest.fixture(scope="session")
def visits(tmp_path_factory):
    """The table with three rows of each patient."""
    columns = rows_of_patients()
    columns["id"] = [f"p{i // 3:03d}" for i in range(60)]
    path = tmp_path_factory.mktemp("visits") / "visits.csv"
    path.write_text(as_csv(columns), encoding="utf-8")
    return path


# What is refused


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sweep", "iris"], "--grid"),
        (
            ["sweep", "iris", "--grid", "learning_rat=1"],
            "unknown hyperparameter 'learning_rat'. Did you mean 'learning_rate'?",
        ),
        (["sweep", "iris", "--grid", "learning_rate"], "expected values such as learning_rate=1e-3,1e-2, got"),
        (["sweep", "iris", "--grid", "learning_rate="], "expected values such as learning_rate=1e-3,1e-2, got"),
        (["sweep", "iris", "--grid", "epochs=2,x"], "epochs: expected a whole number ≥ 1, got 'x'"),
        (["sweep", "iris", "--grid", "epochs=2,,3"], "epochs: expected a whole number ≥ 1, got ''"),
        (["sweep", "iris", "--grid", "hidden=4x"], "hidden: expected layer sizes"),
        (["sweep", "iris", "--grid", "optimiser=adan"], "Did you mean 'adam'?"),
        (["sweep", "iris", "--grid", "learning_rate=1e-3,0.001"], "learning_rate has a value twice"),
        (["tune", "iris"], "--seconds"),
        (["tune", "iris", "--seconds", "0"], "--seconds: expected a number > 0, got '0'"),
        (["tune", "iris", "--seconds", "5", "--at-most", "0"], "--at-most: expected a whole number ≥ 1"),
        (["tune", "iris", "--seconds", "5", "--grid", "epochs=2"], "unknown argument '--grid'"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told_in_one_line(refused, argv, told):
    line = refused(*argv)
    assert told in line
    assert f"`jaxnn {argv[0]} --help` shows an example" in line


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((*GRID, "epochs=2", "--grid", "epochs=3"), "--grid names epochs twice: give all its values at once"),
        ((*GRID, "--learning-rate", "0.1"), "learning_rate is in the grid and fixed as well: leave out one of them"),
        ((*GRID, "--repeats", "2"), "--repeats, --group and --ordered say how folds are made: add --folds"),
        ((*GRID, "--ordered", "--folds", "1"), "add --folds, such as --folds 5"),
        ((*GRID, "--group", "id"), "add --folds, such as --folds 5"),
        ((*GRID, "--group", "idd", "--folds", "3"), "Unknown group column 'idd'. Did you mean 'id'?"),
        ((*GRID, "--group", "stroke", "--folds", "3"), "--group and --target are the same column, 'stroke'"),
        ((*GRID, "--group", "pressure", "--weight", "pressure", "--folds", "3"), "--group and --weight are the same"),
        ((*GRID, "--folds", "3", "--validation", "0.3"), "--validation has no effect with folds"),
        ((*GRID, "--folds", "20"), "Class 'ill' has 19 rows besides the test rows, fewer than the 20 folds"),
        ((*GRID, "--ordered", "--repeats", "2", "--folds", "3"), "leave out --ordered, or these"),
        ((*GRID, "--validation", "0"), "--validation must be above 0, or add --folds"),
        ((*GRID, "--metric", "rmse"), "--metric rmse does not apply to classes"),
        ((*GRID, "--no-class-weight-on-validation"), "has no effect without class weights"),
        (("--grid", "hidden=1000000x1000000"), "make the --hidden layers smaller"),
        (("--grid", "optimiser=adamw,lbfgs", "dropout=0.1"), "lbfgs needs the same objective in every step"),
        ((*GRID, "--trials", "none/t.jsonl"), "There is no such folder"),
        ((*GRID, "--trials", "same", "--out", "same"), "--trials and --out are the same file"),
        ((*GRID, "--plot", "picture.txt"), "unknown format"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_a_sweep_that_cannot_be_is_refused_before_it_begins(refused, patients, tmp_path, argv, told):
    assert told in refused("sweep", patients, *COLUMNS, *argv)
    assert not list(tmp_path.iterdir())


def test_the_rows_are_never_overwritten(refused, patients):
    before = patients.read_bytes()
    assert "--trials and DATA are the same file" in refused("sweep", patients, *COLUMNS, *GRID, "--trials", patients)
    assert patients.read_bytes() == before


@pytest.mark.parametrize("command", [("sweep", *GRID), ("tune", *TUNE)], ids=lambda command: command[0])
def test_a_data_set_has_no_groups(refused, command):
    name, *options = command
    assert "The data set 'iris' has no column to group by" in refused(
        name, "iris", *options, "--group", "x", "--folds", "3"
    )


@pytest.mark.parametrize("command", [("sweep", *GRID), ("tune", *TUNE)], ids=lambda command: command[0])
def test_a_file_that_is_there_is_not_overwritten_and_the_remedy_is_named(refused, tmp_path, command):
    name, *options = command
    path = tmp_path / f"{name}.jsonl"
    path.write_text("mine\n")
    line = refused(name, "iris", *options, *FAST)
    assert f"'{name}.jsonl' exists already" in line
    assert "--resume" in line
    assert "--trials" in line
    assert "is no file of trials" in refused(name, "iris", *options, *FAST, "--resume")
    assert path.read_text() == "mine\n"


# What is printed and written


def table_of(out):
    """The printed table: a list of its header's words, and of each row's."""
    lines = out.split("\n\n")[1].splitlines()
    return [re.split(r"  +", line.strip()) for line in lines]


def test_a_sweep_is_told_and_written(run, patients, tmp_path):
    (tmp_path / "rows.csv").write_bytes(patients.read_bytes())
    argv = ("sweep", "rows.csv", *COLUMNS, "--grid", "learning_rate=0.003,0.03", "weight-decay=0.1,1", *FAST)
    argv = (*argv, "--folds", "3", "--seeds", "2", "--out", "m.safetensors", "--plot", "p.png")
    result = run(*argv)
    assert result.status == 0, result
    header, *lines = [json.loads(line) for line in (tmp_path / "sweep.jsonl").read_text().splitlines()]
    assert header["grid"] == {"learning_rate": [0.003, 0.03], "weight_decay": [0.1, 1.0]}
    assert header["recipe"] == {"hidden": [4], "epochs": 3, "batch_size": 16}
    assert len(lines) == 4
    assert all(len(line["scores"]) == 6 for line in lines)
    out = result.out
    assert "60 rows, trials compared on 3 folds, 12 held out to test (seed 0)" in out
    assert "4: 4 trained to the end" in out
    names, *rows = table_of(out)
    assert names == ["trial", "learning rate", "weight decay", "loss", "±", "accuracy"]
    by_number = {line["number"]: line for line in lines}
    ranked = sorted(lines, key=lambda line: np.mean(line["scores"]))
    assert [int(row[0]) for row in rows] == [line["number"] for line in ranked]
    for number, rate, decay, loss, error, accuracy in rows:
        line = by_number[int(number)]
        assert {"learning_rate": float(rate), "weight_decay": float(decay)} == line["choices"]
        assert float(loss) == pytest.approx(np.mean(line["scores"]), abs=6e-5)
        assert float(error) == pytest.approx(np.std(line["scores"], ddof=1) / np.sqrt(6), abs=6e-5)
        assert float(accuracy) == pytest.approx(line["metrics"]["accuracy"], abs=6e-5)
    shares = re.search(r"^mattered +(.*) of the variance of the trials' ranks$", out, re.MULTILINE)[1]
    assert {share.rsplit(" ", 2)[0] for share in shares.split(", ")} == {"learning rate", "weight decay"}
    rate, decay = rows[0][1:3]
    assert re.search(rf"^best +trial {rows[0][0]}: --learning-rate {rate} --weight-decay {decay}$", out, re.MULTILINE)
    assert re.search(r"^test +[01]\.\d{4}", out, re.MULTILINE)
    assert "m.safetensors (the mean of the best trial's 6 networks, as one model)" in out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    model = training.load(tmp_path / "m.safetensors")
    assert len(model.models) == 6
    predicted = run("predict", "m.safetensors", "rows.csv")
    assert predicted.status == 0
    assert set(predicted.out.split()) == {"prediction", "ill", "well"}

    before = (tmp_path / "sweep.jsonl").read_bytes()
    again = run(*argv, "--resume", "--quiet")
    assert (again.status, again.err) == (0, "")
    assert again.out == f"best loss {np.mean(ranked[0]['scores']):.4f}\n"
    assert (tmp_path / "sweep.jsonl").read_bytes() == before
    assert "its seeds is 2, but this run's is 1" in run(*argv, "--seeds", "1", "--resume").err


@pytest.mark.slow
def test_a_search_is_told_and_written(run, patients, tmp_path):
    options = ("--seconds", "1000", "--at-most", "4", "--folds", "2", "--weight-decay", "0.1", "--metric", "accuracy")
    result = run("tune", patients, *COLUMNS, *options, *FAST, "--plot", "p.svg")
    assert result.status == 0, result
    _, *lines = [json.loads(line) for line in (tmp_path / "tune.jsonl").read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == [0, 1, 2, 3]
    assert {line["number"]: set(line["choices"]) for line in lines} == {
        number: set() if number == 0 else {"learning_rate", "dropout", "activation"} for number in range(4)
    }
    ended = [line["stop"] for line in lines]
    told = re.search(r"^trials +4: (.*)$", result.out, re.MULTILINE)[1]
    assert f"{ended.count('finished')} trained to the end" in told
    if "halved" in ended:
        assert f"{ended.count('halved')} stopped early for a worse score" in told
    names, *rows = table_of(result.out)
    assert names == ["trial", "activation", "learning rate", "dropout", "accuracy", "±"]
    assert {row[0] for row in rows} == {str(line["number"]) for line in lines if line["stop"] == "finished"} | {"0"}
    assert "not saved      add --out model.safetensors to keep the mean of the best trial's 2 networks" in result.out
    assert b"<svg" in (tmp_path / "p.svg").read_bytes()


@pytest.mark.slow
def test_a_single_network_has_no_standard_error(run, patients):
    result = run("tune", patients, *COLUMNS, *TUNE, "--folds", "1", *FAST, "--plot", "p.png")
    assert table_of(result.out)[0] == ["trial", "loss", "accuracy"]
    assert "to keep the best trial's network\n" in result.out
    assert "best           trial 0: the defaults" in result.out
    assert "no picture     nothing was varied" in result.out


@pytest.mark.slow
def test_where_all_diverge_the_remedy_is_told(run, patients, tmp_path):
    argv = ("sweep", patients, *COLUMNS, "--grid", "learning_rate=1e30,1e31", "--optimiser", "sgd", *FAST)
    result = run(*argv, "--out", "m.safetensors")
    assert result.status == 1
    assert "no trial was trained to its end, see sweep.jsonl: all diverged: lower --learning-rate" in result.err
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.parametrize(
    ("stops", "remedy"),
    [
        (("diverged", "diverged"), "all diverged: lower --learning-rate"),
        (("diverged", "halved"), "give more --seconds"),
        ((), "give more --seconds"),
    ],
)
def test_all_are_said_to_have_diverged_only_if_all_have(stops, remedy):
    found = SimpleNamespace(trials=[SimpleNamespace(stop=stop) for stop in stops])
    assert searches._remedy(found).startswith(remedy)


# Groups and time


@pytest.mark.slow
@pytest.mark.parametrize("command", [("sweep", *GRID), ("tune", *TUNE)], ids=lambda command: command[0])
def test_rows_of_a_group_stay_together(run, visits, caught, command):
    name, *options = command
    argv = (name, visits, "--target", "stroke", "--drop", "cost", *options, *FAST, "--group", "id", "--folds", "3")
    assert run(*argv).status == 0
    (found,) = caught
    group = np.arange(60) // 3
    assert len(found.rows) == 3
    for rows in found.rows:
        train, validation, test = (set(group[part].tolist()) for part in rows.split)
        assert not train & validation
        assert not test & (train | validation)
        assert "id" not in [column.name for column in rows.preprocessing.columns]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("sweep", *GRID, "--folds", "2"), ("tune", *TUNE, "--folds", "2")], ids=lambda command: command[0]
)
def test_rows_in_the_order_of_time_are_validated_on_later_ones(run, patients, caught, command):
    name, *options = command
    assert run(name, patients, *COLUMNS, *options, *FAST, "--ordered").status == 0
    (found,) = caught
    assert len(found.rows) == int(options[-1])
    for rows in found.rows:
        assert rows.split.train.max() < rows.split.validation.min()
        assert rows.split.validation.max() < rows.split.test.min()
    assert np.isfinite([trial.score for trial in found.trials]).all()


# Values and help texts


def test_every_hyperparameter_has_values_in_a_grid():
    assert set(sweep.VALUES) == set(Recipe._fields)


def test_values_are_written_as_train_reads_them():
    for name, text in {
        "hidden": "32,64x64,none",
        "activation": "relu,tanh",
        "learning_rate": "0.00123456789,1e-05,0.1",
        "epochs": "3,20",
    }.items():
        read, values = sweep.entry(f"{name.replace('_', '-')}={text}")
        assert read == name
        for value in values:
            assert (sweep.VALUES[name](searches._value(value).replace(",", "x")),) == (value,)


def test_the_help_of_tune_has_the_space_that_is_searched():
    told = dict(re.findall(r"^  --(\S+) {2,}(.*)$", tune.DESCRIPTION, re.MULTILINE))
    for rows in (200, 5000, 50_000):
        default = recipe.defaults(rows, PROBLEMS["classes"])
        space = search.around(default)
        assert {name.replace("-", "_") for name in told} == set(space)
        for name, least, most in (
            ("learning_rate", "a tenth", "ten times"),
            ("weight_decay", "a thirtieth", "ten times"),
        ):
            assert told[name.replace("_", "-")] == f"{least} to {most} the default"
            share = {"a tenth": 10, "a thirtieth": 30}[least]
            assert isinstance(space[name], LogUniform)
            assert space[name].low == pytest.approx(getattr(default, name) / share, rel=5e-3)
            assert space[name].high == pytest.approx(getattr(default, name) * 10, rel=5e-3)
        assert told["dropout"] == "0 to 0.5"
        assert space["dropout"] == Uniform(0.0, 0.5)
        assert told["activation"] == ", ".join(space["activation"].values)
        assert told["hidden"] == "half, once and twice the default widths, in one to three layers"
        width = default.hidden[0]
        assert set(space["hidden"].values) == {(w,) * n for w in (width // 2, width, 2 * width) for n in (1, 2, 3)}
        assert told["batch-size"] == "half, once and twice the default"
        assert space["batch_size"] == Choice((default.batch_size // 2, default.batch_size, 2 * default.batch_size))


def test_the_help_of_tune_has_the_folds_and_the_rungs():
    told = " ".join(tune.DESCRIPTION.split())
    assert f"Below {python.FOLDS_BELOW:,} rows, trials are compared on 5 folds" in told
    assert "After a 27th, a ninth and a third of all epochs, a trial goes on only if it is in the best third" in told
    assert halving.rungs(max(1, 270 // python.FIRST_RUNG), 270) == (270 // 27, 270 // 9, 270 // 3, 270)
    assert halving.FACTOR == 3
