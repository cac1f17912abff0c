"""Categories of many values, names and free text: grouped or left out, told, stored; learnt from training rows only."""

import json
from collections import Counter

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from jaxnn import preprocessing

RNG = np.random.default_rng(0)
N = 3000
AGENTS = [f"agent {int(j):03d}" for j in np.minimum(RNG.geometric(0.015, N), 400)]
OTHERS = {"x": RNG.normal(size=N), "y": RNG.normal(size=N)}


def fit(column, **words):
    n = len(column)
    return preprocessing.fit({"c": column} | {name: values[:n] for name, values in OTHERS.items()}, "y", **words)


def stored(p):
    return preprocessing.from_spec(json.loads(json.dumps(p.to_spec(), allow_nan=False)))


def test_the_most_frequent_have_an_input_and_the_rest_share_one_as_in_scikit_learn():
    p = fit(AGENTS)
    encoder = OneHotEncoder(
        min_frequency=5, max_categories=101, sparse_output=False, handle_unknown="infrequent_if_exist"
    )
    expected = encoder.fit_transform(np.array(AGENTS)[:, None])
    assert len(p.columns[0].categories) == 100
    assert p.input_names[99:102] == ("c=" + p.columns[0].categories[-1], "c is other", "x")
    found = p.inputs({"c": AGENTS, "x": OTHERS["x"]})[:, :101]
    counts = Counter(AGENTS)
    least = min(counts[agent] for agent in p.columns[0].categories)
    untied = [counts[agent] != least for agent in AGENTS]  # which of equally frequent ones is kept differs
    assert least >= 5
    np.testing.assert_array_equal(found[untied, 100], expected[untied, 100])
    np.testing.assert_array_equal(found.sum(axis=1), 1)
    assert f"{len(counts)} different texts in 3,000 rows" in p.notes[0]
    assert "the 100 most frequent in the training rows have an input each, all others share one" in p.notes[0]


def test_an_unseen_category_is_one_of_the_others_and_a_missing_one_is_none():
    gaps = [None if j % 50 == 7 else agent for j, agent in enumerate(AGENTS)]
    p = stored(fit(gaps))
    x = p.inputs({"c": ["nobody", AGENTS[0], None], "x": [0.0] * 3})
    other, missing = p.input_names.index("c is other"), p.input_names.index("c is missing")
    assert x[:, other].tolist() == [1, float(AGENTS[0] not in p.columns[0].categories), 0]
    assert x[:, missing].tolist() == [0, 0, 1]
    assert p.unknown_categories({"c": ["nobody"]}) == {}


def test_categories_are_counted_in_the_training_rows_alone():
    rows = np.arange(0, N, 2)
    p = fit(AGENTS, rows=rows)
    counts = Counter(AGENTS[row] for row in rows)
    kept = p.columns[0].categories
    assert min(counts[agent] for agent in kept) >= max(5, *(counts[agent] for agent in counts if agent not in kept))


def test_a_hundred_categories_have_an_input_each_however_rare():
    column = [f"w{j % 100}" for j in range(150)]
    p = fit(column)
    assert len(p.columns[0].categories) == 100
    assert not p.columns[0].other
    assert p.notes == ()


NAMES = {
    "names": ([f"patient {j}" for j in range(60)], 60),
    "more than nine in ten": ([f"patient {max(j, 4)}" for j in range(60)], 56),
    "nearly all different": ([f"patient {j - (j % 20 == 0)}" for j in range(200)], 191),
    "few rows": ([f"car of {j}" for j in range(12)], 12),
    "free text": ([f"said {j}" if j % 20 else "nothing" for j in range(2000)], 1901),
    "rare ones only": ([f"w{j % 700}" for j in range(2000)], 700),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_and_free_text_are_left_out_with_a_sentence(case):
    column, different = NAMES[case]
    p = fit(column)
    assert p.input_names == ("x",)
    assert f"'c' has {different:,} different texts in {len(column):,} rows" in p.notes[0]
    assert (
        "so it is left out; to keep the frequent ones, declare it a category (category='c'; --category c)" in p.notes[0]
    )
    assert stored(p) == p
    np.testing.assert_array_equal(p.inputs({"x": [1.0]}), p.inputs({"x": [1.0], "c": ["somebody"]}))


def test_texts_of_which_a_tenth_repeat_are_categories():
    assert len(fit([f"patient {max(j, 6)}" for j in range(60)]).columns[0].categories) == 54


def test_the_callers_word_keeps_names_as_categories():
    p = fit([f"w{j:03d}" for j in range(120)], category="c")
    assert p.columns[0].categories == tuple(f"w{j:03d}" for j in range(100))
    assert p.columns[0].other
    assert fit([f"patient {j}" for j in range(60)], category="c").columns[0].kind == "category"


def test_a_column_without_values_in_the_training_rows_is_left_out():
    for column in ([None] * 60, [np.nan] * 60, [None] * 40 + ["a", "b"] * 10):
        p = fit(column, rows=np.arange(40))
        assert p.input_names == ("x",)
        assert p.notes == ("left out, because the training rows hold no value: 'c'",)


@pytest.mark.parametrize(
    "change", [{"other": False}, {"other": 1}, {"other": None}, {"absent": ["a"]}, {"form": "ISO"}]
)
def test_hostile_descriptions(change):
    spec = fit(AGENTS).to_spec()
    with pytest.raises(ValueError, match="stored"):
        preprocessing.from_spec(spec | {"columns": [spec["columns"][0] | change, *spec["columns"][1:]]})
