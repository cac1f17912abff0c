"""`jaxnn verify hessian` and `newton`: exit status, and which options are not theirs. The groups stand in."""

import json

import pytest

from jaxnn import verify
from jaxnn.verify.table import FAILED, HOLDS, Row, Table


@pytest.mark.parametrize("verdict", [HOLDS, FAILED])
@pytest.mark.parametrize("group", ["hessian", "newton"])
def test_exit_status(run, monkeypatch, tmp_path, group, verdict):
    row = Row(group, "hessian", "jax.hessian", "4-5-3", 0, 1e-16, "at most 1e-12", verdict, "planted")
    monkeypatch.setattr(verify, "GROUPS", {**verify.GROUPS, group: lambda: Table((row,), {"jax": "0.10"})})
    result = run("verify", group, "--json", "t.json")
    assert result.status == (verdict == FAILED)
    assert ("FAILED: hessian against jax.hessian" in result.out) == (verdict == FAILED)
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["rows"][0]["group"] == group


@pytest.mark.parametrize("group", ["hessian", "newton"])
def test_what_is_about_update_rules_is_refused(refused, group):
    told = refused("verify", group, "--against", "optax")
    assert f"--against applies to update rules, and {group!r} checks none" in told
    assert f"--plot applies to update rules, and {group!r} checks none" in refused("verify", group, "--plot", "x.png")


def test_the_words_are_those_of_the_functions():
    assert verify.GROUPS["hessian"] is verify.hessians
    assert verify.GROUPS["newton"] is verify.newton
