"""`jaxnn verify`: the table, its files, its exit status, and what it says to bad input."""

import json

import pytest

from jaxnn import verify
from jaxnn.cli import verify as command
from jaxnn.verify import table
from jaxnn.verify.first_order import accuracy, libraries
from jaxnn.verify.table import FAILED, HOLDS, Row, Table


def small(verdict=HOLDS, **rest):
    """A table as a group gives it, at once."""
    row = Row(
        "course", "sigmoid", "page 9", "σ(1.5)", 0, 1e-17, "at most 1e-15", verdict, "planted" * (verdict == FAILED)
    )
    return Table((row,), {"jax": "0.10"}, **rest)


@pytest.fixture
def quick(monkeypatch):
    """Stands in for the groups: gives what was asked for, and the tables that it will answer with."""
    asked, answers = [], {"table": small()}

    def group(name):
        def answer(**words):
            asked.append((name, words))
            return answers["table"]

        return answer

    monkeypatch.setattr(verify, "GROUPS", {name: group(name) for name in command.GROUPS})
    monkeypatch.setattr(verify, "optimisers", group("optimisers"))
    return asked, answers


def test_the_names_of_the_groups_are_those_there_are():
    assert tuple(verify.GROUPS) == command.GROUPS


@pytest.mark.rounding  # a thousand steps: what compiling with the least effort saves, running them takes three times
def test_one_rule_for_real(run, tmp_path):
    result = run("verify", "sgd", "--against", "optax", "--json", "sgd.json", "--plot", "sgd.png")
    assert result.status == 0, result
    assert max(map(len, result.out.splitlines())) <= 120
    for word in (
        "oracle",
        "twins",
        "optax.sgd",
        "accuracy, float32",
        "floor",
        "equal",
        "wrote sgd.json",
        "wrote sgd.png",
    ):
        assert word in result.out
    report = json.loads((tmp_path / "sgd.json").read_text(encoding="utf-8"))
    assert report["ok"] is True
    assert {"group", "rule", "reference", "mapping", "steps", "worst", "expected", "verdict"} <= set(report["rows"][0])
    assert {row["rule"] for row in report["rows"]} == {"sgd"}
    assert {row["reference"].partition(".")[0] for row in report["rows"] if row["group"] == "twins"} == {"optax"}
    assert set(report["curves"]["sgd"]) == {"jaxnn", "floor", "optax"}
    assert (tmp_path / "sgd.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_course_for_real(run):
    result = run("verify", "course")
    assert result.status == 0
    assert "erratum" in result.out


def test_a_failed_check_is_status_1_and_is_said_at_the_end(run, quick, tmp_path):
    asked, answers = quick
    answers["table"] = small() + small(FAILED)
    result = run("verify", "course", "--json", "t.json")
    assert result.status == 1
    assert "FAILED: sigmoid against page 9 (σ(1.5)): planted" in result.out
    assert asked == [("course", {})]
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))["ok"] is False


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ((), ("all", {"against": None})),
        (("all",), ("all", {"against": None})),
        (("optimisers", "--against", "optax, torch"), ("optimisers", {"against": ["optax", "torch"]})),
        (("gradients",), ("gradients", {})),
        (("adam", "--against", "keras"), ("optimisers", {"against": ["keras"], "rule": "adam"})),
    ],
)
def test_what_is_asked_for(run, quick, argv, asked):
    assert run("verify", *argv).status == 0
    assert quick[0] == [asked]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("adm",), "Unknown group or rule 'adm'. Did you mean 'adam'? Known: adadelta,"),
        (
            ("optimisers", "--against", "tensorflow"),
            "Unknown library 'tensorflow'. Known: keras, optax, sklearn, torch.",
        ),
        (("optimisers", "--against", ","), "--against needs at least one library"),
        (("course", "--against", "optax"), "--against applies to update rules, and 'course' checks none"),
        (("gradients", "--plot", "x.png"), "--plot applies to update rules, and 'gradients' checks none"),
        (("course", "--plot", "x.doc"), "has an unknown format: the name must end in"),
        (("course", "--json", "nowhere/x.json"), "There is no such folder"),
        (("all", "--json", "same.png", "--plot", "same.png"), "are the same file"),
        (("--mine", "nothing"), "Give a module, a colon and a name, as in 'package.module:factory'."),
        (("--mine", "no_such_module_anywhere:f"), "no_such_module_anywhere"),
        (("--mine", "optax:adamm"), "'adam'"),
        (("gradients", "--mine", "optax:sgd"), "leave out 'gradients'"),
        (("--mine", "optax:sgd", "--against", "optax"), "leave out --against"),
        (("--mine", "optax:sgd", "--plot", "x.png"), "leave out --plot"),
    ],
)
def test_bad_input(refused, argv, told):
    assert told in refused("verify", *argv)


def test_a_library_that_was_named_and_is_not_there_is_refused(refused, monkeypatch):
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    told = refused("verify", "sgd", "--against", "torch")
    assert "Asked to compare with torch: torch is not installed: pip install '.[peers]'" in told


def test_one_that_was_not_named_is_listed_as_not_checked(run, monkeypatch):
    find_spec = libraries.importlib.util.find_spec
    absent = ("torch", "keras", "optax")
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name))
    result = run("verify", "lion")
    assert result.status == 0
    assert f"{table.UNCHECKED}" in result.out
    assert "keras is not installed" in " ".join(result.out.split())


MODULES = {
    "changes_structure": "import jax\ndef f(rate):\n    return O(lambda p: (), lambda g, s, p=None: ((g,), s))",
    "needs_more": "def f(rate, secret):\n    return O(lambda p: (), lambda g, s, p=None: (g, s))",
    "no_optimiser": "def f(rate):\n    return 3",
    "not_finite": "import jax\ndef f(rate):\n"
    "    return O(lambda p: (), lambda g, s, p=None: (jax.tree.map(lambda g: g / 0, g), s))",
}


@pytest.mark.parametrize("name", MODULES)
def test_an_optimiser_that_is_none_is_one_line(refused, tmp_path, name, monkeypatch):
    source = (
        f"from typing import NamedTuple, Any\nclass O(NamedTuple):\n    init: Any\n    update: Any\n{MODULES[name]}\n"
    )
    (tmp_path / f"mine_{name}.py").write_text(source, encoding="utf-8")
    refused("verify", "--mine", f"mine_{name}:f")


@pytest.mark.slow
def test_ones_own_optimiser_is_identified(run, tmp_path):
    (tmp_path / "my_rules.py").write_text(
        "import optax\ndef mine(rate):\n    return optax.adam(rate, b1=0.95)\n", encoding="utf-8"
    )
    result = run("verify", "optimisers", "--mine", "my_rules:mine", "--json", "mine.json")
    assert result.status == 0
    assert "b1=0.95" in result.out
    rows = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["group"] == "mine"
    assert rows[0]["verdict"] == table.EQUAL


class TestFunctions:
    def test_optimisers_refuses_what_it_does_not_know(self):
        with pytest.raises(ValueError, match=r"Unknown rule 'adm'. Did you mean 'adam'"):
            verify.optimisers(rule="adm")
        with pytest.raises(ValueError, match=r"Unknown library 'jax'"):
            verify.optimisers(against=["jax"])

    def test_all_is_the_sum_of_the_groups(self, monkeypatch):
        monkeypatch.setattr(verify, "optimisers", lambda *, against: small(curves={"sgd": {}}))
        for name in ("gradients", "hessians", "newton"):
            monkeypatch.setattr(verify, name, small)
        monkeypatch.setattr(verify.lecture_course, "check", lambda: small(FAILED))
        found = verify.all()
        assert len(found) == 5
        assert not found.ok
        assert found.curves == {"sgd": {}}

    def test_the_legend_is_said_once(self):
        both = Table((), remarks=(accuracy.LEGEND,)) + Table((), remarks=(accuracy.LEGEND,))
        assert str(both).count(accuracy.LEGEND) == 1


def test_the_users_own_source_is_not_overwritten(refused, tmp_path):
    source = "import optax\n\ndef f(rate):\n    return optax.sgd(rate)\n"
    (tmp_path / "precious.py").write_text(source, encoding="utf-8")
    assert "--json and --mine are the same file" in refused("verify", "--mine", "precious:f", "--json", "precious.py")
    assert (tmp_path / "precious.py").read_text(encoding="utf-8") == source


def test_a_string_of_libraries_is_told_to_be_a_list():
    with pytest.raises(ValueError, match=r"against must be a list of libraries, as in \['optax'\]"):
        verify.optimisers(rule="sgd", against="optax")


def test_a_library_that_is_broken_is_listed_and_stops_nothing(run, monkeypatch):
    def broken(name):
        raise OSError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(libraries.importlib, "import_module", broken)
    assert libraries.missing("torch") == (
        "torch is installed but fails to import: libtorch_cpu.so: cannot open shared object file"
    )
