"""A network whose output has the input's shape: an autoencoder squeezes digits through a few numbers; page 61.

python examples/18_autoencoder.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import THEME, WANTED, label, panels, write

from jaxnn import Objective, data, losses, mlp, optimisers, schedules, training
from jaxnn.plots import style

SIZES, STEPS = (2, 4), 1500
digits = data.load("digits")
rows = data.split(len(digits.y), validation=0.25, seed=0, stratify=digits.y)
pixels = jnp.asarray(digits.x / 16, jnp.float32)
seen, fresh = pixels[rows.train], pixels[rows.validation]
draw, order = jax.random.split(jax.random.key(0))
batches = jax.random.randint(order, (STEPS, 32), 0, len(seen))
params = mlp.init(draw, (64, 64, SIZES[-1], 64, 64))


def activations(size: int) -> list:
    """Of 64 → 64 → code → 64 → 64: the code is linear, and all but the first `size` numbers of it are held at 0."""
    return [jax.nn.relu, lambda z: z * (jnp.arange(SIZES[-1]) < size), jax.nn.relu]


def train(size: int) -> mlp.Params:
    """The inputs are the targets: J is the mean of |x - output|²."""
    objective = Objective(lambda params, x: mlp.apply(params, x, activation=activations(size)), losses.squared_error)
    optimiser = optimisers.adam(schedules.cosine(4e-3, steps=STEPS))
    return training.run(objective, optimiser, params, (seen, seen), batches)[0].params


def outputs(params: mlp.Params, size: int) -> tuple[jax.Array, jax.Array]:
    """Fresh images as they come out, (n, 64), and their codes, (n, 4)."""
    rebuilt, kept = mlp.forward(params, fresh, activation=activations(size))
    return rebuilt, kept.hidden[1]


trained = jax.jit(lambda sizes: jax.lax.map(train, sizes))(jnp.array(SIZES))  # one program, one size after another
rebuilt, codes = jax.vmap(outputs)(trained, jnp.array(SIZES))

# Principal components are the best linear code: x ≈ mean + Σ (vᵢ · (x - mean)) vᵢ over the first rows of V.
mean = seen.mean(axis=0)
v = np.linalg.svd(seen - mean, full_matrices=False)[2]
linear = np.stack([mean + (fresh - mean) @ v[:size].T @ v[:size] for size in SIZES])

spread = float(jnp.mean(losses.squared_error(jnp.broadcast_to(mean, fresh.shape), fresh)))
lost = {
    "autoencoder": [float(jnp.mean(losses.squared_error(each, fresh))) / spread for each in rebuilt],
    "principal components": [float(jnp.mean(losses.squared_error(each, fresh))) / spread for each in linear],
}
print("share of the variance of fresh digits that is lost")
print("  numbers in the code   " + "".join(f"{k:8d}" for k in SIZES))
for name, shares in lost.items():
    print(f"  {name:22s}" + "".join(f"{100 * share:6.0f} %" for share in shares))
assert rebuilt.shape[1:] == fresh.shape, "the output has the input's shape"
# Over 20 seeds the autoencoder lost 0.77 to 0.90 times as much with two numbers, and 0.77 to 0.96 times with four.
assert all(a < p for a, p in zip(*lost.values(), strict=True)), "curved codes beat the best linear one"
assert (codes[0, :, 2:] == 0).all()

if WANTED:
    figure, (left, right) = panels("Each digit as two numbers", "Digits as reconstructed", width_ratios=(1, 1.1))
    answers = digits.y[rows.validation]
    for digit in range(10):
        left.scatter(*codes[0, answers == digit, :2].T, s=90, marker=f"${digit}$", color=THEME.series[digit % 7])
    left.locator_params(nbins=6)
    label(left, "first number of the code", "second number of the code")
    some = [int(np.flatnonzero(answers == digit)[0]) for digit in (0, 2, 3, 4, 6, 7)]
    shown = {"input": fresh, "2 numbers": rebuilt[0], "2 by PCA": linear[0]}
    shown |= {"4 numbers": rebuilt[-1], "4 by PCA": linear[-1]}
    tiles = [np.hstack([np.pad(np.reshape(each[i], (8, 8)), 1) for i in some]) for each in shown.values()]
    right.imshow(np.vstack(tiles), cmap=style.diverging(THEME), vmin=-1, vmax=1)
    right.set_xticks([])
    right.set_yticks(10 * np.arange(len(shown)) + 4.5, shown)
    right.grid(False)
    write(figure)
