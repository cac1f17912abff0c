"""Every activation of the table travels everywhere, or is refused by name."""

import numpy as np
import pytest

from jaxnn import activations, export
from jaxnn.export import c_activations, onnx_activations
from jaxnn.export.torch_names import MODULES
from tests.export.tables import AGREE, c_outputs, network, run, stored

# From everyday to extreme: exponentials and cubes overflow.
X = np.random.default_rng(0).normal(size=(60, 3)) * np.repeat([1.0, 1e3], [40, 20])[:, None]


def agree(found, model):
    expected = model.outputs(X)
    for rows in (slice(40), slice(40, 60)):  # of one size each: an output near 0 is a difference of larger numbers
        size = np.abs(expected[rows]).max()
        np.testing.assert_allclose(np.asarray(found)[rows], expected[rows], rtol=0, atol=AGREE * size)


@pytest.mark.parametrize("name", activations.TABLE)
def test_onnx(name):
    model = network((3, 6, 5, 2), name)
    agree(run(export.onnx(model), X)["outputs"], model)


@pytest.mark.parametrize("name", activations.TABLE)
def test_c(name, compiled):
    model = network((3, 6, 5, 2), name)
    taken, outputs = c_outputs(compiled(export.c(model)), X, 2)
    assert taken.all()
    agree(outputs, model)


@pytest.mark.by_default("gelu", "softmax")
@pytest.mark.parametrize("name", activations.TABLE)
def test_stablehlo(name, tmp_path):
    model = network((3, 6, 5, 2), name)
    agree(stored(model, tmp_path).outputs(X), model)


@pytest.mark.by_default("selu", "softplus")
@pytest.mark.parametrize("name", activations.TABLE)
def test_in_float64_all_digits_agree(name, compiled, x64):
    model = network((3, 6, 2), name)
    expected = model.outputs(X)
    assert expected.dtype == np.float64
    bound = {"rtol": 1e-13, "atol": 1e-13 * np.abs(expected).max()}
    # onnxruntime's own tanh and logistic function of doubles are those of its matrix library, to some 1e-15
    np.testing.assert_allclose(run(export.onnx(model), X)["outputs"], expected, **bound)
    np.testing.assert_allclose(c_outputs(compiled(export.c(model)), X, 2)[1], expected, **bound)


def test_every_activation_is_there():
    assert set(onnx_activations.ACTIVATIONS) == set(activations.TABLE)
    assert set(c_activations.NAMES) == set(activations.TABLE)
    assert set(MODULES) == set(activations.TABLE) - {"absolute_value"}


def test_the_one_that_torch_lacks_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'absolute_value' has no counterpart in torch.nn: train with one of sigmoid"):
        export.torch_state_dict(network((3, 4, 2), ["absolute_value"]))
