"""The rate and the report are found wherever a chain, a mask or another library nests the state that has them."""

from collections import OrderedDict
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import optimisers
from jaxnn.optimisers.report import Report
from jaxnn.training.nested_states import learning_rate, report

PARAMS = {"w": jnp.ones(3), "b": jnp.zeros(2)}


class Wrapped(NamedTuple):
    count: int
    inner: object


def masked(optimiser):
    return optimisers.masked(optimiser, {"w": True, "b": False})


NESTINGS = {
    "alone": lambda optimiser: optimiser.init(PARAMS),
    "a chain": lambda optimiser: optimisers.chain(optimisers.clip_by_global_norm(1.0), optimiser).init(PARAMS),
    "a mask": lambda optimiser: masked(optimiser).init(PARAMS),
    "a mask in a chain": lambda optimiser: optimisers.chain(masked(optimiser)).init(PARAMS),
    "a NamedTuple of dicts": lambda optimiser: Wrapped(0, {"a": None, "b": [(), optimiser.init(PARAMS)]}),
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_the_learning_rate_is_found(nesting):
    found = learning_rate(NESTINGS[nesting](optimisers.adam(0.25)))
    assert found.dtype == jnp.result_type(float)
    assert float(found) == 0.25


@pytest.mark.parametrize("nesting", NESTINGS)
def test_the_report_is_found(nesting):
    state = NESTINGS[nesting](optimisers.levenberg_marquardt())
    assert isinstance(report(state), Report)
    assert int(report(state).evaluations) == 0
    assert int(report(jax.tree.map(jnp.ones_like, state)).evaluations) == 1
    assert report(jax.eval_shape(lambda: state)).damping.shape == ()


def test_there_may_be_none():
    for state in (None, (), {}, jnp.ones(2), optax.adam(0.1).init(PARAMS)):
        assert np.isnan(learning_rate(state))
        assert report(state) is None
    assert report(optimisers.adam(0.1).init(PARAMS)) is None
    assert np.isnan(learning_rate({"learning_rate": None}))


def test_the_rate_that_optax_injects_is_found():
    injected = optax.chain(optax.clip(1.0), optax.inject_hyperparams(optax.adam)(learning_rate=0.5))
    assert float(learning_rate(injected.init(PARAMS))) == 0.5


def test_the_first_is_taken_in_the_order_of_the_leaves():
    first, second = (optimisers.sgd(rate).init(PARAMS) for rate in (0.5, 0.25))
    assert float(learning_rate((first, second))) == 0.5
    assert float(learning_rate({"b": first, "a": second})) == 0.25
    assert float(learning_rate(OrderedDict(b=first, a=second))) == 0.5
    assert float(learning_rate(Wrapped(0, {"inner": (second,)}))) == 0.25
