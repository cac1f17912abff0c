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
    """Two tables with one line a rule: whether it is the same rule elsewhere, and how accurate it is in float32."""
    rows = table(report).rows
    rivals = {library: name for library, name in LIBRARIES.items() if library != "sklearn"}
    same: list[list[str]] = []
    accurate: list[list[str]] = []
    for rule in TABLE:
        mine = [row for row in rows if row.rule == rule]
        formula = _worst([row for row in mine if row.group == "oracle"])
        others = [
            _agreement([row for row in mine if row.group == "twins" and row.reference.startswith(f"{library}.")])
            for library in LIBRARIES
        ]
        same.append([rule, formula, *others])
        errors = [row for row in mine if row.group == "accuracy, float32"]
        ours, best = _errors(next(row for row in errors if row.reference == "floor"))
        theirs = [
            next((_theirs_and_ours(row) for row in errors if row.reference.startswith(f"{library}.")), "–")
            for library in rivals
        ]
        accurate.append([rule, best, ours, *theirs])
    return "\n".join(
        [
            "**Is it the same rule?** The largest difference over 200 steps, in float64:",
            "",
            *_markdown(["rule", "paper's formula", *LIBRARIES.values()], same),
            "",
            "**How accurate is it in float32?** The error after 1000 steps, in ulp; in brackets, jaxnn following that "
            "library's convention:",
            "",
            *_markdown(["rule", "best possible", "jaxnn", *rivals.values()], accurate),
            "",
            _counted(rows),
            "",
            f"Versions: {', '.join(f'{name} {version}' for name, version in report['versions'].items())}.",
            "",
        ]
    )


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table whose first column is text, and the others numbers."""
    cells = [f"| {' | '.join(line)} |" for line in (header, *lines)]
    return [cells[0], "| --- |" + " ---: |" * (len(header) - 1), *cells[1:]]


def _counted(rows: Sequence[Row]) -> str:
    """How many comparisons there are, and what came of them, in a sentence."""
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (EQUAL, UNEQUAL, HOLDS, FAILED)}
    return (
        f"`jaxnn verify all` makes {sum(found.values())} checks. In {found[EQUAL]}, the two sides are equal to 1e-12. "
        f"In {found[UNEQUAL]}, they are known to differ, and do so by the known amount. {found[HOLDS]} check a bound, "
        f"such as that of an error in float32, and hold. {found[FAILED] or 'None'} failed."
    )


def _theirs_and_ours(row: Row) -> str:
    ours, theirs = _errors(row)
    return f"{theirs} ({ours})"


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
