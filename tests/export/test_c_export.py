"""The whole model in C99: compiled without a warning, the same predictions, the same rows refused."""

import numpy as np
import pytest

from jaxnn import export, preprocessing
from tests.export import tables
from tests.export.tables import AGREE, bad_rows, c_classes, c_numbers, c_outputs, coded, few, model, network


@pytest.mark.parametrize("target", ["text", "whole"])
def test_classes_and_their_probabilities(target, compiled):
    made = model(target)
    library = compiled(export.c(made))
    codes, p = c_classes(library, coded(made.preprocessing, tables.rows()), len(made.preprocessing.class_names))
    np.testing.assert_array_equal(made.preprocessing.labels(codes), made.predict(tables.rows()))
    np.testing.assert_allclose(p, made.predict_probabilities(tables.rows()), rtol=AGREE)


@pytest.mark.parametrize("target", ["numbers", "counts"])
def test_numbers_in_their_own_units(target, compiled):
    made = model(target)
    found = c_numbers(compiled(export.c(made)), coded(made.preprocessing, tables.rows()))
    expected = made.predict(tables.rows())
    np.testing.assert_allclose(found, expected, rtol=AGREE, atol=AGREE * made.preprocessing.target.scale)


def test_a_category_that_training_has_not_seen(compiled):
    made = model()
    table = few(tables.rows(), slice(2)) | {"town": np.array(["moon", "north"], object), "street": ["s1", "moon"]}
    expected = made.predict_probabilities(table)
    _, p = c_classes(compiled(export.c(made)), coded(made.preprocessing, table), 2)
    np.testing.assert_allclose(p, expected, rtol=AGREE)


def test_what_predict_refuses_is_refused(compiled):
    made = model()
    library = compiled(export.c(made))
    for what, row in bad_rows().items():
        with pytest.raises(ValueError, match="Column"):
            made.predict(row)
        x = coded(made.preprocessing, row)
        assert c_classes(library, x, 2)[0] == [-1], what
        assert not c_outputs(library, x, 2)[0].any(), what


@pytest.mark.parametrize("problem", ["classes", "numbers", "counts", None])
def test_without_preprocessing(problem, compiled):
    n_out = 3 if problem in ("classes", None) else 1
    made = network((4, 6, n_out), ["tanh"], problem=problem, bias=False)
    x = np.random.default_rng(0).normal(size=(20, 4))
    library = compiled(export.c(made))
    taken, outputs = c_outputs(library, x, n_out)
    assert taken.all()
    np.testing.assert_allclose(outputs, made.outputs(x), rtol=AGREE, atol=AGREE)
    if problem == "classes":
        np.testing.assert_array_equal(c_classes(library, x, n_out)[0], made.predict(x))
    elif problem is not None:
        np.testing.assert_allclose(c_numbers(library, x), made.predict(x)[:, 0], rtol=AGREE, atol=AGREE)
    x[:2, 1] = np.nan, np.inf  # of which tanh would make 1
    assert list(c_outputs(library, x, n_out)[0][:3]) == [False, False, True]


def test_outputs_that_overflow_are_refused(compiled):
    made = network((1, 1), [], problem="numbers")
    made = made._replace(params=tuple(layer._replace(w=layer.w * 0 + 1e38) for layer in made.params))
    assert np.isnan(c_numbers(compiled(export.c(made)), np.array([[1e3]]))).all()


HOSTILE = (
    "*/ int main;",
    "/* a",
    "a b",
    "a_b",
    "a-b",
    "2nd",
    "年",
    "gr??/",
    "back\\",
    "COLUMNS",
    "outputs",
    "predict",
    "x" * 90,
)


@pytest.mark.parametrize("name", ["model", "M"])
def test_names_and_texts_of_any_kind(name, compiled):
    rng = np.random.default_rng(0)
    texts = np.array(['say "hi"', "??/", "*/", "tab\there", "a b", "a_b", "näh\\n"], object)
    table = {column: rng.normal(size=60) for column in HOSTILE}
    table |= {"town": rng.choice(texts, 60), "a": rng.choice(texts, 60), "y": rng.choice(texts, 60)}
    fitted = preprocessing.fit(table, "y")
    made = network((len(fitted.input_names), len(fitted.class_names)), [], fitted=fitted)
    library = compiled(export.c(made, name=name))
    names = (tables.ctypes.c_char_p * len(fitted.class_names)).in_dll(library, f"{name}_classes")
    assert tuple(text.decode() for text in names) == fitted.class_names


@pytest.mark.parametrize("name", ["", "2a", "a-b", "_a", "a" * 21, "größe"])
def test_names_that_c_does_not_have_are_refused(name):
    with pytest.raises(ValueError, match="begin with a letter, got"):
        export.c(model(), name=name)


def test_the_source_has_the_codes_of_categories_and_needs_two_headers():
    source = export.c(model(), name="ward")
    assert "WARD_town_gr_e = 1, /* größe */" in source
    assert [line for line in source.splitlines() if line.startswith("#include")] == [
        "#include <float.h>",
        "#include <math.h>",
    ]
