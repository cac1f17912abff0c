"""A target of counts: its mean is learnt, outputs are logarithms of relative rates, and negative ones are refused."""

import json

import numpy as np
import pytest

from jaxnn import preprocessing

X = {"x": np.arange(6.0) ** 2}
COUNTS = np.array([0, 3, 1, 0, 8, 6])


def fit(target, **words):
    return preprocessing.fit(X | {"y": target}, "y", **{"problem": "counts"} | words)


def test_counts_are_divided_by_the_mean_of_the_training_rows():
    p = fit(COUNTS, rows=np.array([0, 1, 2]))
    assert (p.problem, p.target.scale, p.target.mean) == ("counts", 4 / 3, 0.0)
    np.testing.assert_allclose(p.targets(COUNTS), COUNTS / (4 / 3), rtol=1e-15)


def test_an_output_is_the_logarithm_of_a_relative_rate():
    p = fit(COUNTS)
    np.testing.assert_allclose(p.numbers(np.log([1.0, 2.0, 1e-3])[:, None]), [3.0, 6.0, 3e-3], rtol=1e-15)
    assert p.numbers([710.0]) == np.inf


def test_what_is_stored_is_read_again_and_a_false_mean_is_refused():
    p = fit([f"{1000 + each:,}" for each in COUNTS], decimal=".")
    assert p.target.notation is not None
    spec = json.loads(json.dumps(p.to_spec(), allow_nan=False))
    assert preprocessing.from_spec(spec) == p
    for rubbish in (0.0, -1.0, "3", None):
        with pytest.raises(ValueError, match="scale of the target must be a finite number > 0"):
            preprocessing.from_spec(spec | {"target": spec["target"] | {"scale": rubbish}})
    with pytest.raises(ValueError, match="must be an object with the keys"):
        preprocessing.from_spec(spec | {"target": spec["target"] | {"mean": 0.0}})


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (COUNTS - 1, r"Target 'y' is -1 in row 1 of 6 \(and 1 more\), but counts are ≥ 0: mend or leave out"),
        (np.zeros(6), "single value in the training rows, 0"),
        (["a"] * 3 + ["b"] * 3, "holds the text 'a'"),
        ([1.0, 2.0, np.inf, 3.0, 4.0, 5.0], "inf"),
    ],
)
def test_what_is_no_count_is_refused(target, told):
    with pytest.raises(ValueError, match=told):
        fit(target)


def test_a_later_negative_count_is_refused():
    with pytest.raises(ValueError, match="Target 'y' is -2 in row 2 of 2, but counts are ≥ 0"):
        fit(COUNTS).targets([1, -2])


def test_a_declared_number_may_be_a_count_and_a_category_may_not():
    assert fit(COUNTS, number=["y"]) == fit(COUNTS)
    with pytest.raises(ValueError, match="declared a category, but the problem is counts: choose one"):
        fit(COUNTS, category=["y"])


def test_the_explanation_says_that_they_are_counts():
    told = str(preprocessing.explain(X | {"y": COUNTS}, "y", problem="counts"))
    assert "target: counts" in told
    assert "counts, 3 on average, by Poisson regression" in told
