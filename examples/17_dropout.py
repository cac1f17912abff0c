"""Dropout as bagging: the mean of many thinned networks, one scaled network, and a true ensemble; pages 55-57.

python examples/17_dropout.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import Objective, losses, mlp, optimisers, training
from jaxnn.plots import style

NETWORKS, STEPS, RATE, FEW, MANY = 24, 1000, 0.1, 12, 400
# A generator of random numbers that compiles faster than the default one: dropout draws at every step.
noise, where, draw, order, drop = jax.random.split(jax.random.key(0, impl="unsafe_rbg"), 5)
truth = lambda x: jnp.sin(4 * x)
x = jax.random.uniform(where, (MANY, 1), minval=-1.0, maxval=1.0)
y = truth(x) + 0.1 * jax.random.normal(noise, x.shape)


def train(n: jax.Array, dropped: jax.Array, first: jax.Array, params: mlp.Params, key: jax.Array) -> mlp.Params:
    """A network of 1 → 30 → 30 → 1 with ReLU on n examples from the first on, dropping hidden units or not."""

    def predict(params: mlp.Params, x: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.where(dropped, mlp.apply(params, x, dropout=RATE, key=key), mlp.apply(params, x))

    rows = (first + jax.random.randint(key, (STEPS, 32), 0, n)) % MANY
    objective = Objective(predict, losses.squared_error)
    return training.run(objective, optimisers.adam(5e-3), params, (x, y), rows, key=key)[0].params


# One program trains all of them: (few or many examples) × (without or with dropout) × networks.
start = jax.vmap(lambda key: mlp.init(key, (1, 30, 30, 1)))(jax.random.split(draw, NETWORKS))
every = jax.vmap(jax.vmap(jax.vmap(train, (None, None, 0, 0, 0)), (None, 0, *[None] * 3)), (0, *[None] * 4))
counts, dropped, firsts = jnp.array([FEW, MANY]), jnp.array([False, True]), FEW * jnp.arange(NETWORKS)
trained = jax.jit(every)(counts, dropped, firsts, start, jax.random.split(order, NETWORKS))

# Without a key nothing is dropped: weights scaled for it in training make that one pass stand for the mean of all.
grid = jnp.linspace(-2.5, 2.5, 201)[:, None]
inside = np.abs(np.asarray(grid[:, 0])) <= 1  # where there are examples
outputs = np.asarray(jax.vmap(jax.vmap(jax.vmap(mlp.apply, (0, None)), (0, None)), (0, None))(trained, grid))[..., 0]
error = lambda o: np.sqrt(np.mean((o - np.asarray(truth(grid))[:, 0])[..., inside] ** 2, axis=-1))
errors = error(outputs)  # (few or many, without or with dropout, network)
single, together = errors.mean(axis=-1), error(outputs[1].mean(axis=1))
print("root mean square error      without dropout   with dropout")
for words, pair in ((f"one network, {FEW}", single[0]), (f"one, {MANY}", single[1]), (f"{NETWORKS}, {MANY}", together)):
    print("  {:>16s} examples {:15.3f} {:14.3f}".format(words, *pair))
assert (errors[0, 1] > errors[0, 0]).sum() > NETWORKS // 2, "weak with few samples: it harmed in 108 of 128 draws"
assert single[0, 1] > 2 * single[1].max(), "and no replacement for more of them"
assert (together < 0.9 * single[1]).all(), "networks trained apart err apart: their mean errs less"

# Averages of stochastic predictions come to the scaled network's, up to what ReLU's bend makes of it.
one = jax.tree.map(lambda leaf: leaf[1, 1, 0], trained)
thin = jax.vmap(lambda key: mlp.apply(one, grid, dropout=RATE, key=key))(jax.random.split(drop, 1000))
passes = np.asarray(thin)[..., 0]
away = {m: np.sqrt(np.mean((passes[:m].mean(axis=0) - outputs[1, 1, 0])[inside] ** 2)) for m in (1, 10, 100, 1000)}
print("mean of m passes, off the scaled network by: " + ", ".join(f"{d:.3f} (m = {m})" for m, d in away.items()))
assert away[100] < 0.25 * away[1]

spreads = {"1,000 passes with dropout": passes.std(axis=0), f"{NETWORKS} networks": outputs[1, 0].std(axis=0)}
for name, spread in spreads.items():
    print(f"spread of {name:26s} {spread[inside].mean():.3f} where data are, {spread[~inside].mean():.3f} away")
    assert spread[~inside].mean() > 2 * spread[inside].mean(), "uncertainty grows away from the data"

if WANTED:
    figure, axes = panels("Dropout: uncertain away from data", "An ensemble: likewise", sharey=True)
    for panel, several, colour, name in zip(axes, (passes, outputs[1, 0]), (BLUE, ORANGE), spreads, strict=True):
        middle, spread = several.mean(axis=0), several.std(axis=0)
        panel.scatter(x, y, s=14, color=THEME.muted, alpha=0.5)
        for edge in (spread, 2 * spread):
            panel.fill_between(grid[:, 0], middle - edge, middle + edge, color=colour, alpha=0.3, linewidth=0)
        panel.plot(grid[:, 0], middle, color=colour, linewidth=style.LINE)
        panel.plot(grid[:, 0], truth(grid)[:, 0], color=THEME.ink, linestyle="--", linewidth=2)
        panel.text(1.95, 1.1, "truth", color=THEME.ink, fontsize=style.TEXT, ha="right")
        panel.text(1.95, 3.3, f"{name}:\nmean ± 1 and 2 std. deviations", color=colour, fontsize=style.TEXT, ha="right")
        panel.set(xlim=(-2, 2), ylim=(-4, 4))
        label(panel, "x")
    write(figure)
