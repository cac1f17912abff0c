"""Permutation importance against its closed form for linear models, and scikit-learn's."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import inspection

from jaxnn import data, experiments, metrics, mlp, preprocessing, training

PAGE = Path(__file__).parents[2] / "docs" / "importance.md"
N, SLOPES = 2000, np.array([3.0, 0.0, -1.0])


def linear(seed=0):
    """A linear model of three inputs, whose outputs are in the target's standardised units, and its table."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 3)) * [1.0, 2.0, 4.0]
    table = dict(zip("abc", x.T, strict=True)) | {"y": x @ SLOPES + rng.normal(size=N)}
    fitted = preprocessing.fit(table, "y")
    scale = np.array([column.scale for column in fitted.columns])
    params = (mlp.Layer(jnp.asarray((SLOPES * scale / fitted.target.scale)[:, None], jnp.float32), jnp.zeros(1)),)
    return training.Model(params, {"sizes": [3, 1], "problem": "numbers"}, fitted), table


def classes(seed=0, n=300):
    """A network for three classes, with a category among its columns, and its table."""
    rng = np.random.default_rng(seed)
    table = {"x": rng.normal(size=n), "colour": rng.choice(["red", "green"], n), "z": rng.normal(size=n)}
    table["y"] = np.where(table["x"] > 0.5, "p", np.where(table["colour"] == "red", "q", "r"))
    fitted = preprocessing.fit(table, "y")
    n_in = len(fitted.input_names)
    params = (mlp.Layer(jnp.asarray(rng.normal(size=(n_in, 3)), jnp.float32), jnp.zeros(3)),)
    return training.Model(params, {"sizes": [n_in, 3], "problem": "classes"}, fitted), table


class Fitted:
    """What scikit-learn takes for an estimator."""

    def fit(self, x, y):
        raise AssertionError("it is fitted already")


def source(table):
    return experiments.source(table, target="y")


def test_a_linear_model_has_the_closed_form():
    """The mean squared error rises by 2 β² Var(x): RMSE² after minus before."""
    model, table = linear()
    found = experiments.permutation_importance(model, source(table), repeats=20)
    rise = dict(zip(found.columns, (found.score + found.worse) ** 2 - found.score**2, strict=True))
    expected = dict(zip("abc", 2 * SLOPES**2 * [np.var(table[name]) for name in "abc"], strict=True))
    # The mean of 20 permutations of 2000 rows: its own standard error is below 1 %.
    assert rise == pytest.approx(expected, rel=0.03, abs=1e-9)
    assert found.columns == ("c", "a", "b")
    assert found.worse[2] == found.error[2] == 0.0
    assert (found.metric, found.n_rows) == ("rmse", N)


@pytest.mark.by_default("log_loss")
@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "roc_auc", "macro_f1", "brier"])
def test_as_scikit_learn_has_it(metric):
    model, table = classes()
    found = experiments.permutation_importance(model, source(table), repeats=30, metric=metric, seed=1)
    names, truth = ["x", "colour", "z"], model.preprocessing.targets(table["y"])
    sign = 1 if metrics.HIGHER_IS_BETTER[metric] else -1

    def scorer(_, x, y):
        outputs = model.outputs(
            dict(zip(names, x.T, strict=True)) | {"x": x[:, 0].astype(float), "z": x[:, 2].astype(float)}
        )
        return sign * float(metrics.from_outputs(metric)(outputs, y))

    x = np.array([table[name] for name in names], object).T
    theirs = inspection.permutation_importance(Fitted(), x, truth, scoring=scorer, n_repeats=30, random_state=0)
    for j, name in enumerate(names):
        place = found.columns.index(name)
        error = found.error[place] + theirs.importances_std[j] / np.sqrt(30)
        # A standard deviation of 30 values is known to 13 %.
        assert found.error[place] == pytest.approx(theirs.importances_std[j] / np.sqrt(29), rel=0.6), name
        assert abs(found.worse[place] - theirs.importances_mean[j]) < 4 * error + 1e-6, name  # other permutations


def test_the_seed_decides_and_the_rows_are_left_as_they_were():
    model, table = classes()
    before = {name: values.copy() for name, values in table.items()}
    first, again, other = (experiments.permutation_importance(model, source(table), seed=s) for s in (0, 0, 1))
    assert (first.worse == again.worse).all()
    assert (first.worse != other.worse).any()
    assert all((table[name] == before[name]).all() for name in table)


def test_an_ensemble_of_one_model_is_that_model():
    """Also with two preprocessings, of the same columns in other order of categories and scales."""
    model, table = classes()
    alone = experiments.permutation_importance(model, source(table))
    twice = training.Ensemble((model, model), (3, 1), model.preprocessing)
    np.testing.assert_allclose(experiments.permutation_importance(twice, source(table)).worse, alone.worse, rtol=1e-6)
    half = preprocessing.fit(table, "y", rows=np.arange(150))
    other = training.Ensemble((model, model._replace(preprocessing=half)), (1, 0), model.preprocessing)
    np.testing.assert_allclose(experiments.permutation_importance(other, source(table)).worse, alone.worse, rtol=1e-6)


def test_all_members_see_the_same_shuffle():
    """A mean of two equal networks with other preprocessings, of the same numbers, is one network."""
    model, table = linear()
    half = preprocessing.fit(table, "y", rows=np.arange(N // 2))
    factor = np.array([column.scale for column in half.columns]) / half.target.scale
    weights = jnp.asarray((SLOPES * factor)[:, None], jnp.float32)
    other = training.Model((mlp.Layer(weights, jnp.zeros(1)),), {"sizes": [3, 1], "problem": "numbers"}, half)
    both = training.Ensemble((model, other), None, model.preprocessing)
    alone = experiments.permutation_importance(model, source(table))
    np.testing.assert_allclose(experiments.permutation_importance(both, source(table)).worse, alone.worse, rtol=0.01)


def test_a_data_set_by_name():
    iris = data.load("iris")
    fitted = preprocessing.fit_arrays(
        iris.x, iris.y, input_names=iris.feature_names, target_name=iris.target_name, class_names=iris.class_names
    )
    params = (mlp.Layer(jnp.asarray(np.eye(4, 3), jnp.float32), jnp.zeros(3)),)
    model = training.Model(params, {"sizes": [4, 3], "problem": "classes"}, fitted)
    found = experiments.permutation_importance(model, "iris")
    assert set(found.columns) == set(iris.feature_names)
    assert found.worse[found.columns.index(iris.feature_names[3])] == 0


@pytest.mark.parametrize(
    ("changed", "words", "told"),
    [
        ({}, {"repeats": 1}, "repeats"),
        ({}, {"metric": "r2"}, "Unknown metric 'r2'"),
        ({"y": ["p"] * 300}, {"metric": "roc_auc"}, "roc_auc is not defined on these rows"),
        ({"y": ["s"] * 300}, {}, "not one of the classes"),
    ],
)
def test_what_cannot_be_measured_is_refused(changed, words, told):
    model, table = classes()
    rows = source(table)._replace(target=np.array(changed.get("y", table["y"]), object))
    with pytest.raises(ValueError, match=told):
        experiments.permutation_importance(model, rows, **words)


def test_a_model_without_preprocessing_and_rows_without_a_target_are_refused(tmp_path):
    model, table = classes()
    with pytest.raises(ValueError, match="no preprocessing"):
        experiments.permutation_importance(model._replace(preprocessing=None), source(table))
    (tmp_path / "new.csv").write_text("x,colour,z\n1,red,2\n")
    with pytest.raises(ValueError, match="has no column 'y', the target"):
        experiments.permutation_importance(model, str(tmp_path / "new.csv"))


@pytest.mark.slow
def test_the_snippet_of_the_page_runs_and_names_what_matters_most(capsys):
    """Body mass index and one of the blood values come first for each of seeds 0 to 3."""
    (snippet,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile(snippet, str(PAGE), "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert {line.split(":")[0] for line in told[:2]} == {"bmi", "s5"}


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    model, table = classes()
    rows = [f"{x},{colour},{z},{y}" for x, colour, z, y in zip(*table.values(), strict=True)]
    gaps = [row.rpartition(",")[0] + "," if j % 10 == 3 else row for j, row in enumerate(rows)]
    kept = [row for j, row in enumerate(rows) if j % 10 != 3]
    for name, lines in (("gaps.csv", gaps), ("kept.csv", kept)):
        (tmp_path / name).write_text("\n".join([",".join(table), *lines]), encoding="utf-8")
    found = experiments.permutation_importance(model, str(tmp_path / "gaps.csv"), repeats=2)
    alone = experiments.permutation_importance(model, str(tmp_path / "kept.csv"), repeats=2)
    assert (found.n_rows, found.left_out, alone.left_out) == (270, 30, 0)
    np.testing.assert_array_equal(found.worse, alone.worse)
