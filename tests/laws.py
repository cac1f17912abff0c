"""The laws that every optimiser obeys, each a function of `make`: learning rate, keywords -> optimiser.

The problem is a small tree with a 0-d and an empty leaf; gradients are random and given, except where a law trains.
"""

import jax
import jax.numpy as jnp
import numpy as np

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


def vmap_is_one_by_one(make):
    """Over seeds and over learning rates at once: the second make the optimiser itself a traced thing."""
    rates = jnp.asarray([1e-3, 1e-2])
    seeds = [params(seed=s) for s in (0, 1)]
    grads = [gradients(seeds[0], seed=s) for s in (2, 3)]

    def train(rate, p, g):
        return scanned(make(rate), p, g)[0]

    def stack(*leaves):
        return jnp.stack(leaves)

    together = jax.jit(jax.vmap(train))(rates, jax.tree.map(stack, *seeds), jax.tree.map(stack, *grads))
    for i, one in enumerate(jax.jit(train)(rates[i], seeds[i], grads[i]) for i in range(2)):
        close(at(together, i), one, 1e-6)


def buffers_may_be_donated(make):
    optimiser, grads = make(1e-2), gradients(params())

    def step(p, state, g):
        updates, state = optimiser.update(g, state, p)
        return add(p, updates), state

    p = params()
    kept = looped(jax.jit(optimiser.update), optimiser.init(p), p, jax.tree.map(lambda g: g[:2], grads))
    donating = jax.jit(step, donate_argnums=(0, 1))
    p, state = params(), optimiser.init(params())
    for i in range(2):
        p, state = donating(p, state, at(grads, i))
    close((p, state), kept, 1e-6)


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


def one_trace_serves_all_steps(make):
    traces = []
    optimiser, p = make(lambda step: 0.01 / (1 + step)), params()

    @jax.jit
    def update(g, state, p):
        traces.append(None)
        return optimiser.update(g, state, p)

    looped(update, optimiser.init(p), p, gradients(p))
    assert len(traces) == 1


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
