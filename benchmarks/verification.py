"""The published tables of `jaxnn verify all --json docs/verification.json`: in full, and one line a rule.

python -m benchmarks.page docs/verification.json docs/verification.md
python -m benchmarks.page docs/verification.json README.md
"""

from collections.abc import Sequence
from typing import Any

from jaxnn.optimisers import TABLE
from jaxnn.verify.table import EQUAL, FAILED, HOLDS, UNEQUAL, Row, Table, shown

LIBRARIES = {"optax": "optax", "torch": "PyTorch", "keras": "Keras", "sklearn": "scikit-learn"}


def table(report: dict[str, Any]) -> Table:
    """The rows of a report as the table that they were."""
    return Table(tuple(Row(**row) for row in report["rows"]), report["versions"], tuple(report["remarks"]))


def full(report: dict[str, Any]) -> str:
    """Every row, and how many have each verdict."""
    rows = table(report)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in rows.counts.items())
    return f"{len(rows)} comparisons: {counts}.\n\n{rows.to_markdown()}\n"


def summary(report: dict[str, Any]) -> str:
    """One line a rule: its formula and the other libraries in double precision, and float32 after 1000 steps."""
    rows = table(report).rows
    rivals = {library: name for library, name in LIBRARIES.items() if library != "sklearn"}
    header = [
        "rule",
        "its formula",
        *LIBRARIES.values(),
        "float32: ours",
        "double",
        *(f"/ {n}" for n in rivals.values()),
    ]
    lines = [f"| {' | '.join(header)} |", "| --- |" + " ---: |" * (len(header) - 1)]
    for rule in TABLE:
        mine = [row for row in rows if row.rule == rule]
        formula = _worst([row for row in mine if row.group == "oracle"])
        others = [
            _agreement([row for row in mine if row.group == "twins" and row.reference.startswith(f"{library}.")])
            for library in LIBRARIES
        ]
        errors = [row for row in mine if row.group == "accuracy, float32"]
        ours, double = _errors(next(row for row in errors if row.reference == "floor"))
        pairs = [
            next((" / ".join(_errors(row)) for row in errors if row.reference.startswith(f"{library}.")), "–")
            for library in rivals
        ]
        lines.append(f"| {' | '.join([rule, formula, *others, ours, double, *pairs])} |")
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (EQUAL, UNEQUAL, HOLDS, FAILED)}
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    counts = (
        f"{found[EQUAL]} comparisons equal, {found[UNEQUAL]} unequal as tabulated, {found[HOLDS]} further checks hold"
    )
    return "\n".join([*lines, "", f"{counts}, {found[FAILED]} failed. {versions}.", ""])


def _errors(row: Row) -> tuple[str, str]:
    """Ours and theirs after 1000 steps, from a row of accuracy; both in the convention of that row."""
    ours, theirs = row.mapping.rpartition("ours ")[2].split(" ulp; theirs ")
    return ours.split()[-1], theirs.split()[-1]


def _worst(rows: Sequence[Row]) -> str:
    if any(row.verdict == FAILED for row in rows):
        return FAILED
    return shown(max((row.worst for row in rows if row.worst is not None), default=None))


def _agreement(rows: Sequence[Row]) -> str:
    """The worst of the equal rows; a library that has the rule only in another convention is said to differ."""
    equal = [row for row in rows if row.verdict in (EQUAL, FAILED)]
    return _worst(equal) if equal else "differs" if rows else "–"
