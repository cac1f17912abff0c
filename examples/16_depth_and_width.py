"""Depth and width: every pair of the two, on an easy and a hard problem, trained side by side in one program; page 54.

python examples/16_depth_and_width.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import THEME, WANTED, label, panels, write

from jaxnn import Objective, data, initialisers, losses, mlp, optimisers, training
from jaxnn.plots import style

DEPTHS, WIDTHS, MOST, WIDEST, SEEDS, STEPS, BATCH = (1, 2, 3, 4), (2, 4, 8, 16), 4, 16, 4, 1000, 32
problems = {"Two moons": "two_moons", "Spirals": "spirals"}
rows = jax.random.randint(jax.random.key(1), (STEPS, BATCH), 0, 300)  # of each step
# The weights of every seed, for the largest network: (seeds, n_in, n_out) and (seeds, n_out).
sizes = (2, *(WIDEST,) * MOST, 1)
drawn = [mlp.init(key, sizes, w_init=initialisers.lecun_uniform) for key in jax.random.split(jax.random.key(0), SEEDS)]
drawn = jax.tree.map(lambda *each: jnp.stack(each), *drawn)


def validation_error(depth: jax.Array, width: jax.Array, params: mlp.Params, train: tuple, fresh: tuple) -> jax.Array:
    """The share of fresh examples that a network of this depth and width, once trained, puts on the wrong side."""
    in_use = jnp.arange(WIDEST) < width

    # All networks have the shapes of the largest, so that one program trains them all: layers beyond `depth` pass on
    # what they are given, and units beyond `width` give 0. What is cut off in this way gets no gradient either.
    def predict(params: mlp.Params, x: jax.Array) -> jax.Array:
        layers = list(params)
        for k in range(1, MOST):
            identity = mlp.Layer(jnp.eye(WIDEST), jnp.zeros(WIDEST))
            layers[k] = jax.tree.map(lambda own, same, k=k: jnp.where(k < depth, own, same), params[k], identity)
        activation = [lambda z, k=k: jnp.where(k < depth, jnp.tanh(z), z) * in_use for k in range(MOST)]
        return mlp.apply(tuple(layers), x, activation=activation)

    # Var W = 1 / fan_in, and the fan of all layers but the first is now `width`.
    params = (params[0], *(layer._replace(w=layer.w * jnp.sqrt(WIDEST / width)) for layer in params[1:]))
    objective = Objective(predict, losses.sigmoid_cross_entropy)
    state, _ = training.run(objective, optimisers.momentum(0.1), params, train, rows)
    return jnp.mean((predict(state.params, fresh[0]) > 0) != fresh[1])


def examples(seed: int) -> tuple[jax.Array, jax.Array]:
    """Of both problems: inputs (problem, n, 2) and targets (problem, n, 1)."""
    sets = [data.load(name, n=300, seed=seed) for name in problems.values()]
    return jnp.array([each.x for each in sets]), jnp.array([each.y[:, None] for each in sets])


sweep = jax.vmap(validation_error, (None, None, 0, None, None))  # over seeds,
sweep = jax.vmap(sweep, (None, 0, None, None, None))  # over widths,
sweep = jax.vmap(sweep, (0, None, None, None, None))  # over depths
sweep = jax.jit(jax.vmap(sweep, (None, None, None, 0, 0)))  # and over problems
errors = 100 * np.asarray(sweep(jnp.array(DEPTHS), jnp.array(WIDTHS), drawn, examples(0), examples(1))).mean(axis=-1)

for name, table in zip(problems, errors, strict=True):
    print(f"{name}: validation error in %, mean of {SEEDS} seeds\n  width  " + "".join(f"{w:8d}" for w in WIDTHS))
    for depth, row in zip(DEPTHS, table, strict=True):
        print(f"  depth {depth}" + "".join(f"{error:8.1f}" for error in row))

moons, spirals = errors
assert (moons[:, 1:] < 3).all(), "the easy problem is solved at every depth, one hidden layer included"
assert (spirals[0] > 10).all(), "the hard one by no width of a single hidden layer in this time"
assert spirals[1:3, -1].max() < 3, "by two or three wide ones it is"
assert (spirals[:, 0] > 20).all(), "two units a layer are a bottleneck that no depth makes up for"

if WANTED:
    figure, axes = panels("Two moons: one layer is enough", "Spirals: it takes depth and width", sharey=True)
    for panel, table in zip(axes, errors, strict=True):
        panel.grid(False)
        image = panel.imshow(table, cmap=style.diverging(THEME), vmin=-60, vmax=60, origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(table):
            ink = style.readable_on(image.cmap(image.norm(value)))
            panel.text(column, row, f"{value:.1f} %", ha="center", va="center", color=ink, fontsize=style.TITLE)
        panel.set_xticks(range(len(WIDTHS)), WIDTHS)
        panel.set_yticks(range(len(DEPTHS)), DEPTHS)
        words = "units in each hidden layer\n(in the squares: error on fresh examples)"
        label(panel, words, "hidden layers" if panel is axes[0] else "")
    write(figure)
