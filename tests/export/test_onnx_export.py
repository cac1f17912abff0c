"""The whole model in onnxruntime: the same predictions and probabilities, and the same rows refused."""

import sys
from functools import cache

import numpy as np
import onnx
import pytest

from jaxnn import export, preprocessing, training
from jaxnn.export import onnx_model
from tests.export import tables
from tests.export.tables import AGREE, bad_rows, few, model, network, run

CLASSES = ("text", "whole", "boolean", "fractions")


@pytest.mark.parametrize("target", CLASSES)
def test_classes_and_their_probabilities(target):
    made = model(target)
    found = run(export.onnx(made), tables.rows())
    np.testing.assert_array_equal(found["prediction"], made.predict(tables.rows()))
    np.testing.assert_allclose(found["probabilities"], made.predict_probabilities(tables.rows()), rtol=AGREE)
    assert len(set(found["prediction"])) > 1


@pytest.mark.parametrize("target", ["numbers", "counts"])
def test_numbers_in_their_own_units(target):
    made = model(target)
    expected = made.predict(tables.rows())
    found = run(export.onnx(made), tables.rows())["prediction"]
    np.testing.assert_allclose(found, expected, rtol=AGREE, atol=AGREE * made.preprocessing.target.scale)


def test_any_number_of_rows():
    made = model()
    content = export.onnx(made)
    for n in (0, 1, 7):
        table = few(tables.rows(), slice(n))
        found = run(content, table)
        assert found["probabilities"].shape == (n, 2)
        assert list(found["prediction"]) == (list(made.predict(table)) if n else [])


def test_a_category_that_training_has_not_seen_and_words_for_missing():
    made = model()
    table = few(tables.rows(), slice(4)) | {
        "town": np.array(["moon", "north", "north", "north"], object),
        "street": np.array(["s1", "moon", "s2", "s3"], object),
        "ward": np.array(["moon", "?", None, "north"], object),
        "sensor": np.array([-999.0, np.nan, 5.0, 6.0]),
    }
    expected = made.predict_probabilities(table)
    np.testing.assert_allclose(run(export.onnx(made), table)["probabilities"], expected, rtol=AGREE)


@pytest.mark.parametrize("what", bad_rows())
@pytest.mark.parametrize(("target", "refused"), [("text", ""), ("whole", -(2**63)), ("fractions", np.nan)])
def test_what_predict_refuses_has_no_prediction(what, target, refused):
    made, row = model(target), bad_rows()[what]
    with pytest.raises(ValueError, match="Column"):
        made.predict(row)
    found = run(_content(target), row)
    np.testing.assert_array_equal(found["prediction"], [refused])
    assert np.isnan(found["probabilities"]).all()


@cache
def _content(target):
    return export.onnx(model(target))


def test_a_refused_row_leaves_the_others():
    made = model("numbers")
    both = {name: np.concatenate([a, tables.rows()[name][:2]]) for name, a in bad_rows()["missing number"].items()}
    found = run(export.onnx(made), both)["prediction"]
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], made.predict(few(both, slice(1, 3))), rtol=AGREE)


@pytest.mark.parametrize("problem", ["classes", "numbers", "counts", None])
def test_without_preprocessing(problem):
    made = network((4, 6, 3), problem=problem, bias=False)
    x = np.random.default_rng(0).normal(size=(30, 4))
    found = run(export.onnx(made), np.append(x, [[0, np.inf, 0, 0]], axis=0))  # of which tanh would make 1
    answer = found["outputs" if problem is None else "prediction"]
    np.testing.assert_allclose(answer[:-1], made.predict(x), rtol=AGREE, atol=AGREE)
    if problem == "classes":
        np.testing.assert_allclose(found["probabilities"][:-1], made.predict_probabilities(x), rtol=AGREE)
    assert (answer[-1] == -1) if problem == "classes" else np.isnan(answer[-1]).all()


def test_outputs_that_overflow_are_refused():
    made = network((1, 1), problem="numbers")
    made = made._replace(params=tuple(layer._replace(w=layer.w * 0 + 1e38) for layer in made.params))
    with pytest.raises(ValueError, match="overflow"):
        made.predict(np.array([[1e3]]))
    assert np.isnan(run(export.onnx(made), np.array([[1e3]]))["prediction"]).all()


def test_one_matrix_for_all_columns():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((80, 5)) < 0.1, np.nan, rng.normal(size=(80, 5)) * 100)
    x[:, 2] = 3.0  # unused
    y = np.where(np.nan_to_num(x[:, 0]) > 0, 2, 1)
    fitted = preprocessing.fit_arrays(x, y)
    made = network((len(fitted.input_names), 4, 2), fitted=fitted)
    for content, given in (
        (export.onnx(made, as_matrix=True), x),
        (export.onnx(made), {f"x{j}": x[:, j] for j in range(5)}),
    ):
        np.testing.assert_allclose(run(content, given)["probabilities"], made.predict_probabilities(x), rtol=AGREE)
    with pytest.raises(ValueError, match=r"category columns \(town, ward"):
        export.onnx(model(), as_matrix=True)


NEWEST = onnx.defs.onnx_opset_version()


@pytest.mark.by_default("13", "17")
@pytest.mark.parametrize("opset", range(onnx_model.LEAST_OPSET, min(NEWEST, 25) + 1))
def test_opsets(opset):
    made = model(activation="gelu")
    content = export.onnx(made, opset=opset)
    assert onnx.load_from_string(content).opset_import[0].version == opset
    found = run(content, tables.rows())
    np.testing.assert_allclose(found["probabilities"], made.predict_probabilities(tables.rows()), rtol=AGREE)


@pytest.mark.parametrize(("opset", "word"), [(NEWEST + 1, "new"), (12, "old")])
def test_other_opsets_are_refused(opset, word):
    with pytest.raises(
        ValueError, match=rf"Opset {opset} is too {word}: .* write 13 to {NEWEST}; leave it out for 17\."
    ):
        export.onnx(model(), opset=opset)


def test_columns_may_be_called_like_outputs_and_nodes():
    rng = np.random.default_rng(0)

    def named(names):
        table = {name: rng.normal(size=30) for name in names}
        fitted = preprocessing.fit(table | {"y": np.arange(30) % 2}, "y")
        made = network((len(table), 2), [], fitted=fitted)
        return table, made, export.onnx(made)

    nodes = [
        name for node in onnx.load_from_string(named("abcde")[2]).graph.node for name in (*node.input, *node.output)
    ]
    used = [name for name in dict.fromkeys(nodes) if name not in (*"abcde", "probabilities")]
    table, made, content = named(used[:20] + ["prediction"] * ("prediction" not in used[:20]))
    found = run(content, table)
    assert list(found) == ["prediction_", "probabilities"]
    np.testing.assert_array_equal(found["prediction_"], made.predict(table))


def test_it_says_what_it_is():
    made = onnx.load_from_string(export.onnx(model()))
    assert made.producer_name == "jaxnn"
    assert made.ir_version <= 8  # of the year of its opset
    assert {each.key: each.value for each in made.metadata_props}["class_names"] == '["ill", "well"]'


def test_dates_and_ensembles_are_refused_with_what_to_do():
    when = np.array([f"2024-{1 + j % 12:02d}-03" for j in range(40)], object)
    fitted = preprocessing.fit({"when": when, "y": np.arange(40) % 2}, "y")
    made = network((len(fitted.input_names), 2), [], fitted=fitted)
    for write in (export.onnx, export.c):
        with pytest.raises(
            ValueError, match=r"Column 'when' holds dates, .* train without it \(drop=; --drop COLUMN\)"
        ):
            write(made)
    for write in (export.onnx, export.c, export.stablehlo, export.torch_state_dict):
        with pytest.raises(ValueError, match="An ensemble of 1 networks cannot be exported to"):
            write(training.Ensemble((made,), None, fitted))


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx is needed to export to ONNX .* pip install '.\[onnx\]'"):
        export.onnx(model())
