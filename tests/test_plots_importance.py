"""The picture of importances shows what it was given, the greatest on top."""

import numpy as np
import pytest

from jaxnn import plots


def test_bars_are_the_importances_greatest_first():
    (axes,) = plots.importance(["a", "b_c", "d"], [0.1, 0.4, -0.02], [0.01, 0.02, 0.0], name="log loss").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b_c", "a", "d"]
    assert [bar.get_width() for bar in axes.patches] == [0.4, 0.1, -0.02]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # downwards
    assert axes.get_xlabel() == "log loss gets worse by, ± standard error"
    (spread,) = axes.collections
    ends = [segment[:, 0] for segment in spread.get_segments()]
    np.testing.assert_allclose(ends, [[0.38, 0.42], [0.09, 0.11], [-0.02, -0.02]])


def test_only_the_first_are_drawn_and_that_is_said():
    (axes,) = plots.importance([f"x{j}" for j in range(30)], np.arange(30.0), np.zeros(30), most=4).axes
    assert len(axes.patches) == 4
    assert "4 of 30 columns" in axes.get_title(loc="left") + axes.get_title()


@pytest.mark.parametrize(
    ("columns", "worse", "error"),
    [([], [], []), (["a"], [np.nan], [0]), (["a"], [1.0, 2.0], [0, 0]), (["a"], [1], [np.inf])],
)
def test_what_cannot_be_drawn_is_refused(columns, worse, error):
    with pytest.raises(ValueError, match=r"worse|columns|length"):
        plots.importance(columns, worse, error)
