"""All faults of a table are told at once, each on its own line, with a remedy for all; a single one reads as ever."""

import numpy as np
import pytest

from jaxnn import preprocessing
from jaxnn.preprocessing.faults import Faults

N = 60
RNG = np.random.default_rng(0)
GOOD = {"x": RNG.integers(0, 9, N), "y": [0, 1] * (N // 2)}
BAD = {
    "fee": ["1,045", "2,310"] * (N // 2),
    "list": [{}] * N,
    "far away": np.r_[np.ones(N - 1), np.inf],
}


def test_all_faults_at_once():
    with pytest.raises(Faults) as caught:
        preprocessing.fit(GOOD | BAD | {"y": ["a"] * N}, "y")
    lines = caught.value.lines
    assert str(caught.value) == "\n".join(lines)
    assert lines[0] == "The table has 4 faults:"
    for line, told in zip(lines[1:5], ("only one class", "'1,045'", "of type dict", "infinite in row 60"), strict=True):
        assert told in line
        assert line.startswith("  ")
    assert lines[5] == "To leave out all of these columns: drop=['fee', 'list', 'far away']; --drop fee list 'far away'"


def test_the_remedy_is_one():
    p = preprocessing.fit(GOOD | BAD, "y", drop=list(BAD))
    assert p.input_names == ("x",)


@pytest.mark.parametrize("name", BAD)
def test_a_single_fault_is_told_alone(name):
    with pytest.raises(ValueError, match=f"^Column {name!r} ") as caught:
        preprocessing.fit(GOOD | {name: BAD[name]}, "y")
    assert not isinstance(caught.value, Faults)
    assert "\n" not in str(caught.value)
