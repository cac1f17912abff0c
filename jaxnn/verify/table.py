"""What a verification returns: rows, each a comparison and its verdict, and the versions that were compared."""

import itertools
import json
import math
import platform
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from jaxnn import files, html

EQUAL = "equal"  # within rounding
UNEQUAL = "unequal"  # two conventions, which differ by what the table says
HOLDS = "holds"  # a number, a bound or a law
FAILED = "FAILED"
UNCHECKED = "not checked"  # what it needs is not here; never counted as passed
VERDICTS = (EQUAL, UNEQUAL, HOLDS, FAILED, UNCHECKED)


@dataclass(frozen=True)
class Row:
    """One comparison."""

    group: str  # the kind of comparison: "oracle", "twins", "accuracy", "gradients", "course", "mine"
    rule: str  # what of ours
    reference: str  # what it is held against
    mapping: str  # how the arguments correspond, or what was compared
    steps: int  # how many were compared; 0 where there are no steps
    worst: float | None  # the worst difference, in the unit of `expected`; None where nothing was measured
    expected: str  # what `worst` has to be
    verdict: str  # one of VERDICTS
    why: str = ""  # why two rules differ, why a row failed or was not checked


@dataclass(frozen=True)
class Table:
    """Rows of comparisons: `print(table)`, `table.ok`, `table.rows`, `table.to_json()`, `table.to_markdown()`."""

    rows: tuple[Row, ...]
    versions: Mapping[str, str] = field(default_factory=dict)  # of what was compared, by name
    remarks: tuple[str, ...] = ()  # what a reader should know beside the rows
    # what a picture shows of them: rule -> library -> (steps, errors), errors in units in the last place
    curves: Mapping[str, Mapping[str, tuple[Any, Any]]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no row failed. A row that was not checked is no failure, and no pass: see `counts`."""
        return not self.failures

    @property
    def failures(self) -> tuple[Row, ...]:
        """The rows that failed."""
        return tuple(row for row in self.rows if row.verdict == FAILED)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, those that occur."""
        counted = {verdict: sum(row.verdict == verdict for row in self.rows) for verdict in VERDICTS}
        return {verdict: count for verdict, count in counted.items() if count}

    def __add__(self, other: "Table") -> "Table":
        remarks = tuple(dict.fromkeys(self.remarks + other.remarks))
        return Table(
            self.rows + other.rows, {**self.versions, **other.versions}, remarks, {**self.curves, **other.curves}
        )

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __str__(self) -> str:
        return "\n".join(_lines(self, shutil.get_terminal_size((100, 24)).columns))

    def _repr_html_(self) -> str:
        """What a notebook shows: every row, failures first, and the versions."""
        rows = sorted(self.rows, key=lambda row: row.verdict != FAILED)
        names = ("group", "rule", "reference", "mapping", "worst", "expected", "verdict", "why")
        return html.page(
            ", ".join(f"{count:,} {verdict}" for verdict, count in self.counts.items()) or "No rows",
            html.facts(self.versions),
            html.listing(self.remarks),
            html.table(names, [[getattr(row, name) for name in names] for row in rows]),
        )

    def to_json(self, path: str | Path | None = None) -> str:
        """The table as JSON text, also written to `path` if one is given.

        An object with `ok`, `versions`, `counts`, `remarks`, `rows` and `curves`; each row has the fields of `Row`. An
        infinite difference is null, as is one that was not measured: JSON has no infinities.

        Raises:
            OSError: `path` cannot be written.
        """
        rows = [asdict(row) | {"worst": _finite(row.worst)} for row in self.rows]
        curves = {
            rule: {library: _pairs(*curve) for library, curve in panel.items()} for rule, panel in self.curves.items()
        }
        content = {"ok": self.ok, "versions": dict(self.versions), "counts": self.counts}
        content |= {"remarks": list(self.remarks), "rows": rows, "curves": curves}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        if path is not None:
            files.write(path, text + "\n")
        return text

    def to_markdown(self) -> str:
        """The table as Markdown, one table for each group, the versions beneath."""
        blocks = []
        for group in dict.fromkeys(row.group for row in self.rows):
            rows = [row for row in self.rows if row.group == group]
            lines = [f"**{group}**", "", *_markdown(rows)]
            blocks.append("\n".join(lines))
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return "\n\n".join([*blocks, *([f"{versions}."] if versions else []), *self.remarks])


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python and of those of the packages that are installed."""
    found = {"Python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # listed as not checked, row by row
    return found


def shown(worst: float | None) -> str:
    """A difference as a table shows it."""
    if worst is None:
        return "–"
    return "0" if worst == 0 else f"{worst:.2g}"


HEADER = ("rule", "against", "how", "steps", "worst", "verdict")


def _cells(row: Row) -> tuple[str, ...]:
    verdict = f"{row.verdict}: {row.why}" if row.why else row.verdict
    return row.rule, row.reference, row.mapping, str(row.steps or "–"), shown(row.worst), verdict


def _markdown(rows: Sequence[Row]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"

    return [line(HEADER), "| --- | --- | --- | ---: | ---: | --- |", *(line(_cells(row)) for row in rows)]


def _pairs(steps: Any, errors: Any) -> dict[str, float | None]:
    return {str(step): _finite(float(error)) for step, error in zip(steps, errors, strict=True)}


def _finite(worst: float | None) -> float | None:
    return worst if worst is not None and math.isfinite(worst) else None


def _lines(table: Table, width: int) -> Iterator[str]:
    """The table for a terminal of that many columns; what failed is repeated at the end, where it is seen."""
    for group in dict.fromkeys(row.group for row in table.rows):
        yield group
        yield from _aligned([row for row in table.rows if row.group == group], max(width, 60))
        yield ""
    for row in table.failures:
        yield f"{FAILED}: {row.rule} against {row.reference} ({row.mapping}): {row.why}"
        yield f"    worst {shown(row.worst)}, expected {row.expected}"
    yield from table.remarks
    if table.versions:
        yield ", ".join(f"{name} {version}" for name, version in table.versions.items())
    yield ", ".join(f"{count} {verdict}" for verdict, count in table.counts.items())


def _aligned(rows: Sequence[Row], width: int) -> Iterator[str]:
    """Columns beside each other; what was compared is folded in its own, and why it came out so stands beneath."""
    cells = [(*_cells(row)[:-1], row.verdict) for row in rows]
    widths = [max(len(line[j]) for line in (HEADER, *cells)) for j in range(len(HEADER))]
    free = width - widths[0] - sum(widths[3:]) - 2 * (len(widths) - 1)
    widths[1] = min(widths[1], max(free // 2, 12))
    widths[2] = min(widths[2], max(free - widths[1], 12))
    yield _line(HEADER, widths)
    for row, (rule, reference, how, *rest) in zip(rows, cells, strict=True):
        folded = itertools.zip_longest(
            *(_folded(text, w) for text, w in zip((reference, how), widths[1:3], strict=True))
        )
        first, *others = ([cell or "" for cell in line] for line in folded)
        yield _line([rule, *first, *rest], widths)
        yield from (_line(["", *line], widths) for line in others)
        yield from (" " * (widths[0] + 4) + line for line in _folded(row.why, width - widths[0] - 4) if line)


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (3, 4)  # flush right
    aligned = (
        cell.rjust(width) if j in numbers else cell.ljust(width)
        for j, (cell, width) in enumerate(zip(cells, widths, strict=False))  # lines that go on end early
    )
    return "  ".join(aligned).rstrip()


def unexpected(error: Exception) -> str:
    """What went wrong while a row was checked, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def verdict_of(worst: float, at_most: float, *, otherwise: str, passed: str = EQUAL) -> dict[str, Any]:
    """The fields `worst`, `expected`, `verdict` and `why` of a row whose difference may be `at_most` so large."""
    good = worst <= at_most
    expected = f"at most {at_most:g}"
    return {
        "worst": float(worst),
        "expected": expected,
        "verdict": passed if good else FAILED,
        "why": "" if good else otherwise,
    }
