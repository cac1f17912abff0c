"""The published tables of `jaxnn verify all --json docs/verification.json`: in full, and one line a rule.

python -m benchmarks.page docs/verification.json docs/verification.md
python -m benchmarks.page docs/verification.json README.md
"""

from collections.abc import Sequence
from typing import Any

from jaxnn.optimisers import TABLE
from jaxnn.verify.table import EQUAL, FAILED, HOLDS, UNEQUAL, Row, Table, told

LIBRARIES = {"optax": "optax", "torch": "PyTorch", "keras": "Keras", "sklearn": "scikit-learn"}
AFTER = "1000"  # steps, of the errors in float32


def table(report: dict[str, Any]) -> Table:
    """The rows of a report as the table that they were."""
    return Table(tuple(Row(**row) for row in report["rows"]), report["versions"], tuple(report["remarks"]))


def full(report: dict[str, Any]) -> str:
    """Every row, and how many have each verdict."""
    rows = table(report)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in rows.counts.items())
    return f"{len(rows)} comparisons: {counts}.\n\n{rows.to_markdown()}\n"


def summary(report: dict[str, Any]) -> str:
    """One line a rule: its paper and the other libraries in double precision, and float32 after 1000 steps."""
    rows = table(report).rows
    lines = [
        "| rule | its paper | "
        + " | ".join(LIBRARIES.values())
        + " | float32: ours | floor | optax | PyTorch | Keras |",
        "| --- |" + " ---: |" * (1 + len(LIBRARIES)) + " ---: |" * 5,
    ]
    for rule in TABLE:
        mine = [row for row in rows if row.rule == rule]
        paper = _worst([row for row in mine if row.group == "oracle"])
        others = [
            _agreement([row for row in mine if row.group == "twins" and row.reference.startswith(f"{library}.")])
            for library in LIBRARIES
        ]
        errors = [
            _error(report["curves"].get(rule, {}).get(library, {}).get(AFTER))
            for library in ("jaxnn", "floor", "optax", "torch", "keras")
        ]
        lines.append(f"| {' | '.join([rule, paper, *others, *errors])} |")
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (EQUAL, UNEQUAL, HOLDS, FAILED)}
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    counts = (
        f"{found[EQUAL]} comparisons equal, {found[UNEQUAL]} unequal as tabulated, {found[HOLDS]} further checks hold"
    )
    return "\n".join([*lines, "", f"{counts}, {found[FAILED]} failed. {versions}.", ""])


def _worst(rows: Sequence[Row]) -> str:
    if any(row.verdict == FAILED for row in rows):
        return FAILED
    return told(max((row.worst for row in rows if row.worst is not None), default=None))


def _agreement(rows: Sequence[Row]) -> str:
    """The worst of the equal rows; a library that has the rule only in another convention is said to differ."""
    equal = [row for row in rows if row.verdict in (EQUAL, FAILED)]
    return _worst(equal) if equal else "differs" if rows else "–"


def _error(ulp: float | None) -> str:
    return "–" if ulp is None else f"{ulp:.2g}" if ulp < 100 else f"{ulp:.0f}"
