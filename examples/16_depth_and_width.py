"""Depth and width: all combinations, on an easy and a hard problem, trained side by side in one program; page 54.

python examples/16_depth_and_width.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import THEME, WANTED, label, panels, write

from jaxnn import Objective, data, initialisers, losses, mlp, optimisers, training
from jaxnn.plots import style

DEPTHS, WIDTHS, MOST, WIDEST, SEEDS, STEPS, BATCH = (1, 2, 3, 4), (2, 4, 8, 16), 4, 16, 8, 1000, 32
problems = {"Two moons": "two_moons", "Spirals": "spirals"}
# Of every seed the weights of the largest network, and the rows of each step.
largest = lambda key: mlp.init(key, (2, *(WIDEST,) * MOST, 1), w_init=initialisers.lecun_uniform)
drawn = jax.vmap(largest)(jax.random.split(jax.random.key(0), SEEDS))
drawn = drawn, jax.random.randint(jax.random.key(1), (SEEDS, STEPS, BATCH), 0, 300)


def error(depth: jax.Array, width: jax.Array, drawn: tuple, train: tuple, fresh: tuple) -> jax.Array:
    """The share of fresh examples that a network of this depth and width, once trained, puts on the wrong side."""
    in_use = jnp.arange(WIDEST) < width

    # All networks have the shapes of the largest, so one program trains them all: layers beyond `depth` pass on
    # what they are given, and units beyond `width` give 0. What is cut off in this way gets no gradient either.
    def predict(params: mlp.Params, x: jax.Array) -> jax.Array:
        layers = list(params)
        for k in range(1, MOST):
            identity = mlp.Layer(jnp.eye(WIDEST), jnp.zeros(WIDEST))
            layers[k] = jax.tree.map(lambda own, same, k=k: jnp.where(k < depth, own, same), params[k], identity)
        activation = [lambda z, k=k: jnp.where(k < depth, jnp.tanh(z), z) * in_use for k in range(MOST)]
        return mlp.apply(tuple(layers), x, activation=activation)

    (first, *others), rows = drawn  # Var W = 1 / fan_in, and the fan of all layers but the first is now `width`:
    params = (first, *(layer._replace(w=layer.w * jnp.sqrt(WIDEST / width)) for layer in others))
    objective = Objective(predict, losses.sigmoid_cross_entropy)
    trained = training.run(objective, optimisers.momentum(0.1), params, train, rows)[0].params
    return jnp.mean((predict(trained, fresh[0]) > 0) != fresh[1])


def examples(first: int) -> tuple[jax.Array, jax.Array]:
    """Of both problems, for every seed: inputs (problem, seed, n, 2) and targets (problem, seed, n, 1)."""
    sets = [[data.load(name, n=300, seed=first + k) for k in range(SEEDS)] for name in problems.values()]
    return jnp.array([[e.x for e in each] for each in sets]), jnp.array([[e.y[:, None] for e in each] for each in sets])


sweep = jax.vmap(error, (None, None, 0, 0, 0))  # over seeds, each with weights, batches and examples of its own,
sweep = jax.vmap(sweep, (None, 0, None, None, None))  # over widths,
sweep = jax.vmap(sweep, (0, None, None, None, None))  # over depths
sweep = jax.jit(jax.vmap(sweep, (None, None, None, 0, 0)))  # and over problems
found = sweep(jnp.array(DEPTHS), jnp.array(WIDTHS), drawn, examples(0), examples(SEEDS))
moons, spirals = errors = 100 * np.median(found, axis=-1)  # a mean would follow the few that have not yet arrived

for name, table in zip(problems, errors, strict=True):
    print(f"{name}: validation error in %, median of {SEEDS} seeds\n  width  " + "".join(f"{w:8d}" for w in WIDTHS))
    for depth, row in zip(DEPTHS, table, strict=True):
        print(f"  depth {depth}", *(f"{share:7.1f}" for share in row))

# Whatever the seeds: of 20 such sets of eight, the worst had 0.5, 9.2, 0.2 and 26 where these have 3, 5, 3 and 20.
assert (moons[:, 1:] < 3).all(), "the easy problem is solved at every depth, one hidden layer included"
assert (spirals[0] > 5).all(), "the hard one by no width of a single hidden layer in this time"
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
        words = "units in each hidden layer\n(squares: error rate on new examples)"
        label(panel, words, "hidden layers" if panel is axes[0] else "")
    write(figure)
