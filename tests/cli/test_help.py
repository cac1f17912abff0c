import re
import subprocess
import sys

import pytest

from jaxnn import activations, data, metrics, optimisers, problems, schedules
from jaxnn.cli import COMMANDS, arguments, train
from jaxnn.experiments import network, recipe
from jaxnn.version import __version__

HEAVY = "jax", "numpy", "sklearn", "pandas", "matplotlib"
LOADED = f"import sys\nprint([name for name in {HEAVY} if name in sys.modules])"


@pytest.mark.parametrize(
    ("literal", "table"),
    [
        (arguments.ACTIVATIONS, activations.TABLE),
        (arguments.OPTIMISERS, optimisers.TABLE),
        (arguments.METHODS, optimisers.METHODS),
        (arguments.SCHEDULES, schedules.TABLE),
        (arguments.METRICS, metrics.HIGHER_IS_BETTER),
        (arguments.DATA_SETS, data.NAMES),
        (tuple(recipe.LEARNING_RATES), optimisers.TABLE),
        (tuple(network.SCHEDULES), schedules.TABLE),
        (arguments.PROBLEMS, problems.PROBLEMS),
    ],
    ids=[
        "activations",
        "optimisers",
        "methods",
        "schedules",
        "metrics",
        "data sets",
        "learning rates",
        "schedules of recipes",
        "problems",
    ],
)
def test_literal_names_are_those_of_the_tables(literal, table):
    assert set(literal) == set(table)
    assert len(literal) == len(table)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_help_ends_with_an_example(run, command):
    result = run(command, "--help")
    assert result.status == 0
    assert result.out.splitlines()[-1].startswith(f"  jaxnn {command} ")
    assert max(map(len, result.out.splitlines())) <= 110


def help_of_defaults():
    """The table in the help of `jaxnn train`: option -> what it is for few, some and many rows."""
    rows = re.findall(r"^  --(\S+) +(\S+(?: to \S+)?) {2,}(\S+) +(\S+)$", train.DESCRIPTION, re.MULTILINE)
    return {name.replace("-", "_"): values for name, *values in rows}


@pytest.mark.parametrize("problem", problems.PROBLEMS)
def test_the_help_of_train_has_the_defaults_that_are_used(problem):
    table = help_of_defaults()
    assert len(table) == 5
    for column, counts in enumerate([(10, 100, 200, 300, 999), (1000, 9999), (10_000, 10**6)]):
        for rows in counts:
            used = recipe.defaults(rows, problems.PROBLEMS[problem])
            told = {name: values[column] for name, values in table.items()}
            if column == 0:
                low, high = map(int, told.pop("batch_size").split(" to "))
                assert used.batch_size == min(max(rows // 8, low), high)
            if column == 0 and problem != "classes":
                told["hidden"] = re.search(r"a network for numbers or counts has --hidden (\S+),", train.DESCRIPTION)[1]
            assert used.hidden == tuple(map(int, told.pop("hidden").split(",")))
            assert {name: float(value) for name, value in told.items()} == {name: getattr(used, name) for name in told}
            assert (used.optimiser, used.activation, used.dropout, used.input_dropout) == ("adamw", ("relu",), 0, 0)
            assert (used.patience, used.schedule) == (20, "constant")


def test_the_help_of_train_has_the_defaults_of_other_optimisers():
    told = " ".join(train.DESCRIPTION.split())
    assert "other optimisers have their own learning rates and no weight decay" in told
    assert "--epochs 200, tanh, no weight decay, and --hidden 16 (newton_cg and lbfgs: as in the table)" in told
    classes = problems.PROBLEMS["classes"]
    for name in set(optimisers.TABLE) - {"adamw"}:
        used = recipe.complete({"optimiser": name}, rows=500, problem=classes)
        assert (used.learning_rate, used.weight_decay) == (recipe.LEARNING_RATES[name], 0)
    for name in optimisers.METHODS:
        used = recipe.complete({"optimiser": name}, rows=500, problem=classes)
        assert (used.epochs, used.activation, used.weight_decay, used.batch_size) == (200, ("tanh",), 0, 500)
        assert used.hidden == ((64, 64) if name in ("newton_cg", "lbfgs") else (16,))


def test_help_lists_the_commands(run):
    result = run("--help")
    assert result.status == 0
    assert all(f"  {name} " in result.out for name in COMMANDS)
    assert result.out.splitlines()[-1].startswith("  jaxnn ")


def test_the_version_is_the_packages(run):
    assert run("--version").out == f"jaxnn {__version__}\n"


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["train", "--help"], ["train", "digits", "--optimizer"]])
def test_help_and_complaints_import_nothing_heavy(argv):
    program = f"from jaxnn.cli import main\nmain({argv!r})\n{LOADED}"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "COMMAND"),
        (["trian"], "Did you mean 'train'?"),
        (["train"], "DATA"),
        (["train", "digits", "--epoch", "3"], "Did you mean '--epochs'?"),
        (["--quiet", "train", "digits"], "unknown argument '--quiet'"),
        (["train", "digits", "--optimiser", "adan"], "Did you mean 'adam'?"),
        (["train", "digits", "--activation", "relu,thanh"], "Did you mean 'tanh'?"),
        (["train", "digits", "--schedule", "cosin"], "Did you mean 'cosine'?"),
        (["train", "digits", "--metric", "acuracy"], "Did you mean 'accuracy'?"),
        (["train", "digits", "--hidden", "64,x"], "64,32"),
        (["train", "digits", "--hidden", "0"], "none for a linear model"),
        (["train", "digits", "--epochs", "0"], "≥ 1"),
        (["train", "digits", "--learning-rate", "nan"], "> 0"),
        (["train", "digits", "--dropout", "1"], "in [0, 1)"),
        (["train", "digits", "--seed", "-1"], "from 0 to"),
        (["train", "digits", "--class-weight", "heavy"], "yes=5,no=1"),
        (["predict", "model.safetensors"], "TABLE"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told_in_one_line_with_what_to_do(refused, argv, told):
    line = refused(*argv)
    assert told in line
    assert "--help` shows an example" in line
