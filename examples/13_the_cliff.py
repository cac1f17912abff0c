"""The cliff: where many equal layers multiply, one gradient step undoes all progress. Clipping limits the damage.

Course: page 43 (exploding gradients, the cliff); the surface is that of Pascanu, Mikolov and Bengio (2013), figure 6.
python examples/13_the_cliff.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import INK, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import optimisers, training
from jaxnn.plots import style


def loss(theta: jax.Array, batch: None = None) -> jax.Array:
    """(σ(z₅₀) - 0.7)² of zₖ = w σ(zₖ₋₁) + b from z₀ = ½: fifty layers of one unit that share w and b."""
    w, b = theta
    z, _ = jax.lax.scan(lambda z, _: (w * jax.nn.sigmoid(z) + b, None), jnp.float32(0.5), length=50)
    return (jax.nn.sigmoid(z) - 0.7) ** 2


def descend(optimiser: optimisers.Optimiser) -> tuple[np.ndarray, ...]:
    """From every start at once: paths (starts, steps, 2), and J and the gradient's norm along them (starts, steps)."""
    take = training.step(loss, optimiser)

    def body(state: training.TrainState, _: None) -> tuple[training.TrainState, tuple[jax.Array, ...]]:
        after, info = take(state, None)
        return after, (state.params, info.loss, info.gradient_norm)

    path = lambda start: jax.lax.scan(body, training.init(optimiser, start), length=400)[1]
    return tuple(np.asarray(each) for each in jax.jit(jax.vmap(path))(starts))


grid = np.meshgrid(np.linspace(5, 6, 6), np.linspace(-3.4, -2.4, 6))
starts = jnp.asarray(np.stack(grid, axis=-1).reshape(-1, 2), jnp.float32)  # on both sides of the cliff's edge
rules = {
    "Gradient descent": optimisers.sgd(0.3),
    "Clipped to 0.2": optimisers.chain(optimisers.clip_by_global_norm(0.2), optimisers.sgd(0.3)),
}
runs = {name: descend(rule) for name, rule in rules.items()}
arrived = {name: value[:, -1] < 0.02 for name, (_, value, _) in runs.items()}

print("                  arrived  largest gradient  longest step  farthest end")
for name, (path, _, norm) in runs.items():
    step = np.linalg.norm(np.diff(path, axis=1), axis=-1).max()
    away = np.linalg.norm(path[:, -1] - np.asarray(starts), axis=-1).max()
    print(f"{name:17} {arrived[name].sum():2} of 36  {norm.max():16.0f}  {step:12.2f}  {away:12.1f}")

# Before the cliff gradients are below 1. At it they are hundreds, and they point away from it, not to the minimum:
# the direction is right for a step as short as the cliff is wide, and that is what clipping makes of it.
path, value, norm = runs["Gradient descent"]
thrown = ~arrived["Gradient descent"]
assert np.median(norm) < 1 < 100 < norm.max()
assert 8 <= thrown.sum() <= 28
assert (value[thrown].min(axis=1) < value[thrown, -1]).all()  # they had been lower before
assert arrived["Clipped to 0.2"].all()
assert np.linalg.norm(np.diff(runs["Clipped to 0.2"][0], axis=1), axis=-1).max() < 0.3 * 0.2 * 1.01

if WANTED:
    figure, axes = panels(*(f"{name}: {n.sum()} of 36 arrive" for name, n in arrived.items()), sharey=True)
    w, b = np.meshgrid(np.linspace(3, 9, 400), np.linspace(-4, -1, 400))
    height = jax.jit(jax.vmap(loss))(jnp.asarray(np.stack([w.ravel(), b.ravel()], axis=-1), jnp.float32))
    shades = {"levels": 12, "cmap": style.diverging(THEME), "vmin": -0.7, "vmax": 0.7}  # half of it: from 0 upwards
    for panel, (name, (path, *_)) in zip(axes, runs.items(), strict=True):
        panel.contourf(w, b, np.asarray(height).reshape(w.shape), **shades)
        for points, good in zip(path[::5], arrived[name][::5], strict=True):
            panel.plot(*points.T, "-" if good else "--", color=INK if good else ORANGE, linewidth=2)
        panel.plot(*starts[::5].T, "o", color=INK, markersize=8)
        panel.set(xlim=(3, 9), ylim=(-4, -1))
        panel.text(7.2, -2.8, "J ≈ 0.09", color=THEME.ink, fontsize=16)
        label(panel, "weight w")
    label(axes[0], "weight w", "bias b")
    axes[0].text(5.9, -1.25, "thrown far away", color=ORANGE, fontsize=16)
    axes[1].text(3.2, -3.7, "J ≈ 0.45", color=THEME.ink, fontsize=16)
    axes[1].text(4.3, -1.8, "J ≈ 0 along the foot of the cliff", color=THEME.ink, fontsize=16)
    write(figure)
