"""`jaxnn train --ensemble`: what is said of the members, what they gain, and what is refused."""

import re

import pytest

from jaxnn import training
from tests.cli.conftest import FAST

GAIN = re.compile(
    r"ensemble \d of 3 networks selected; against the best of them alone,"
    r" [+-]\d+\.\d % log loss on the validation rows, [+-]\d+\.\d % log loss on the test rows wrote"
)


def words(text):
    """The text with its lines joined."""
    return " ".join(text.split())


def test_an_ensemble_tells_its_gain(run, tmp_path):
    result = run("train", "wine", "--ensemble", 3, *FAST, "--out", "m.safetensors")
    assert result.status == 0, result
    assert "ensemble       3 networks; the good ones, chosen on the validation rows, are averaged\n" in result.out
    assert GAIN.search(words(result.out)), result.out
    for part in ("validation", "validation, best member", "test", "test, best member"):
        assert len(re.findall(rf"^{part}  ", result.out, re.M)) == 1
    saved = training.load(tmp_path / "m.safetensors")
    assert isinstance(saved, training.Ensemble)
    shown = run("show", "m.safetensors").out
    assert f"{len(saved.models)} of 3" in shown


@pytest.mark.slow
def test_without_validation_rows_all_are_averaged(run):
    result = run("train", "wine", "--ensemble", 3, *FAST, "--validation", 0)
    assert result.status == 0, result
    assert "3 networks; all are averaged, since there are no validation rows to choose by\n" in result.out
    assert "3 of 3 networks selected" in result.out


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--ensemble", 3, "--history", "h.jsonl"), "--history follows the epochs of one network: leave it out"),
        (("--ensemble", 1), "--ensemble"),
        (("--ensemble", "many"), "--ensemble"),
    ],
)
def test_what_an_ensemble_cannot_be_is_refused(run, refused, argv, told):
    assert told in refused("train", "wine", *argv, *FAST)
    assert run("train", "wine", *argv, *FAST).out == ""
