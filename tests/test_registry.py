"""Whatever is added has a row in each table that CONTRIBUTING.md names, and every table there is is named there."""

import ast
import re
import runpy
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import pytest

from jaxnn import factories, losses, metrics, optimisers
from jaxnn.types import DecayRate, Optimiser, Scalar, ScalarOrSchedule, Strength
from jaxnn.verify.first_order import accuracy

ROOT = Path(__file__).parent.parent
KINDS = {  # section of CONTRIBUTING.md -> the names of all that there is
    "Adding an optimiser": set(optimisers.TABLE),
    "Adding a method": set(optimisers.METHODS),
    "Adding a loss": set(losses.TABLE),
    "Adding a metric": set(metrics.HIGHER_IS_BETTER),
}
every_kind = pytest.mark.parametrize("section", KINDS)


class Place(NamedTuple):
    """A row of a section's tables."""

    file: str
    table: str  # a name in that file; "" is the file
    always: bool  # whether it needs a row of all that is added

    def __str__(self):
        return f"{self.file}: {self.table}" if self.table else self.file


def places(section):
    """The rows of the tables of a section of CONTRIBUTING.md whose first column has files."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found, heading = [], ""
    for line in text.partition(f"## {section}\n")[2].partition("\n## ")[0].splitlines():
        if line.strip().startswith("| file |"):
            heading = line
        elif row := re.match(r"\s*\| `([^`]+\.py)` \| (?:`([^`]+)` )?\| \S", line):
            found.append(Place(row[1], row[2] or "", heading.rstrip().endswith("| the row |")))
    return found


def definitions(file):
    """What a file defines at its outermost level, and methods of its classes: name -> node; "" is all of it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = {"": tree}
    for node in [*tree.body, *(part for each in tree.body if isinstance(each, ast.ClassDef) for part in each.body)]:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
    return found


def words(node):
    """The names and the texts that stand in a piece of code."""
    for part in ast.walk(node):
        match part:
            case ast.Constant(value=str(word)) | ast.Name(id=word) | ast.Attribute(attr=word):
                yield word


def missing(section, names):
    """In a sentence for each, the tables that need a row and have none."""
    told = []
    for place in places(section):
        absent = sorted(names - set(words(definitions(place.file)[place.table]))) if place.always else []
        told += [f"{place} has no row for {', '.join(absent)}: see CONTRIBUTING.md, {section}."] if absent else []
    return told


@every_kind
def test_every_table_has_every_row(section):
    assert missing(section, KINDS[section]) == []


@every_kind
def test_a_missing_row_is_told_in_a_sentence(section):
    told = missing(section, {*KINDS[section], "brand_new"})
    assert len(told) == sum(place.always for place in places(section)) >= 3
    assert all(line.endswith(f" has no row for brand_new: see CONTRIBUTING.md, {section}.") for line in told)


@pytest.mark.parametrize("section", [*KINDS, "Adding a column kind"])
def test_what_a_section_names_is_there(section):
    assert [str(place) for place in places(section) if place.table not in definitions(place.file)] == []


@pytest.mark.by_default("Adding an optimiser")
@every_kind
def test_every_table_of_all_names_is_in_its_section(section):
    """A table that has them all will need the next one, too."""
    known, unknown = set(places(section)), []
    for folder in ("jaxnn", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            for name, node in definitions(file).items():
                whole = isinstance(node, ast.Assign | ast.AnnAssign) and KINDS[section] <= set(words(node))
                if whole and not any(Place(file, name, always) in known for always in (True, False)):
                    unknown.append(f"{file}: {name} is not in CONTRIBUTING.md, {section}.")
    assert unknown == []


def test_every_file_that_knows_column_kinds_is_in_its_section():
    """By the name of one of them, which means nothing else."""
    known = {place.file for place in places("Adding a column kind")}
    files = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "jaxnn").rglob("*.py"))}
    saying = {file for file in files if "boolean" in set(words(definitions(file)[""]))}
    assert len(saying) > 4
    assert saying - known == set()


@pytest.mark.parametrize(("package", "table"), [("rules", "TABLE"), ("methods", "METHODS")])
def test_the_room_exports_a_table_and_its_states(package, table):
    exported, made = getattr(optimisers, package).__all__, getattr(optimisers, table)
    rate = (0.1,) if package == "rules" else ()
    states = {type(factory(*rate).init(jnp.ones(2))).__name__ for factory in made.values()}
    assert set(exported) == {table, *made, *states}
    assert set(exported) <= set(optimisers.__all__)
    assert len(set(optimisers.__all__)) == len(optimisers.__all__)


@factories.optimiser
def brand_new(
    learning_rate: ScalarOrSchedule,
    *,
    b1: DecayRate = 0.9,
    eps: Scalar = 1e-8,
    weight_decay: Strength = 0.0,
    maximise: bool = False,
) -> Optimiser:
    """A rule that nobody has heard of."""
    del b1, eps
    return optimisers.sgd(learning_rate, weight_decay=weight_decay, maximise=maximise)


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setattr(optimisers, "TABLE", {**optimisers.TABLE, "brand_new": brand_new})


# file -> what it asks of every rule without a row
ASKED = {
    "tests/laws.py": lambda laws: [laws["CASES"], laws["ZOOS"]["rules"].makes],
    "tests/mutation.py": lambda mutation: [mutation["FILES"]],
    "tests/test_factories.py": lambda test: [test["RULES"]],
    "tests/optimisers/test_law_derivatives.py": lambda law: [
        [
            rule
            for rule, _, asked in law["INSIDE"]
            if rule != "brand_new" or asked.keys() == {"b1", "eps", "weight_decay"}
        ],
        [rule for rule, _, _ in law["RATES_AT_ZERO"]],
    ],
    "tests/optimisers/test_law_reductions.py": lambda law: [[name.split()[0] for name in law["BITWISE"]]],
    "tests/optimisers/test_law_symmetries.py": lambda law: [
        law["WITHOUT_EPS"],
        [rule for rule, _, powers in law["MEASURED"] if rule != "brand_new" or powers == {"eps": 1}],
    ],
    "tests/optimisers/first_order/test_rules.py": lambda test: [["brand_new"] if test["space"]("brand_new") else []],
}


@pytest.mark.parametrize("file", ASKED)
def test_an_added_rule_is_asked_by_itself(file, added):
    tables = ASKED[file](runpy.run_path(str(ROOT / file)))
    assert ["brand_new" in table for table in tables] == [True] * len(tables)


def test_the_accuracy_of_an_added_rule_is_measured(added):
    assert accuracy.as_it_comes("brand_new") == accuracy.Contest("brand_new", {}, {})
    (adam,) = (contest for contest in accuracy.CONTESTS if contest.rule == "adam" and not contest.ours)
    assert adam.theirs["optax.adam"] == {"b1": 0.9, "b2": 0.999, "eps": 1e-8, "eps_root": 0.0}
