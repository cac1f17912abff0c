"""Missing values that few tables have: in a category with an input for others, and by a code of one column alone."""

import numpy as np
import pytest

from jaxnn import export
from jaxnn.preprocessing import Column, Preprocessing, Target
from tests.export.tables import AGREE, c_numbers, coded, network, run

COLUMNS = (
    Column("town", "category", categories=("a", "b"), missing="marked", other=True),
    Column("age", "number", mean=40.0, scale=10.0, missing="marked", absent=("-7",)),
    Column("tall", "number", mean=170.0, scale=10.0, missing="marked"),
)
FITTED = Preprocessing(COLUMNS, Target("y", "numbers", mean=3.0, scale=2.0))
TABLE = {
    "town": np.array(["a", None, "moon", "b", None], object),
    "age": np.array([30.0, -7.0, np.nan, 50.0, -7.0]),
    "tall": np.array([180.0, -7.0, 170.0, np.nan, 160.0]),  # where -7 is a number
}


@pytest.fixture
def model():
    return network((len(FITTED.input_names), 5, 1), fitted=FITTED, problem="numbers")


def test_in_onnx(model):
    np.testing.assert_allclose(run(export.onnx(model), TABLE)["prediction"], model.predict(TABLE), rtol=AGREE)


def test_in_c(model, compiled):
    found = c_numbers(compiled(export.c(model)), coded(FITTED, TABLE))
    np.testing.assert_allclose(found, model.predict(TABLE), rtol=AGREE)
