"""Writes measured tables into a page of the documentation, between two markers.

python -m benchmarks --json docs/performance.json
python -m benchmarks.page docs/performance.json docs/performance.md
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import table

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def block(report: dict[str, Any]) -> str:
    """What stands between the markers."""
    return f"\n{table.markdown(report)}\n"


def rewritten(page: str, report: dict[str, Any]) -> str:
    """The page with the tables of this report.

    Raises:
        ValueError: the page has no pair of markers.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page needs the two lines {BEGIN} and {END}, in this order: the tables go between them.")
    return f"{before}{begin}\n{block(report)}\n{end}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status, 2 where the input is at fault."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("usage: python -m benchmarks.page REPORT.json PAGE.md", file=sys.stderr)
        return 2
    report, page = map(Path, given)
    try:
        text = rewritten(page.read_text(encoding="utf-8"), json.loads(report.read_text(encoding="utf-8")))
        page.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"benchmarks.page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
