"""Writes measured tables into a page of the documentation, between two markers.

python -m benchmarks --json docs/performance.json
python -m benchmarks --only NAME --into docs/performance.json
python -m benchmarks.page docs/performance.json docs/performance.md
python -m benchmarks.page docs/performance.json README.md
python -m benchmarks robustness --json docs/robustness.json
python -m benchmarks.page docs/robustness.json docs/robustness.md
jaxnn verify all --json docs/verification.json
python -m benchmarks.page docs/verification.json docs/verification.md
python -m benchmarks.page docs/verification.json README.md

A page says by its markers what it wants: of the benchmarks, `benchmarks` for every table, `speed` for the first one in
short; of `robustness`, `robustness`; of the verification, `verification` for every row, `trust` for one line a rule.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import robustness, table, verification
from jaxnn import files

BLOCKS = {
    "benchmarks": table.markdown,
    "speed": table.summary,
    "robustness": robustness.markdown,
    "verification": verification.full,
    "trust": verification.summary,
}


def markers(name: str) -> tuple[str, str]:
    """The two lines between which a block stands."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


BEGIN, END = markers("benchmarks")


def rewritten(page: str, report: dict[str, Any]) -> str:
    """The page with the tables of this report.

    Raises:
        ValueError: the page has no pair of markers.
    """
    found = False
    names = _blocks(report)
    for name in names:
        begin, end = markers(name)
        before, opened, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if opened and closed:
            page, found = f"{before}{begin}\n\n{BLOCKS[name](report)}\n{end}{after}", True
    if not found:
        begin, end = markers(names[0])
        raise ValueError(f"The page needs the two lines {begin} and {end}, in this order: the tables go between them.")
    return page


def _blocks(report: dict[str, Any]) -> tuple[str, ...]:
    """Those that a report has something for."""
    if "rows" in report:  # of `jaxnn verify`
        return "verification", "trust"
    return ("robustness",) if report.get("kind") == "robustness" else ("benchmarks", "speed")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status, 2 where the input is at fault."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m benchmarks.page REPORT.json PAGE.md", file=sys.stderr)
        return 2
    report, page = map(Path, given)
    try:
        text = rewritten(page.read_text(encoding="utf-8"), json.loads(report.read_text(encoding="utf-8")))
        files.write(page, text)
    except (OSError, ValueError) as error:
        print(f"benchmarks.page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
