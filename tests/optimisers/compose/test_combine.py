"""Optimisers made out of optimisers, against optax's and against what they are meant to equal."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import Objective, losses, optimisers, training
from tests import laws


def run(optimiser, p, grads):
    return jax.jit(lambda p, g: laws.scanned(optimiser, p, g)[0])(p, grads)


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_clip_by_global_norm_is_optaxs(max_norm, dtype):
    g = laws.params(dtype)
    ours, theirs = optimisers.clip_by_global_norm(max_norm), optax.clip_by_global_norm(max_norm)
    clipped, _ = ours.update(g, ours.init(g))
    # optax rounds the norm to the gradient's dtype, ours does not
    laws.close(clipped, theirs.update(g, theirs.init(g))[0], 2 * float(jnp.finfo(dtype).eps))
    assert jax.tree.map(lambda x: x.dtype, clipped) == jax.tree.map(lambda x: x.dtype, g)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_clip_by_global_norm_keeps_the_direction_where_squares_fail(size):
    clip = optimisers.clip_by_global_norm(size)
    clipped, _ = clip.update(jnp.asarray([3.0, 4.0]) * size, ())
    np.testing.assert_allclose(clipped, np.array([0.6, 0.8]) * size, rtol=1e-6)


def test_clip_by_global_norm_of_zero_is_zero():
    clip = optimisers.clip_by_global_norm(1.0)
    laws.equal(clip.update(jnp.zeros(3), ())[0], jnp.zeros(3))


def test_clip_by_value_is_optaxs():
    g = laws.params()
    clip = optimisers.clip_by_value(0.5)
    laws.equal(clip.update(g, clip.init(g))[0], optax.clip(0.5).update(g, optax.EmptyState())[0])


def test_weight_decay_in_a_chain_is_the_rules_own():
    p = laws.params()
    grads = laws.gradients(p)
    linked = optimisers.chain(optimisers.add_weight_decay(0.3), optimisers.adam(1e-2))
    laws.close(run(linked, p, grads), run(optimisers.adam(1e-2, weight_decay=0.3), p, grads), 1e-6)


def test_set_to_zero_is_no_step():
    p = laws.params()
    laws.equal(run(optimisers.set_to_zero(), p, laws.gradients(p)), p)


def test_chain_takes_links_of_both_libraries_in_order():
    p = laws.params()
    grads = laws.gradients(p)
    mixed = optimisers.chain(optax.scale(2.0), optimisers.clip_by_value(0.5), optax.sgd(0.1))
    theirs = optax.chain(optax.scale(2.0), optax.clip(0.5), optax.sgd(0.1))
    laws.equal(run(mixed, p, grads), run(theirs, p, grads))


def test_chain_refuses_the_state_of_another():
    p = laws.params()
    chain = optimisers.chain(optimisers.sgd(0.1))
    state = optimisers.chain(optimisers.sgd(0.1), optimisers.sgd(0.1)).init(p)
    with pytest.raises(ValueError, match="state belongs to a chain of 2 links, but this chain has 1"):
        chain.update(p, state, p)


def test_chain_hands_each_link_the_words_it_names():
    heard = {}

    def listening(grads, state, params=None, *, value):
        heard["value"] = value
        return grads, state

    p = jnp.ones(2)
    link = optimisers.Optimiser(lambda p: (), listening)
    chain = optimisers.chain(link, optax.sgd(0.1))  # optax's plain update would refuse any word
    chain.update(p, chain.init(p), p, value=3.0, grad=p, value_fn=jnp.sum)
    assert heard == {"value": 3.0}


@pytest.mark.parametrize("mask", [{"w": True, "rest": False}, {"w": False, "rest": (True, True)}, "function"])
def test_masked_is_optaxs(mask):
    p = laws.params()
    grads = laws.gradients(p)
    if mask == "function":
        mask = partial(jax.tree.map, lambda leaf: leaf.ndim > 1)

    def decayed(library):
        decay = optimisers.add_weight_decay(0.3) if library is optimisers else optax.add_decayed_weights(0.3)
        return library.chain(library.masked(decay, mask), library.adam(1e-2))

    laws.close(run(decayed(optimisers), p, grads), run(decayed(optax), p, grads), 1e-4)  # optax's Adam in float32


def test_masked_keeps_no_state_for_the_rest():
    p = laws.params()
    state = optimisers.masked(optimisers.adam(1e-2), {"w": True, "rest": False}).init(p)
    assert [leaf.shape for leaf in jax.tree.leaves((state.mu, state.nu))] == [(2, 3), (2, 3)]


def test_masked_freezes_what_is_set_to_zero():
    p = laws.params()
    frozen = optimisers.masked(optimisers.set_to_zero(), {"w": True, "rest": False})
    after = run(optimisers.chain(optimisers.sgd(0.1), frozen), p, laws.gradients(p))
    laws.equal(after["w"], p["w"])
    assert not np.array_equal(after["rest"][0], p["rest"][0])


def test_accumulated_gradients_are_one_big_batch():
    p = laws.params()
    grads = laws.gradients(p, steps=12)
    big = jax.tree.map(lambda g: g.reshape(4, 3, *g.shape[1:]).mean(axis=1), grads)
    ours = run(optimisers.accumulate(optimisers.adam(1e-2), steps=3), p, grads)
    laws.close(ours, run(optimisers.adam(1e-2), p, big), 1e-6)
    laws.close(ours, run(optax.MultiSteps(optax.adam(1e-2), every_k_schedule=3), p, grads), 1e-4)


def test_accumulation_waits_without_moving():
    p = laws.params()
    optimiser = optimisers.accumulate(optimisers.sgd(0.1), steps=3)
    grads = laws.gradients(p, steps=2)
    laws.equal(run(optimiser, p, grads), p)


def test_accumulating_single_steps_is_the_inner_optimiser():
    p = laws.params()
    grads = laws.gradients(p)
    laws.close(
        run(optimisers.accumulate(optimisers.adam(1e-2), steps=1), p, grads), run(optimisers.adam(1e-2), p, grads), 1e-6
    )


def test_injected_is_plain():
    p = laws.params()
    grads = laws.gradients(p)
    injected = optimisers.inject(optimisers.adam, learning_rate=1e-2, b1=0.5)
    laws.close(run(injected, p, grads), run(optimisers.adam(1e-2, b1=0.5), p, grads), 1e-6)


def test_injected_hyperparameters_change_without_another_trace():
    traces = []
    p = laws.params()
    g = laws.at(laws.gradients(p), 0)
    optimiser = optimisers.inject(optimisers.sgd, learning_rate=0.1)

    @jax.jit
    def update(g, state, p):
        traces.append(None)
        return optimiser.update(g, state, p)

    _, state = update(g, optimiser.init(p), p)
    state = state._replace(hyperparameters={"learning_rate": jnp.float32(0.5)})
    updates, _ = update(g, state, p)
    laws.close(updates, jax.tree.map(lambda g: -0.5 * g, g), 1e-7)
    assert len(traces) == 1


def test_injected_schedules_and_flags_stay_as_they_are():
    p = laws.params()
    grads = laws.gradients(p)

    def schedule(step):
        return 0.1 / (1 + step)

    injected = optimisers.inject(optimisers.momentum, learning_rate=schedule, momentum=0.5, maximise=True)
    assert set(injected.init(p).hyperparameters) == {"momentum"}
    plain = optimisers.momentum(schedule, momentum=0.5, maximise=True)
    laws.close(run(injected, p, grads), run(plain, p, grads), 1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optimisers.clip_by_global_norm(0.0), ValueError, "max_norm must be > 0"),
        (lambda: optimisers.clip_by_value(-1.0), ValueError, "max_size must be > 0"),
        (lambda: optimisers.add_weight_decay(-1.0), ValueError, "weight_decay must be ≥ 0"),
        (lambda: optimisers.accumulate(optimisers.sgd(0.1), steps=0), ValueError, "steps must be a whole number ≥ 1"),
        (lambda: optimisers.inject(optimisers.adam, learning_rate=0.1, b1=2.0), ValueError, r"b1 must be in \[0, 1\)"),
        (lambda: optimisers.get("adm"), ValueError, "Did you mean 'adam'"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_weight_decay_needs_the_parameters():
    link = optimisers.add_weight_decay(0.1)
    with pytest.raises(ValueError, match="needs the parameters"):
        link.update(jnp.ones(2), link.init(jnp.ones(2)))


def listener(heard):
    """A method that names the parts of J, and writes down what it was sent."""

    def update(grads, state, params=None, *, value=None, objective=None, batch=None, key=None, **words):
        heard.append({"value": value, "objective": objective, "batch": batch, "key": key, **words})
        return grads, state

    return optimisers.Optimiser(lambda params: (), update)


WRAPPED = {
    "alone": lambda inner: inner,
    "chain": lambda inner: optimisers.chain(optax.scale(1.0), inner, optax.sgd(0.1)),
    "accumulate": lambda inner: optimisers.accumulate(inner, steps=1),
    "inject": lambda inner: optimisers.inject(lambda unused: inner, unused=1.0),
    "chains in chains": lambda inner: optimisers.chain(optimisers.chain(inner), optimisers.sgd(0.1)),
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_the_parts_of_j_reach_a_method_within_others(wrap):
    """And not optax's plain links beside it, which would refuse them."""
    heard, p, batch = [], jnp.ones(2), (jnp.ones((3, 2)), jnp.zeros(3))
    objective = Objective(lambda p, x: x @ p, losses.squared_error)
    optimiser = WRAPPED[wrap](listener(heard))
    training.step(objective, optimiser)(training.init(optimiser, p, key=jax.random.key(0)), batch)
    assert heard[-1]["objective"] is objective
    assert heard[-1]["batch"] is batch
    assert heard[-1]["key"] is not None
    assert {"grad", "value_fn"} <= set(heard[-1])


def test_the_parts_of_j_do_not_reach_a_masked_method():
    """They know all parameters, it sees some of them: their value function is of those."""
    heard, p = [], {"a": jnp.ones(2), "b": jnp.full(2, 3.0)}
    optimiser = optimisers.masked(listener(heard), {"a": True, "b": False})
    training.step(lambda p, batch: jnp.sum(p["a"] * p["b"]), optimiser)(training.init(optimiser, p), ())
    assert heard[-1]["objective"] is None
    assert heard[-1]["batch"] is None
    assert heard[-1]["value_fn"]({"a": 2 * p["a"], "b": None}) == 12
    np.testing.assert_array_equal(heard[-1]["grad"]["a"], 3)


def test_optaxs_line_search_is_not_sent_what_it_does_not_know():
    p = jnp.ones(2)
    search = optax.lbfgs(linesearch=optax.scale_by_backtracking_linesearch(max_backtracking_steps=5))
    for optimiser in (search, optimisers.chain(search)):
        state, info = training.step(lambda p, batch: jnp.sum(p**2), optimiser)(training.init(optimiser, p), ())
        assert info.loss == 2
        assert jnp.sum(state.params**2) < 2


def test_the_gradient_that_a_chain_changed_is_not_called_js_own():
    heard, p = [], jnp.ones(2)
    optimiser = optimisers.chain(optimisers.add_weight_decay(0.5), listener(heard))
    training.step(lambda p, batch: jnp.sum(p**2), optimiser)(training.init(optimiser, p), ())
    np.testing.assert_array_equal(heard[-1]["grad"], 2)
