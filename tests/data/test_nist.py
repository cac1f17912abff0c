"""NIST's regressions as they are in the files, and files that are damaged, told by line."""

import re
from pathlib import Path

import numpy as np
import pytest

import jaxnn.data.nist
from jaxnn import data

NAMES = {  # NIST's own list, by its levels of difficulty
    "Lower": "Misra1a Chwirut2 Chwirut1 Lanczos3 Gauss1 Gauss2 DanWood Misra1b",
    "Average": "Kirby2 Hahn1 Nelson MGH17 Lanczos1 Lanczos2 Gauss3 Misra1c Misra1d Roszman1 ENSO",
    "Higher": "MGH09 Thurber BoxBOD Rat42 MGH10 Eckerle4 Rat43 Bennett5",
}
LEVELS = {name: level for level, names in NAMES.items() for name in names.split()}
MISRA = data.NIST["Misra1a"].read_text(encoding="utf-8")


def test_all_27_come_with_the_package():
    assert list(data.NIST) == sorted(LEVELS)
    assert len(data.NIST) == 27
    assert {name: data.read_nist(path).difficulty for name, path in data.NIST.items()} == LEVELS


@pytest.mark.parametrize("name", LEVELS)
def test_every_number_of_a_file_is_read(name):
    """Read once more, by what lines look like rather than by their numbers."""
    read = data.read_nist(data.NIST[name])
    lines = data.NIST[name].read_text(encoding="utf-8").splitlines()
    parameters = [line.split("=")[1].split() for line in lines if re.match(r"\s*b\d+ =", line)]
    table = np.array(parameters, float)
    np.testing.assert_array_equal(read.starts, table[:, :2].T)
    np.testing.assert_array_equal(read.certified, table[:, 2])
    np.testing.assert_array_equal(read.standard_deviations, table[:, 3])
    header = max(n for n, line in enumerate(lines) if line.startswith("Data:"))
    rows = np.array([line.split() for line in lines[header + 1 :] if line.strip()], float)
    np.testing.assert_array_equal(read.y, rows[:, 0])
    np.testing.assert_array_equal(read.x, rows[:, 1:] if name == "Nelson" else rows[:, 1])
    observations = re.search(r"Number of Observations:\s*(\d+)", "\n".join(lines))
    assert (len(read.x), *read.y.shape) == (int(observations.group(1)),) * 2
    assert read.residual_sum_of_squares == float(re.search(r"Sum of Squares:\s*(\S+)", "\n".join(lines)).group(1))
    assert read.name == name
    assert read.predictors == (("x1", "x2") if name == "Nelson" else ("x",))


@pytest.mark.parametrize("name", LEVELS)
def test_a_file_agrees_with_its_own_header(name):
    """The residual standard deviation, of observations less parameters; and no start is the answer."""
    read, text = data.read_nist(data.NIST[name]), data.NIST[name].read_text(encoding="utf-8")
    freedom = len(read.y) - len(read.certified)
    # The line of degrees of freedom is no witness: Rat43's says 9 for 15 observations and 4 parameters.
    stated = float(re.search(r"Residual Standard Deviation:\s*(\S+)", text).group(1))
    assert (read.residual_sum_of_squares / freedom) ** 0.5 == pytest.approx(stated, rel=1e-9)  # both have 11 digits
    assert (np.abs(read.starts / read.certified - 1).max(axis=1) > 0.01).all()


def test_words_are_read():
    gauss, thurber = (data.read_nist(data.NIST[name]) for name in ("Gauss1", "Thurber"))
    assert gauss.formula == "y = b1*exp( -b2*x ) + b3*exp( -(x-b4)**2 / b5**2 ) + b6*exp( -(x-b7)**2 / b8**2 ) + e"
    assert thurber.formula == "y = (b1 + b2*x + b3*x**2 + b4*x**3) / (1 + b5*x + b6*x**2 + b7*x**3) + e"
    assert (gauss.difficulty, thurber.difficulty) == ("Lower", "Higher")


def test_two_predictors_are_columns(tmp_path):
    """As in NIST's Nelson."""
    text = MISRA.replace("Data:   y               x", "Data:   y              x1            x2")
    head, rows = text.splitlines()[:60], text.splitlines()[60:]
    path = tmp_path / "two.dat"
    path.write_text("\n".join([*head, *(f"{row}  {n}.5D0" for n, row in enumerate(rows))]), encoding="utf-8")
    read = data.read_nist(path)
    assert read.predictors == ("x1", "x2")
    assert read.x.shape == (14, 2)
    np.testing.assert_array_equal(read.x[:, 0], data.read_nist(data.NIST["Misra1a"]).x)
    np.testing.assert_array_equal(read.x[:, 1], np.arange(14) + 0.5)


def changed(old, new):
    assert old in MISRA
    return MISRA.replace(old, new, 1)


DAMAGED = {
    "empty": ("", "line 1: no line contains 'Starting Values"),
    "another file": ("a,b\n1,2\n", "line 1: no line contains 'Starting Values"),
    "cut": ("\n".join(MISRA.splitlines()[:70]), "line 7: Data in lines 61 to 74: the file has 70 lines"),
    "backwards": (changed("lines 61 to 74", "lines 74 to 61"), "line 7: Data in lines 74 to 61"),
    "huge": (changed("lines 61 to 74", "lines 61 to 99999999999"), "line 7: Data in lines 61 to 99999999999"),
    "lines off": (changed("lines 41 to 42", "lines 40 to 42"), "line 40: there is no '='"),
    "too few rows": (
        changed("lines 61 to 74", "lines 61 to 73"),
        "14 observations are stated, but there are 13 lines of data",
    ),
    "too few parameters": (
        changed("lines 41 to 42)", "lines 41 to 41)"),
        "2 parameters are stated, but there are 1 lines of starting values",
    ),
    "no number": (changed("10.07E0", "10.O7E0"), "line 61: a number was expected, got '10.O7E0'"),
    "nan": (changed("10.07E0", "nan"), "line 61: a number was expected, got 'nan'"),
    "too large": (changed("10.07E0", "1E999"), "line 61: a number is too large"),
    "a number missing": (changed("14.73E0", ""), "line 62: 2 numbers were expected, as above, got 1"),
    "no sum": (changed("Residual Sum of Squares:", "Rest:"), "no line contains 'Residual Sum of Squares:'"),
    "one column": (
        re.sub(r"2\.3894212918E\+02.*", "", MISRA),
        "line 41: at least 3 numbers were expected",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told_by_file_and_line(name, tmp_path):
    content, told = DAMAGED[name]
    path = tmp_path / "damaged.dat"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"damaged\.dat") as caught:
        data.read_nist(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\0\1\2", b"x" * (2**20 + 1)], ids=["bytes", "large"])
def test_what_is_no_text_is_refused(content, tmp_path):
    (tmp_path / "x.dat").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.dat.* is not a file of NIST's"):
        data.read_nist(tmp_path / "x.dat")


def test_any_cut_or_garbled_line_gives_the_answer_or_a_value_error(tmp_path):
    rng = np.random.default_rng(0)
    whole = data.NIST["Misra1a"].read_bytes()
    path = tmp_path / "fuzz.dat"
    told = []
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            content[place] = rng.integers(1, 256)
        path.write_bytes(content[: rng.integers(len(whole) // 2, len(whole) + 1)])
        try:
            read = data.read_nist(path)
        except ValueError as error:
            told.append(str(error))
            continue
        assert read.x.shape == read.y.shape == (14,)
        assert read.starts.shape == (2, 2)
    assert all(str(path) in message for message in told)
    assert len(told) > 100


def test_the_wheel_brings_the_files_along():
    """Hatch packs what lies inside the package and is not ignored by git."""
    package = Path(jaxnn.data.nist.__file__).parents[1]
    assert all(path.is_relative_to(package) for path in data.NIST.values())
