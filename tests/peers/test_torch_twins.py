"""The rows of the table of twins that need PyTorch, in double precision; and its defaults."""

import inspect

import jax
import numpy as np
import pytest
import torch

from jaxnn.optimisers import PRESETS
from jaxnn.verify import table
from jaxnn.verify.first_order import accuracy, given_gradients, libraries, twins
from tests.verify.first_order.chunks import NAMES, checked, chunk

LIBRARY = ("torch",)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("part", NAMES[LIBRARY])
def test_equal_rows(part, index):
    checked(chunk(LIBRARY, part), index)


def test_rows_that_differ_do_so_by_their_tabulated_size():
    rows = twins.compared_rows([twin for twin in twins.APART if twin.library in LIBRARY])
    assert [row for row in rows if row.verdict != table.UNEQUAL] == []


@pytest.mark.parametrize("maximize", [False, True])
def test_nesterov(maximize):
    keywords = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": maximize}
    twin = twins.Twin("torch.SGD", "torch.SGD", ours=keywords, theirs=keywords)
    assert twins.compared_rows([twin])[0].verdict == table.EQUAL


def test_float32_errors():
    rows = accuracy.check(accuracy.measure(LIBRARY))
    assert [row for row in rows if row.verdict != table.HOLDS] == []
    assert {row.reference.partition(".")[0] for row in rows} == {"floor", "torch"}


def test_the_default_dtype_is_given_back():
    before = torch.get_default_dtype()
    with libraries.double(LIBRARY):
        assert torch.get_default_dtype() == torch.float64
    assert torch.get_default_dtype() == before


def test_the_loop_around_it_is_pytorchs_own():
    """SGD by hand: the rate of the first step is that of step 0."""
    params, grads = given_gradients.problem(0, steps=5)
    with jax.enable_x64(True):
        path = libraries.follow("torch.SGD", {}, given_gradients.rate, params, grads)
    moves = np.cumsum([given_gradients.rate(t) * grads["layers"][0]["w"][t] for t in range(5)], axis=0)
    np.testing.assert_allclose(path["layers"][0]["w"], params["layers"][0]["w"] - moves, rtol=1e-13)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("torch.")])
def test_defaults(name):
    theirs = inspect.signature(getattr(torch.optim, name.removeprefix("torch."))).parameters
    given = inspect.signature(PRESETS[name]).parameters
    assert {key: value.default for key, value in given.items()} == {key: theirs[key].default for key in given}
    assert set(theirs) - set(given) <= {"params", "foreach", "fused", "capturable", "differentiable"}
