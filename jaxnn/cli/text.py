"""Plain output: named facts and tables with aligned columns, at most 100 characters wide."""

import textwrap
from collections.abc import Sequence

WIDTH = 100
NAMES = 15  # width of the column of names


def fact(name: str, text: str) -> None:
    """Prints `name       text`, wrapped and indented if it is long."""
    label = f"{f'{name} ':{NAMES}}"  # a long name has a space after it too
    lines = textwrap.wrap(printable(text), WIDTH, initial_indent=label, subsequent_indent=" " * NAMES)
    print("\n".join(lines or [label]))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """Prints a table: the first `left` columns flush left, the others flush right."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[j]) for row in cells) for j in range(len(header))]
    for row in cells:
        aligned = (
            cell.ljust(width) if j < left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("   ".join(aligned).rstrip())


def printable(text: str) -> str:
    """The text without control characters: names come from files and could otherwise control the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
