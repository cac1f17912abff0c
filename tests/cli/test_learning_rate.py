import re
import shlex

import pytest

from jaxnn import experiments

TABLE = ("--target", "stroke", "--drop", "id", "cost", "--hidden", "4", "--batch-size", "16", "--seed", "3")


def facts(out):
    return dict(re.findall(r"^(\S+(?: \S+)?) {2,}(.*)$", out, re.MULTILINE))


def test_it_prints_what_the_test_found_and_a_command_that_runs(run, patients):
    result = run("learning-rate", patients, *TABLE, "--plot", "rates.png")
    assert (result.status, result.err) == (0, "")
    told = facts(result.out)
    source = experiments.source(str(patients), target="stroke", drop=["id", "cost"])
    found = experiments.learning_rates(source, {"hidden": (4,), "batch_size": 16}, seed=3)
    assert told["suggestion"] == f"{found.test.suggestion:.2g}"
    assert told["lowest loss"] == f"at a rate of {found.test.lowest:.2g}"
    assert told["default"] == "0.003"
    assert told["stopped"] == found.test.stop
    with open("rates.png", "rb") as picture:
        assert picture.read(4) == b"\x89PNG"
    command = shlex.split(result.out.partition("next ")[2])
    assert command == ["jaxnn", "train", str(patients), *TABLE, "--learning-rate", told["suggestion"]]
    trained = run(*command[1:], "--epochs", "1")
    assert trained.status == 0
    assert f"learning rate {told['suggestion']} " in " ".join(trained.out.split())


def test_no_suggestion_is_a_status_of_its_own(run, patients):
    result = run("learning-rate", patients, *TABLE, "--low", "1e9", "--high", "1e10", "--optimiser", "sgd")
    assert result.status == 1
    assert re.fullmatch(r"jaxnn: no learning rate can be suggested: .*\.\n", result.err)
    assert "suggestion" not in facts(result.out)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "add --target COLUMN"),
        (("--target", "strok"), "Did you mean 'stroke'?"),
        ((*TABLE[:5], "--optimiser", "newton"), "newton finds its own step length"),
        ((*TABLE, "--optimiser", "adan"), "Did you mean 'adam'?"),
        ((*TABLE, "--low", "1", "--high", "0.1"), "low must be below high"),
        ((*TABLE, "--low", "0"), "> 0"),
        ((*TABLE, "--steps", "49"), "≥ 50"),
        ((*TABLE, "--learning-rate", "0.1"), "unknown argument '--learning-rate'"),
        ((*TABLE, "--epochs", "3"), "unknown argument '--epochs'"),
        ((*TABLE, "--plot", "rates.gif"), ".png, .svg"),
        ((*TABLE, "--plot", "nowhere/rates.png"), "no such folder"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_bad_input_is_told_in_one_line(refused, patients, options, told):
    assert told in refused("learning-rate", patients, *options)


def test_a_picture_does_not_overwrite_the_data(refused, patients):
    assert "same file" in refused("learning-rate", patients, *TABLE, "--plot", patients)


def test_data_that_is_not_there(refused):
    assert "Did you mean 'digits'?" in refused("learning-rate", "digitz")
