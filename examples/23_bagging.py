"""Bagging: networks trained on bootstrap samples of the same examples err apart, so their mean errs less; pages 55-57.

python examples/23_bagging.py [PICTURE.png] [dark]
"""

import jax
import numpy as np
from picture import BLUE, GREEN, ORANGE, THEME, WANTED, label, legend, panels, write

from jaxnn import Objective, ensemble, losses, mlp, optimisers, training
from jaxnn.plots import style

SEEDS, MEMBERS, ROWS, FRESH, NOISE = 8, 24, 50, 500, 0.4
random = np.random.default_rng(0)
truth = lambda x: np.sin(4 * x)
x = random.uniform(-1, 1, (SEEDS, ROWS + FRESH, 1)).astype(np.float32)
y = truth(x[..., 0]) + NOISE * random.standard_normal(x.shape[:2])
data = x[:, :ROWS].reshape(-1, 1), y[:, :ROWS].reshape(-1, 1)  # the training examples of every seed, one after another

# A bootstrap sample has as many rows as there are examples, drawn with replacement; about 1 / e of them are left out.
drawn = random.integers(ROWS, size=(SEEDS, MEMBERS, ROWS))
rows = (drawn + ROWS * np.arange(SEEDS)[:, None, None]).reshape(-1, ROWS)
keys = jax.random.split(jax.random.key(0), SEEDS * MEMBERS)
params = jax.jit(jax.vmap(lambda key: mlp.init(key, (1, 30, 30, 1))))(keys)
objective = Objective(mlp.apply, losses.squared_error)
fitted = training.fit_ensemble(
    objective, optimisers.adam(5e-3), params, data, rows=rows, epochs=200, batch_size=10, key=keys, progress=False
)
by_seed = jax.tree.map(lambda leaf: leaf.reshape(SEEDS, MEMBERS, *leaf.shape[1:]), fitted.params)
outputs = np.asarray(jax.vmap(jax.vmap(mlp.apply, (0, None)))(by_seed, x), float)[..., 0]  # (seed, member, row)

# What the mean gains is exactly how far the members are spread: (p̄ - y)² = mean (pₘ - y)² - mean (pₘ - p̄)².
p = np.stack([ensemble.mean(each) for each in outputs])
spread = np.stack([ensemble.spread(each) for each in outputs])
np.testing.assert_allclose((p - y) ** 2, np.mean((outputs - y[:, None]) ** 2, axis=1) - spread**2, atol=1e-9)

error = lambda p, y: np.mean((p - y) ** 2, axis=-1)
single, together = error(outputs[..., ROWS:], y[:, None, ROWS:]).mean(axis=1), error(p[:, ROWS:], y[:, ROWS:])

# Every example is new to the members whose samples left it out: their mean there estimates the error without new ones.
out = ~(drawn[..., None] == np.arange(ROWS)).any(axis=2)  # (seed, member, row)
assert abs(out.mean() - (1 - 1 / ROWS) ** ROWS) < 0.02
left_out = (outputs[..., :ROWS] * out).sum(axis=1) / out.sum(axis=1)
estimate, seen = error(left_out, y[:, :ROWS]), error(p[:, :ROWS], y[:, :ROWS])
print("mean square error, seed by seed:")
for name, values in {
    "one network": single, f"the mean of {MEMBERS}": together, "its out-of-bag estimate": estimate,
    "on its own examples": seen,
}.items():  # fmt: skip
    print(f"  {name:24s}", *(f"{value:6.3f}" for value in values), f"  mean {values.mean():.3f}")
print(f"  the noise alone          {NOISE**2:6.3f}")
# In 32 such seeds the mean's error was 0.64 to 0.90 of a single network's.
assert (together < 0.95 * single).all(), "the mean errs less than its members do on average, on new examples"
assert abs(estimate.mean() / together.mean() - 1) < 0.25, "as the out-of-bag estimate says"
assert seen.mean() < 0.75 * together.mean(), "and the error on the training examples does not"

if WANTED:
    figure, (left, right) = panels("Networks and their mean", "More networks, less error")
    order = np.argsort(x[0, :, 0])
    for each in outputs[0]:
        left.plot(x[0, order, 0], each[order], color=BLUE, alpha=0.25, linewidth=1)
    left.plot(x[0, order, 0], p[0, order], color=ORANGE, linewidth=style.LINE, label=f"mean of {MEMBERS}")
    left.plot(x[0, order, 0], truth(x[0, order, 0]), color=THEME.ink, linestyle="--", linewidth=2, label="truth")
    left.scatter(x[0, :ROWS, 0], y[0, :ROWS], s=24, color=THEME.muted, label=f"{ROWS} examples")
    label(left, "x", "y")
    several = np.arange(1, MEMBERS + 1)
    grown = np.cumsum(outputs[..., ROWS:], axis=1) / several[:, None]
    curve = error(grown, y[:, None, ROWS:]).mean(axis=0)
    right.plot(several, curve, color=ORANGE, linewidth=style.LINE, marker="o", label="mean of the first m networks")
    right.axhline(estimate.mean(), color=GREEN, linewidth=2, label=f"out-of-bag estimate for {MEMBERS}")
    right.axhline(NOISE**2, color=THEME.ink, linestyle="--", linewidth=2, label="noise of the examples")
    right.set_ylim(0.9 * NOISE**2, None)
    label(right, "networks m", f"mean square error, {SEEDS} seeds")
    for panel in (left, right):
        legend(panel)
    write(figure)
