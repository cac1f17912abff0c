"""Regressions with certified answers: the format of NIST's Statistical Reference Datasets, nonlinear regression.

The header of such a file says which lines hold what:

    Starting Values   (lines 41 to  43)        b1 =   0.1    0.15    1.6657666537E-01  3.8303286810E-02
    Certified Values  (lines 41 to  48)        Residual Sum of Squares:                 5.1304802941E+02
    Data              (lines 61 to 114)        92.9000E0     0.500E0

A line of parameters has the starting values, then the certified value and its standard deviation; a line of data has
the response y, then the predictors. `NIST` has the paths of all 27, which come with jaxnn.

Reference:
    National Institute of Standards and Technology, Statistical Reference Datasets, https://www.itl.nist.gov/div898/strd.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

NIST: Mapping[str, Path] = MappingProxyType(
    {path.stem: path for path in sorted((Path(__file__).parent / "strd").glob("*.dat"))}
)
LARGEST = 2**20  # bytes; NIST's largest file has 15,000
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([EeDd][-+]?\d+)?")


class Nist(NamedTuple):
    """A regression with certified answers; float64 NumPy arrays.

    Attributes:
        name: NIST's name of it, such as "Chwirut2".
        x: predictors, (n,) where there is one, else (n, k).
        y: the response, (n,).
        starts: starting points, (2, p): the first far from the solution, the second near.
        certified: the parameters that minimise the sum of squares, (p,), to eleven digits.
        standard_deviations: of the certified parameters, (p,).
        residual_sum_of_squares: Σ (y - f(x))² at the certified parameters.
        predictors: names of the columns of `x`, (k,).
        formula: the model as the file writes it, "y = exp(-b1*x)/(b2+b3*x) + e".
        difficulty: NIST's word: "Lower", "Average" or "Higher".
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    certified: np.ndarray
    standard_deviations: np.ndarray
    residual_sum_of_squares: float
    predictors: tuple[str, ...]
    formula: str
    difficulty: str


def read_nist(path: str | os.PathLike[str]) -> Nist:
    """A file of NIST's nonlinear regressions.

    Args:
        path: such as `NIST["Chwirut2"]`, one of those that come with jaxnn.

    Raises:
        ValueError: it is not such a file, or it contradicts itself; the message names the file and the line.
        OSError: it cannot be read.
    """
    file = _File(os.fspath(path), _text(path))
    parameters = [file.numbers(n, after="=") for n in file.stated("Starting Values")]
    data = [file.numbers(n) for n in file.stated("Data")]
    first_parameter, first_row = (file.stated(part)[0] for part in ("Starting Values", "Data"))
    table = file.table(parameters, first_parameter, at_least=3, what="a starting value, a certified one, its deviation")
    rows = file.table(data, first_row, at_least=2, what="a response and a predictor")
    observations, line = file.one_of(r"(\d+)\s+Observations")
    if int(observations) != len(rows):
        raise file.error(line, f"{observations} observations are stated, but there are {len(rows)} lines of data")
    stated, line = file.one_of(r"(\d+)\s+Parameters?\b")
    if int(stated) != len(table):
        raise file.error(line, f"{stated} parameters are stated, but there are {len(table)} lines of starting values")
    sum_line = file.one_of(r"Residual Sum of Squares:\s*(\S+)")[1]
    begin, end = line, next((n for n in range(line, first_parameter) if "tarting" in file.line(n)), first_parameter)
    return Nist(
        name=file.one_of(r"Dataset Name:\s*(\S+)")[0],
        x=rows[:, 1] if rows.shape[1] == 2 else rows[:, 1:],
        y=rows[:, 0],
        starts=table[:, :-2].T,
        certified=table[:, -2],
        standard_deviations=table[:, -1],
        residual_sum_of_squares=file.numbers(sum_line, after=":")[0],
        predictors=tuple(file.one_of(r"Data:\s+y\s+(\S.*)")[0].split()),
        formula=" ".join(" ".join(file.line(n) for n in range(begin + 1, end)).split()),
        difficulty=file.one_of(r"(\w+)\s+Level of Difficulty")[0],
    )


class _File:
    """Lines that can be asked for by number, from 1, and an error that says where."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.lines = path, text.splitlines()

    def error(self, line: int, problem: str) -> ValueError:
        return ValueError(f"{self.path!r}, line {line}: {problem}.")

    def line(self, n: int) -> str:
        if n > len(self.lines):
            raise self.error(len(self.lines), f"the file ends here, but its header refers to line {n}")
        return self.lines[n - 1]

    def one_of(self, pattern: str) -> tuple[str, int]:
        """What the pattern's group holds in the first line that has it, and that line's number."""
        for n, line in enumerate(self.lines, 1):
            found = re.search(pattern, line)
            if found:
                return found.group(1).strip(), n
        wanted = re.sub(r"\(.*?\)|\\[a-z]\S?|[*+?]", " ", pattern)
        raise self.error(
            1, f"no line contains {' '.join(wanted.split())!r}, as files of NIST's nonlinear regressions do"
        )

    def stated(self, part: str) -> range:
        """The numbers of the lines that the header gives to a part."""
        words, n = self.one_of(rf"{part}\s+(\(lines\s+\d+\s+to\s+\d+\s*\))")
        first, last = map(int, re.findall(r"\d+", words))
        if not n < first <= last <= len(self.lines):
            raise self.error(n, f"{part} in lines {first} to {last}: the file has {len(self.lines)} lines")
        return range(first, last + 1)

    def numbers(self, n: int, *, after: str = "") -> list[float]:
        """The numbers of a line, those after a sign where one is named."""
        before, sign, rest = self.line(n).partition(after) if after else ("", "", self.line(n))
        if after and not sign:
            raise self.error(n, f"there is no {after!r} before the numbers: {before.strip()[:40]!r}")
        words = rest.split()
        wrong = next((word for word in words if not NUMBER.fullmatch(word)), None if words else rest)
        if wrong is not None:
            raise self.error(n, f"a number was expected, got {wrong[:40]!r}")
        values = [float(word.upper().replace("D", "E")) for word in words]
        if not np.isfinite(values).all():
            raise self.error(n, "a number is too large for double precision")
        return values

    def table(self, rows: Sequence[list[float]], first: int, *, at_least: int, what: str) -> np.ndarray:
        """The rows as an array; all must have as many numbers as the first."""
        if len(rows[0]) < at_least:
            raise self.error(first, f"at least {at_least} numbers were expected ({what}), got {len(rows[0])}")
        for n, row in enumerate(rows, first):
            if len(row) != len(rows[0]):
                raise self.error(n, f"{len(rows[0])} numbers were expected, as above, got {len(row)}")
        return np.array(rows, np.float64)


def _text(path: str | os.PathLike[str]) -> str:
    with Path(path).open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST or b"\0" in content:
        raise ValueError(
            f"{os.fspath(path)!r} is not a file of NIST's nonlinear regressions: it is too large, or not text."
        )
    return content.decode("utf-8", errors="replace")
