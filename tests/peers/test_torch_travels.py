"""What is exported to torch computes the same in torch, and what torch has trained computes the same here."""

import numpy as np
import pytest
import torch
from torch import nn

from jaxnn import export
from jaxnn.export.torch_names import MODULES
from tests.export.tables import AGREE, network

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("bias", [True, False])
def test_there(name, bias):
    made = network((3, 6, 5, 2), name, bias=bias)
    theirs = eval(export.torch_sequential(made), {"nn": nn})
    theirs.load_state_dict(
        {key: torch.from_numpy(value.copy()) for key, value in export.torch_state_dict(made).items()}
    )
    with torch.no_grad():
        found = theirs(torch.from_numpy(X)).numpy()
    expected = made.outputs(X)
    np.testing.assert_allclose(found, expected, rtol=0, atol=AGREE * np.abs(expected).max())


@pytest.mark.parametrize("name", MODULES)
def test_back(name):
    torch.manual_seed(0)
    module = eval(f"nn.{MODULES[name]}", {"nn": nn})
    theirs = nn.Sequential(nn.Linear(3, 6), module, nn.Dropout(0.1), nn.Linear(6, 2)).eval()
    with torch.no_grad():
        expected = theirs(torch.from_numpy(X)).numpy()
    for made in (export.from_torch(theirs), export.from_torch(theirs.state_dict(), activation=name)):
        assert made.config["activation"] in ([name], name)
        np.testing.assert_allclose(made.outputs(X), expected, rtol=0, atol=AGREE * np.abs(expected).max())


def test_layers_that_do_not_fit_are_told_with_both_shapes():
    theirs = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"'2.weight' has shape \(2, 6\), but sizes \(3, 6, 4\) need \(4, 6\)"):
        export.from_torch(theirs, sizes=(3, 6, 4))
    with pytest.raises(ValueError, match=r"nn.LeakyReLU has negative_slope=0.2"):
        export.from_torch(nn.Sequential(nn.Linear(3, 6), nn.LeakyReLU(0.2), nn.Linear(6, 2)))
    with pytest.raises(ValueError, match=r"'1.weight' of shape \(6,\) is no part of a linear layer"):
        export.from_torch(nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)))
