"""The laws that every optimiser obeys, and the optimisers that they are asked of.

The first laws are functions of `make`: learning rate, keywords -> optimiser. The problem is a small tree with a 0-d and
an empty leaf; gradients are random and given, except where a law trains.

The laws after `Zoo` are functions of many optimisers at once, which share one compiled program, since compiling costs
more than all else. They return the names of those that break the law.
"""

import functools
import inspect
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import optimisers, training
from jaxnn.training import checkpoint_files, serialisation

VARIANTS = {
    "momentum, rate outside, damped": ("momentum", {"learning_rate_inside": False, "dampening": 0.5}),
    "nesterov, rate outside": ("nesterov", {"learning_rate_inside": False}),
    "adagrad, eps inside": ("adagrad", {"eps_inside": True, "initial_accumulator": 0.1}),
    "adagrad, no eps": ("adagrad", {"eps": 0.0}),
    "rmsprop, eps outside": ("rmsprop", {"eps_inside": False, "momentum": 0.9}),
    "rmsprop, no eps": ("rmsprop", {"eps": 0.0}),
    "rmsprop, centred": ("rmsprop", {"centred": True, "momentum": 0.9, "learning_rate_inside": False}),
    # ε well above rounding: the variance of the first gradient alone is 0
    "rmsprop, corrected": ("rmsprop", {"centred": True, "bias_correction": True, "eps": 1e-2}),
    "adam, eps_hat": ("adam", {"eps_hat": True}),
    "adam, no eps": ("adam", {"eps": 0.0}),
    "adam, eps_root": ("adam", {"eps_root": 1e-8}),
    "adam, L2": ("adam", {"weight_decay": 0.1}),
    "adamax, eps outside": ("adamax", {"eps_inside": False}),
    "adamax, no eps": ("adamax", {"eps": 0.0}),
    "amsgrad, raw": ("amsgrad", {"maximum": "raw"}),
    "amsgrad, paper": ("amsgrad", {"maximum": "paper"}),
    "nadam, constant momentum": ("nadam", {"momentum_decay": math.inf}),
    "nadam, no momentum": ("nadam", {"b1": 0.0}),
    "radam, eps_hat": ("radam", {"eps_hat": True, "b2": 0.9}),
    "lion, decayed": ("lion", {"weight_decay": 0.1}),
}
CASES = {name: factory for name, factory in optimisers.TABLE.items()} | {
    name: partial(optimisers.get(rule), **keywords) for name, (rule, keywords) in VARIANTS.items()
}
DECOUPLED_RULES = ("adamw", "lion")  # whose weight decay bypasses the gradient; elsewhere it is an L2 penalty


def weight_decay(make):
    """λ unless another is given; 0 where there is none."""
    parameters = inspect.signature(make).parameters
    return parameters["weight_decay"].default or 0.0 if "weight_decay" in parameters else 0.0


# λ of those that decay by default: added to the gradient, and decoupled from it
COUPLED = {"adam, L2": 0.1}
DECOUPLED = {
    name: weight_decay(make)
    for name, make in (CASES | dict(optimisers.PRESETS)).items()
    if weight_decay(make) and name not in COUPLED
}
DECAYING = DECOUPLED.keys() | COUPLED.keys()

STEPS = 12
EXTREMES = np.array([0.0, 1e-40, 1e-30, -1e-3, 1.0, 1e19, -1e19], np.float32)  # constant, coordinate by coordinate


def params(dtype=jnp.float32, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "w": jnp.asarray(rng.normal(size=(2, 3)), dtype),
        "rest": (jnp.asarray(rng.normal(), dtype), jnp.zeros((0, 2), dtype)),
    }


def gradients(like, seed=1, steps=STEPS):
    """Random gradients like the parameters, with a leading axis of steps."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=(steps, *p.shape)), p.dtype), like)


def at(tree, step):
    return jax.tree.map(lambda leaf: leaf[step], tree)


def add(p, u):
    return jax.tree.map(lambda p, u: (p + u).astype(p.dtype), p, u)


def scanned(optimiser, p, grads):
    """The parameters after all the gradients, as one scan."""

    def step(carry, g):
        p, state = carry
        updates, state = optimiser.update(g, state, p)
        return (add(p, updates), state), None

    return jax.lax.scan(step, (p, optimiser.init(p)), grads)[0]


def looped(update, state, p, grads):
    for step in range(jax.tree.leaves(grads)[0].shape[0]):
        updates, state = update(at(grads, step), state, p)
        p = add(p, updates)
    return p, state


def close(a, b, rtol):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x, np.float64), np.asarray(y, np.float64), rtol=rtol, atol=rtol)


def equal(a, b):
    close(a, b, 0.0)


def eager_jit_and_scan_agree(make):
    p = params()
    grads, optimiser = gradients(p), make(1e-2)
    eager = looped(optimiser.update, optimiser.init(p), p, grads)
    close(eager, looped(jax.jit(optimiser.update), optimiser.init(p), p, grads), 2e-6)  # XLA contracts to fma: ulps
    close(eager, jax.jit(lambda p, grads: scanned(optimiser, p, grads))(p, grads), 2e-6)


def training_is_differentiable(make):
    """By the learning rate, against central differences; one coordinate's gradient is 0 from the start."""
    start = jnp.asarray([0.0, 0.7, -1.3, 2.0])

    def final(rate):
        optimiser = make(rate)

        def step(carry, _):
            p, state = carry
            updates, state = optimiser.update(jax.grad(lambda p: jnp.sum(p**2 + p**4))(p), state, p)
            return (p + updates, state), None

        (p, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), None, length=6)
        return jnp.sum(p**2)

    rate, h = 1e-3, 1e-7
    compiled = jax.jit(jax.value_and_grad(final))
    difference = (compiled(rate + h)[0] - compiled(rate - h)[0]) / (2 * h)
    np.testing.assert_allclose(compiled(rate)[1], difference, rtol=1e-5)


def derivatives_at_a_zero_gradient_are_finite(make):
    optimiser, p = make(1e-2), jnp.ones(2)

    def second_update(g):
        state = optimiser.update(g, optimiser.init(p), p)[1]
        return optimiser.update(g, state, p)[0]

    assert np.isfinite(jax.jit(jax.jacobian(second_update))(jnp.asarray([0.0, 1.0]))).all()


def structure_and_dtypes_are_kept(make, dtype):
    p, optimiser = params(dtype), make(1e-2)
    state = optimiser.init(p)
    updates, after = jax.eval_shape(optimiser.update, at(gradients(p), 0), state, p)
    assert jax.tree.map(lambda u: (u.shape, u.dtype), updates) == jax.tree.map(lambda u: (u.shape, u.dtype), p)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for new, old in zip(jax.tree.leaves(after), jax.tree.leaves(state), strict=True):
        assert (new.shape, new.dtype, new.weak_type) == (old.shape, old.dtype, old.weak_type)
        assert new.dtype == jnp.int32 or jnp.finfo(new.dtype).bits >= 32


def narrow_parameters_move_as_wide_ones(make, dtype):
    """Ten steps from one gradient, as in float32 but for roundings; 300² is more than float16 holds."""
    start = {"w": jnp.zeros((2, 3), dtype)}
    g = {"w": jnp.asarray([[1.0, -0.5, 300.0], [2.0, 0.0, -0.125]], dtype)}
    grads = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (10, *leaf.shape)), g)
    wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (start, grads))
    run = jax.jit(lambda p, g: scanned(make(2.0**-6), p, g)[0])
    close(run(start, grads), run(*wide), 10 * float(jnp.finfo(dtype).eps))


def a_zero_gradient_is_no_step(make):
    p, optimiser = params(), make(1e-2)
    zeros = jax.tree.map(jnp.zeros_like, gradients(p))
    after, state = jax.jit(lambda p, g: scanned(optimiser, p, g))(p, zeros)
    equal(after, p)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def extremes_stay_finite(make):
    p = jnp.zeros(EXTREMES.shape, jnp.float32)
    grads = jnp.broadcast_to(EXTREMES, (300, *EXTREMES.shape))
    for leaf in jax.tree.leaves(jax.jit(lambda p, g: scanned(make(1e-3), p, g))(p, grads)):
        assert np.isfinite(leaf).all()


def a_spike_is_survived(make):
    """One gradient whose square no float32 holds, then ordinary ones; an infinite one is not hidden."""
    spike = jnp.asarray([1e20, 1e30, -1e30, 1.0], jnp.float32)
    grads = jnp.concatenate([spike[None], jnp.ones((50, 4))])
    run = jax.jit(lambda g: scanned(make(1e-3), jnp.zeros(4), g))
    for leaf in jax.tree.leaves(run(grads)):
        assert np.isfinite(leaf).all()
    (end, _) = run(grads.at[0, 0].set(jnp.inf))
    assert not np.isfinite(end[0])
    assert np.isfinite(end[1:]).all()


def counters_saturate(make):
    p, optimiser = params(), make(1e-2)
    g, update = at(gradients(p), 0), jax.jit(optimiser.update)
    _, state = update(g, optimiser.init(p), p)
    for before, after in ((2**24, 2**24 + 1), (2**31 - 2, 2**31 - 1), (2**31 - 1, 2**31 - 1)):
        updates, late = update(g, state._replace(step=jnp.asarray(before, jnp.int32)), p)
        assert int(late.step) == after
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((updates, late)))


def the_first_rate_is_that_of_step_0(make):
    p = params()
    g = at(gradients(p), 0)
    scheduled, constant = make(lambda step: jnp.where(step == 0, 0.25, 1e6)), make(0.25)
    updates, state = scheduled.update(g, scheduled.init(p), p)
    expected, expected_state = constant.update(g, constant.init(p), p)
    equal(updates, expected)
    equal(state, expected_state)
    assert float(state.learning_rate) == 0.25


def maximising_mirrors(make):
    """Ascending J is descending -J, to the last bit."""
    p = params()
    grads = gradients(p, steps=3)
    turned = jax.tree.map(jnp.negative, grads)
    up, down = make(1e-2, maximise=True), make(1e-2)
    equal(looped(up.update, up.init(p), p, turned), looped(down.update, down.init(p), p, grads))


def strict_promotion_passes(make, dtype):
    with jax.numpy_dtype_promotion("strict"):
        p = params(dtype)
        optimiser, grads = make(1e-2), gradients(p)
        jax.eval_shape(lambda p, grads: scanned(optimiser, p, grads), p, grads)


def the_words_of_a_loop_are_taken(make):
    p, optimiser = params(), make(1e-2)
    g = at(gradients(p), 0)
    words = {"value": jnp.zeros(()), "grad": g, "value_fn": lambda p: jnp.zeros(())}
    state = optimiser.init(p)
    told = jax.make_jaxpr(lambda g: optimiser.update(g, state, p, **words))(g)
    assert str(told) == str(jax.make_jaxpr(lambda g: optimiser.update(g, state, p))(g))


# Many optimisers at once


class Path(NamedTuple):
    """Where one optimiser goes; every array has a leading axis of steps, in NumPy."""

    updates: dict
    states: object  # after each step
    params: dict  # after each step


class Zoo:
    """Optimisers by name that all see the same gradients, as one program.

    Rates are data: an array with one for each step, so that no law needs another compilation. The compiled step gives
    away the buffers of its states, as loops do.
    """

    def __init__(self, makes):
        self.makes = dict(makes)
        self.traces = 0
        self._start = jax.jit(self.start)
        self._traced_step = jax.jit(self._counted, donate_argnums=0)

    def start(self, p, rates):
        return {name: optimiser.init(p) for name, optimiser in self._made(rates).items()}

    def step(self, states, params, g, rates):
        """Updates, states and parameters by name; `g` is one tree for all."""
        updates, after, moved = {}, {}, {}
        for name, optimiser in self._made(rates).items():
            updates[name], after[name] = optimiser.update(g, states[name], params[name])
            moved[name] = add(params[name], updates[name])
        return updates, after, moved

    def follow(self, p, grads, rates=None, *, jitted=True, moving=True, since=None):
        """A `Path` for every optimiser.

        Unless `moving`, the updates are not added to the parameters. A run goes on `since` parameters and states by
        name; else it begins at `p`.
        """
        rates = jnp.asarray(RATES if rates is None else rates, jax.tree.leaves(p)[0].dtype)
        start, step = (self._start, self._traced_step) if jitted else (self.start, self.step)
        params, states = since or (dict.fromkeys(self.makes, p), start(p, rates))
        records, traces = [], self.traces
        for t in range(len(jax.tree.leaves(grads)[0])):
            updates, states, moved = step(states, params, at(grads, t), rates)
            records.append(jax.tree.map(np.array, {n: Path(updates[n], states[n], moved[n]) for n in self.makes}))
            params = moved if moving else params
        assert self.traces <= traces + 1, "a later step needed another program than the first"
        return jax.tree.map(lambda *leaves: np.stack(leaves), *records)

    def _made(self, rates):
        def rate(step):
            return rates[jnp.minimum(step, len(rates) - 1)]

        return {name: make(rate) for name, make in self.makes.items()}

    def _counted(self, *arguments):
        self.traces += 1
        return self.step(*arguments)


def rates_of(seed, steps=64):
    """Rates that jump about by a factor of 8."""
    return 2.0 ** np.random.default_rng(seed).uniform(-9, -6, size=steps)


RATES = rates_of(3)
LIBRARIES = ("optax", "torch", "keras", "goodfellow", "sklearn")
ZOOS = {
    "rules": Zoo(optimisers.TABLE),
    "variants": Zoo({name: CASES[name] for name in VARIANTS}),
} | {
    library: Zoo({name: partial(optimisers.preset, name) for name in optimisers.PRESETS if name.startswith(library)})
    for library in LIBRARIES
}


def plain(seed=0, dtype=jnp.float32, steps=STEPS):
    """Parameters of one leaf, and gradients over three decades."""
    rng = np.random.default_rng(seed)
    sizes = 10 ** rng.uniform(-2, 1, size=(steps, 2, 3))
    p = {"w": jnp.asarray(rng.normal(size=(2, 3)), dtype)}
    return p, {"w": jnp.asarray(rng.normal(size=(steps, 2, 3)) * sizes, dtype)}


def scale(tree, factor):
    return jax.tree.map(lambda leaf: leaf * factor, tree)


def is_same(a, b):
    """Bit for bit, save that 0 and -0 are one number; and finite."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and np.array_equal(x, y) and np.isfinite(x).all() for x, y in pairs
    )


def apart(a, b):
    """The largest difference of two trees of arrays, relative to the largest entry of `b`; inf if not finite."""
    pairs = list(zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
    worst = np.max([np.max(np.abs(np.asarray(x, np.float64) - y), initial=0.0) for x, y in pairs])
    size = max(np.max(np.abs(np.asarray(y, np.float64)), initial=0.0) for _, y in pairs)
    return float(worst / size) if np.isfinite(worst) and size > 0 else (0.0 if worst == 0 else math.inf)


def breaking(holds):
    """The names for which a law does not hold."""
    return [name for name, truth in holds.items() if not truth]


@functools.cache
def usual(zoo, jitted):
    """What the laws start from: parameters that stay, gradients, and the paths. Two steps where nothing is compiled."""
    p, grads = plain(steps=STEPS if jitted else 2)
    return p, grads, zoo.follow(p, grads, jitted=jitted, moving=False)


def turning_the_gradient_turns_the_steps(zoo, jitted):
    """(θ, g) → (-θ, -g) turns every update and leaves nothing else changed, to the last bit."""
    p, grads, paths = usual(zoo, jitted)
    other = zoo.follow(scale(p, -1), scale(grads, -1), jitted=jitted, moving=False)
    return breaking({n: is_same(scale(path.updates, -1), other[n].updates) for n, path in paths.items()})


def at_rate_zero_nothing_moves(zoo, jitted):
    p, grads, _ = usual(zoo, jitted)
    paths = zoo.follow(p, at(grads, np.s_[:2]), np.zeros_like(RATES), jitted=jitted)
    return breaking({n: all(is_same(at(path.params, t), p) for t in range(2)) for n, path in paths.items()})


def updates_are_proportional_to_the_rate(zoo, jitted):
    """To the last bit by a power of 2, at parameters that stay."""
    p, grads, paths = usual(zoo, jitted)
    other = zoo.follow(p, grads, RATES * 8, jitted=jitted, moving=False)
    return breaking({n: is_same(scale(path.updates, 8), other[n].updates) for n, path in paths.items()})


def rates_are_used_in_their_turn(zoo, jitted):
    """Step k, from 0, is the first that another rate at k changes: schedule(0) is used first, and none is skipped."""
    p, grads, paths = usual(zoo, jitted)
    holds = {}
    for k in range(4) if jitted else (1,):
        others = np.where(np.arange(len(RATES)) >= k, 1000 * RATES, RATES)
        other = zoo.follow(p, at(grads, np.s_[: k + 1]), others, jitted=jitted, moving=False)
        for n, path in paths.items():
            before = all(is_same(at(path.updates, t), at(other[n].updates, t)) for t in range(k))
            holds[n, k] = before and apart(at(other[n].updates, k), at(path.updates, k)) > 0.5
    return breaking(holds)


def without_decay_the_parameters_do_not_matter(zoo, jitted):
    p, grads, paths = usual(zoo, jitted)
    other = zoo.follow(scale(p, -3), grads, jitted=jitted, moving=False)
    return breaking({n: is_same(path.updates, other[n].updates) != (n in DECAYING) for n, path in paths.items()})


def no_gradient_is_no_step(zoo, jitted):
    """But for decay: η λ θ where it is decoupled, to the last bits."""
    p, grads, _ = usual(zoo, jitted)
    holds = {}
    for name, path in zoo.follow(p, scale(grads, 0.0), jitted=jitted, moving=False).items():
        decay = np.float32(RATES[: len(path.updates["w"]), None, None]) * np.float32(DECOUPLED.get(name, 0)) * p["w"]
        holds[name] = name in COUPLED or (apart(path.updates["w"], -decay) < 3e-7 and finite(path))
    return breaking(holds)


def finite(tree):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


SHOCKS = {
    "tiny": [0.0, 1e-45, 1e-40, 1e-38, -1e-30, 1e-19],  # the first squares that are denormal, or 0
    "large": [1.0, -1e-3, 1e10, 3e18, 1e19, -1e19],
}


def every_size_of_gradient_is_survived(zoo):
    """Constant, and followed by nothing, and by the opposite sign; updates, states and parameters stay finite."""
    holds = {}
    for kind, sizes in SHOCKS.items():
        g = jnp.asarray(sizes, jnp.float32).reshape(2, 3)
        turns = np.concatenate([np.ones(10), np.zeros(5), -np.ones(5)]).astype(np.float32)
        grads = {"w": jnp.asarray(turns[:, None, None]) * g}
        for name, path in zoo.follow({"w": jnp.ones((2, 3))}, grads).items():
            holds[name, kind] = finite(path)
    return breaking(holds)


def counters_of_all_links_saturate(zoo, jitted):
    """Every whole number in the state counts one more, or stays at 2³¹ - 1; and updates stay finite."""
    p, grads, paths = usual(zoo, jitted)
    params, grads = dict.fromkeys(zoo.makes, p), at(grads, np.s_[-1:])
    states = {name: at(path.states, -1) for name, path in paths.items()}
    holds = {}
    for before, after in ((2**24, 2**24 + 1), (2**31 - 2, 2**31 - 1), (2**31 - 1, 2**31 - 1))[0 if jitted else 2 :]:
        late = jax.tree.map(lambda x, n=before: jnp.array(n if x.dtype == np.int32 else x, x.dtype), states)
        for name, path in zoo.follow(p, grads, jitted=jitted, since=(params, late)).items():
            counts = [leaf for leaf in jax.tree.leaves(path.states) if leaf.dtype == np.int32]
            holds[name, before] = counts and all((count == after).all() for count in counts) and finite(path)
    return breaking(holds)


def jitted_and_eager_agree(zoo):
    """To a few ulp, since XLA contracts to fma; the compiled steps give away buffers that `init` itself made."""
    p, grads, eager = usual(zoo, False)
    since = dict.fromkeys(zoo.makes, p), zoo.start(p, jnp.asarray(RATES, jnp.float32))
    jitted = zoo.follow(p, grads, moving=False, since=since)
    # The variance of the first gradient alone is a rounding of g² ≤ 100, 1e-5, which √(0 + ε) amplifies.
    limits = {"rmsprop, corrected": 1e-3}
    return breaking({n: apart(jitted[n].updates, eager[n].updates) < limits.get(n, 2e-6) for n in eager})


def one_program_serves_all_rates_and_steps(zoo):
    p, grads, _ = usual(zoo, True)
    traces = zoo.traces
    paths = zoo.follow(scale(p, 2), scale(grads, 3), 2 * RATES)
    return [] if zoo.traces == traces > 0 else list(paths)


def order_and_parts_do_not_matter(zoo):
    """A leaf goes its way wherever it hangs, and its coordinates in any order, in two parts or one by one."""
    rng = np.random.default_rng(4)
    p, grads = rng.normal(size=10), rng.normal(size=(4, 10))

    def planted(x):
        x = jnp.asarray(x, jnp.float32)
        parts = {"b": x[..., :5], "a": [x[..., 5:], ()]}
        return {"whole": x, "parts": parts, "one": x[..., 7], "none": x[..., :0, None]}

    def joined(updates):
        return np.concatenate([updates["parts"]["b"], updates["parts"]["a"][0]], axis=1)

    turned = np.array([7, 5, 6, 9, 8, 3, 2, 4, 0, 1])
    straight = zoo.follow(planted(p), planted(grads), moving=False)
    crossed = zoo.follow(planted(p[turned]), planted(grads[:, turned]), moving=False)
    swapped = zoo.follow(planted(np.roll(p, 5)), planted(np.roll(grads, 5, axis=1)), moving=False)
    holds = {}
    for name in straight:
        u, c, s = (run[name].updates for run in (straight, crossed, swapped))
        whole = u["whole"]
        near = (joined(u), whole), (u["one"], whole[:, 7]), (c["whole"], whole[:, turned])
        holds[name] = (
            is_same(np.roll(joined(s), 5, axis=1), joined(u))
            and u["none"].shape == (4, 0, 1)
            and all((np.abs(a - b) <= 4 * np.spacing(np.abs(b))).all() for a, b in near)
        )
    return breaking(holds)


def insertion_order_does_not_matter(zoo):
    """Dictionaries are matched by their keys: gradients may come in another order than the parameters. Not compiled."""
    p, grads = plain(steps=1)
    p, g = {"a": p["w"], "b": p["w"]}, grads["w"][0]
    params, rates = dict.fromkeys(zoo.makes, p), jnp.asarray(RATES, jnp.float32)
    one, other = (
        zoo.step(zoo.start(p, rates), params, tree, rates)[0] for tree in ({"b": g, "a": -2 * g}, {"a": -2 * g, "b": g})
    )
    return breaking({n: is_same(one[n], other[n]) and apart(one[n]["a"], one[n]["b"]) > 0 for n in one})


def batched_is_one_by_one(zoo):
    """vmap over parameters, states, gradients and rates at once."""
    p, grads, paths = usual(zoo, True)
    lanes = [{name: at(path.states, t) for name, path in paths.items()} for t in (0, 3)]
    rates = jnp.asarray([RATES, 3 * RATES], jnp.float32)
    params = [dict.fromkeys(zoo.makes, scale(p, factor)) for factor in (1, 2)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *lanes), jax.tree.map(lambda *x: jnp.stack(x), *params)
    together = jax.jit(jax.vmap(zoo.step))(*stacked, at(grads, np.s_[5:7]), rates)[0]
    holds = {}
    for i in range(2):
        alone = zoo.follow(p, at(grads, np.s_[5 + i : 6 + i]), rates[i], since=(params[i], lanes[i]))
        for name, path in alone.items():
            holds[name, i] = apart(at(together[name], i), at(path.updates, 0)) < 2e-6
    return breaking(holds)


def narrow_leaves_keep_their_dtypes_and_wide_states(zoo):
    """bfloat16, float16 and float32 side by side, and nothing promoted that JAX's strict rules would refuse."""
    p = {str(dtype): jnp.ones(3, dtype) for dtype in ("bfloat16", "float16", "float32")}
    holds = {}
    with jax.numpy_dtype_promotion("strict"):
        for name, make in zoo.makes.items():
            optimiser = make(1e-2)
            state = jax.eval_shape(optimiser.init, p)
            updates, after = jax.eval_shape(optimiser.update, p, state, p)
            told = [jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree) for tree in (state, after)]
            wide = all(x.dtype == np.int32 or jnp.finfo(x.dtype).bits >= 32 for x in jax.tree.leaves(after))
            kept = jax.tree.map(lambda x: (x.shape, x.dtype), updates) == jax.tree.map(lambda x: (x.shape, x.dtype), p)
            holds[name] = wide and kept and told[0] == told[1]
    return breaking(holds)


def a_run_goes_on_from_every_step(zoo, folder):
    """Parameters and states through a checkpoint file after each step: the rest of the way is the same, bit for bit."""
    p, grads = plain(steps=6)
    whole = zoo.follow(p, grads)
    broken = []
    for k in range(1, 6):
        past = [(at(path.params, k - 1), at(path.states, k - 1)) for path in whole.values()]
        file = checkpoint_files.write_numbered(folder, "run", k, "checkpoint", {"step": k}, training.flatten(past))
        spec, tensors = serialisation.read(file, "checkpoint")
        assert spec == {"step": k}
        loaded = dict(zip(whole, training.unflatten(tensors, like=jax.tree.map(jnp.asarray, past)), strict=True))
        since = tuple({name: half[i] for name, half in loaded.items()} for i in range(2))
        rest = zoo.follow(p, jax.tree.map(lambda g, k=k: g[k:], grads), since=since)
        broken += [(n, k) for n in whole if not is_same(rest[n], jax.tree.map(lambda x, k=k: x[k:], whole[n]))]
    return broken
