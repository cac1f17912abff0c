"""The benchmark of coverage: what it counts, and that its table has a row for each level that the rows suffice for."""

import numpy as np
import pytest

from benchmarks import coverage


def test_ranges_are_measured_in_standard_deviations():
    truth = np.array([0.0, 2.0, 4.0, 6.0])
    held, size = coverage.measured({"lower": truth - 1, "upper": np.array([1.0, 3.0, 5.0, 5.5])}, truth)
    assert held == 0.75
    assert size == pytest.approx(np.mean([2, 2, 2, 0.5]) / np.std(truth))


def test_sets_are_measured_in_classes():
    regions = {"classes": [["a"], ["b", "a"], ["b"]]}
    assert coverage.measured(regions, np.array(["a", "a", "a"])) == (2 / 3, 4 / 3)


@pytest.mark.slow
def test_the_table_has_the_levels_that_the_rows_suffice_for(capsys):
    assert coverage.main(["--seeds", "2", "--only", "diabetes"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| diabetes")]
    assert [row[1] for row in rows] == ["0.8", "0.9", "0.95"]  # a half of the test rows is 88
    assert all(float(row[2].split(" ± ")[0]) > 0.6 for row in rows)
