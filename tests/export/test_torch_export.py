"""PyTorch's names there and back, with arrays in place of tensors; tests/peers has torch itself."""

import numpy as np
import pytest

from jaxnn import export
from tests.export import tables
from tests.export.tables import model, network


@pytest.mark.parametrize("bias", [True, False])
def test_there_and_back_the_model_is_the_same(bias):
    made = network((4, 6, 5, 3), ["tanh", "relu"], problem="classes", bias=bias)
    state = export.torch_state_dict(made)
    assert {name: array.shape for name, array in state.items() if name.endswith("weight")} == {
        "0.weight": (6, 4),
        "2.weight": (5, 6),
        "4.weight": (3, 5),
    }
    assert ("2.bias" in state) == bias
    back = export.from_torch(state, activation=("tanh", "relu"), problem="classes", sizes=(4, 6, 5, 3))
    x = np.random.default_rng(0).normal(size=(9, 4))
    np.testing.assert_array_equal(back.outputs(x), made.outputs(x))
    np.testing.assert_array_equal(back.predict(x), made.predict(x))


def test_with_the_preprocessing_it_predicts_from_tables():
    made = model()
    back = export.from_torch(export.torch_state_dict(made), activation="tanh", preprocessing=made.preprocessing)
    np.testing.assert_array_equal(back.predict(tables.rows()), made.predict(tables.rows()))


def test_the_network_is_written_down():
    made = network((4, 6, 3), "gelu", bias=False)
    assert export.torch_sequential(made) == (
        'nn.Sequential(nn.Linear(4, 6, bias=False), nn.GELU(approximate="tanh"), nn.Linear(6, 3, bias=False))'
    )


def state(*shapes, prefix=""):
    return {f"{prefix}{2 * k}.weight": np.ones(shape, np.float32) for k, shape in enumerate(shapes)}


@pytest.mark.parametrize(
    ("given", "options", "match"),
    [
        (
            state((6, 4), (3, 5)),
            {},
            r"Layer '2.weight' of shape \(3, 5\) takes 5 inputs, but '0.weight' before it, of shape \(6, 4\), has 6",
        ),
        (
            state((6, 4), (3, 6)),
            {"sizes": (4, 7, 3)},
            r"Layer '0.weight' has shape \(6, 4\), but sizes \(4, 7, 3\) need \(7, 4\)",
        ),
        (state((6, 4), (3, 6)), {"sizes": (4, 6)}, r"has 2 linear layers, but sizes \(4, 6\) need 1"),
        (state((6, 4)), {"sizes": (4, 6, 3)}, r"has 1 linear layers, but sizes \(4, 6, 3\) need 2"),
        (
            state((6, 4)) | {"0.bias": np.ones(4, np.float32)},
            {},
            r"Layer '0.weight' has shape \(6, 4\), but its bias has \(4,\), not \(6,\)",
        ),
        (state((6, 4), (3, 6)) | {"0.bias": np.ones(6, np.float32)}, {}, "'2.weight' has no bias and others have"),
        (
            state((6, 4)) | {"1.running_mean": np.ones(6, np.float32)},
            {},
            r"'1.running_mean' of shape \(6,\) is no part",
        ),
        (state((6, 4)) | {"1.weight": np.ones(6, np.float32)}, {}, r"'1.weight' of shape \(6,\) is no part"),
        (state((6, 4)) | {"3.bias": np.ones(6, np.float32)}, {}, r"'3.bias' of shape \(6,\) is no part"),
        (state((6, 4, 3)), {}, r"'0.weight' of shape \(6, 4, 3\) is no part of a linear layer"),
        ({}, {}, "has no linear layers"),
        ({"0.weight": np.ones((2, 2), np.float16)}, {}, r"'0.weight' is float16, .* by .float\(\)"),
        ({"0.weight": np.full((2, 2), np.nan, np.float32)}, {}, "NaN or infinity"),
        (state((6, 4), (3, 6)), {"activation": "rleu"}, "Did you mean 'relu'"),
        (state((6, 4), (3, 6)), {"activation": None}, r"does not say its activations: give activation="),
        ([1], {}, "A state dict or an nn.Sequential is needed, got list"),
    ],
)
def test_what_does_not_fit_is_told_with_both_shapes(given, options, match):
    with pytest.raises(ValueError, match=match):
        export.from_torch(given, **{"activation": "relu"} | options)


class Linear:
    pass


class Tanh:
    pass


class ReLU:
    pass


class Dropout:
    pass


class Softmax:
    dim = -1


class ELU:
    alpha = 0.5


class Conv2d:
    pass


class Sequential(list):
    """What `from_torch` sees of torch's: modules in turn, and their parameters."""

    def state_dict(self):
        places = [j for j, module in enumerate(self) if type(module).__name__ == "Linear"]
        return {f"{j}.weight": np.eye(3, dtype=np.float32) * (j + 1) for j in places}


@pytest.mark.parametrize(
    ("modules", "names"),
    [
        ([Linear], []),
        ([Linear, Tanh, Linear, ReLU, Linear], ["tanh", "relu"]),
        ([Linear, Dropout, Tanh, Dropout, Linear, Linear], ["tanh", "identity"]),
    ],
)
def test_activations_are_read_from_modules(modules, names):
    made = export.from_torch(Sequential(each() for each in modules))
    assert made.config["activation"] == names


@pytest.mark.parametrize(
    ("modules", "match"),
    [
        ([Linear, Softmax], "nn.Softmax does not stand between two linear layers: outputs must be raw"),
        ([Tanh, Linear], "nn.Tanh does not stand between"),
        ([Linear, Tanh, ReLU, Linear], "nn.ReLU does not stand between"),
        ([Linear, ELU, Linear], r"nn.ELU has alpha=0.5; jaxnn's 'elu' has 1.0 only"),
        ([Linear, Conv2d, Linear], "Unknown activation of torch.nn 'Conv2d'"),
    ],
)
def test_modules_that_are_no_activation_of_ours_are_refused(modules, match):
    with pytest.raises(ValueError, match=match):
        export.from_torch(Sequential(each() for each in modules))
