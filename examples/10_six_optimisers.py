"""Six optimisers on six surfaces: no gradient rule wins everywhere, Newton is always fast (pages 44-53, 69, 70).

python examples/10_six_optimisers.py [PICTURE.png or FILM.gif] [dark]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import map as each
from picture import BLUE, GREEN, INK, ORANGE, PINK, SKY, THEME, WANTED, label, legend, panels, write

from jaxnn import optimisers, training

SURFACES = {  # J, whose least value is 0; where to start; the window to draw
    "Bowl": (lambda x, y: (x**2 + y**2) / 2, (-3, 2), (-4, 3, -2, 3)),
    "Ravine": (lambda x, y: (x + y) ** 2 / 4 + 25 * (x - y) ** 2, (-3, -2), (-4, 1, -3.2, 1)),
    "Saddle": (lambda x, y: 10 * x**2 + (y**2 - 1) ** 2 / 4, (-0.5, 1e-3), (-0.8, 0.8, -0.4, 1.4)),
    "Bent valley": (lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-1.2, 1), (-1.7, 1.7, -0.8, 2)),  # Rosenbrock
    "Four minima": (lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, (0.1, 0.1), (-5, 5, -5, 5)),  # Himmelblau
    "Plateau": (lambda x, y: 1 - jnp.exp(-(x**2 + y**2) / 2), (-3.5, 2), (-4.5, 1.5, -1, 3)),
}
RULES = {"sgd": INK, "momentum": BLUE, "adagrad": GREEN, "rmsprop": PINK, "adam": ORANGE, "newton": SKY}
STEPS, ks, (formulae, first, windows) = 500, np.arange(6), zip(*SURFACES.values(), strict=True)
surface = lambda theta, k: jax.lax.switch(k, [lambda theta, f=f: f(*theta) for f in formulae], theta)
starts = jnp.array(first)[:, None] * np.random.default_rng(1).normal(1, 0.1, (6, 9, 2))  # nine: no rate wins by luck


def run(optimiser: optimisers.Optimiser, k: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The path on surface k, (steps, 2), and J along it."""
    take, state = training.step(surface, optimiser), training.init(optimiser, start)
    path = jax.lax.scan(lambda state, _: (take(state, k)[0], state.params), state, length=STEPS + 1)[1]
    return path, jax.vmap(lambda theta: surface(theta, k))(path)


paths, steps = {}, {}
print("steps until J ≤ 0.001 for good", *SURFACES, sep="  ")
for name, tried in zip(RULES, [20] * 5 + [1], strict=True):  # rates; the best is soonest there, or else lowest at last
    rule = optimisers.get(name) if tried > 1 else lambda _: optimisers.newton(method="line_search")
    runs = lambda rate, rule=rule: each(lambda k: each(lambda start: run(rule(rate), k, start), starts[k]), ks)
    path, value = map(np.asarray, jax.jit(each, static_argnums=0)(runs, np.geomspace(1e-3, 2, tried)))
    arrival = (STEPS + 1 - np.cumprod(value[..., ::-1] <= 1e-3, axis=-1).sum(axis=-1)).mean(axis=-1)
    best = (arrival + np.tanh(np.nan_to_num(value[..., -1].mean(axis=-1), nan=9))).argmin(axis=0)
    paths[name], steps[name] = path[best, ks, 0], arrival[best, ks].round()
    print(f"{name:23}", *(f"{n:11.0f}" if n < STEPS else "      never" for n in steps[name]))

gradient = np.array([steps[name] for name in RULES if name != "newton"])  # (rules, surfaces)
winner = [list(RULES)[best] for best in gradient.argmin(axis=0)]
assert len(set(winner)) >= 3
assert steps["newton"].max() <= 30 < gradient.max(axis=1).min()  # but each of its steps solves with a Hessian
assert steps["momentum"][1] < steps["sgd"][1] / 2  # the ravine

if WANTED:
    figure, axes, lines = *panels(*SURFACES, rows=2), []
    figure.suptitle("Steps to reach J ≤ 0.001, each optimiser at its best learning rate", color=THEME.ink, fontsize=22)
    for panel, k, f, (left, right, low, high) in zip(axes, ks, formulae, windows, strict=True):
        x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        panel.contour(x, y, f(x, y), np.quantile(f(x, y), np.linspace(0.01, 0.95, 9)), colors=THEME.muted, alpha=0.5)
        panel.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        for (name, colour), dashes in zip(RULES.items(), ("-", "--", "-.", ":", "-", "--"), strict=True):
            lines += panel.plot(*paths[name][k].T, dashes, color=colour, linewidth=2.5, label=name)
        panel.plot(*starts[k, 0], "o", color=THEME.ink, markersize=9)
        label(panel, f"best gradient rule:\n{winner[k]}, {min(gradient[:, k]):g} steps (Newton {steps['newton'][k]:g})")
    legend(figure, handles=lines[:6], loc="outside lower center", ncols=6)
    if sys.argv[1].endswith(".gif"):
        from PIL import Image  # comes with matplotlib; one palette for all frames keeps the film small

        whole, frames = [(line, line.get_xydata()) for line in lines], []
        for n in np.unique(np.geomspace(1, STEPS, 60).astype(int)):
            _ = [line.set_data(*points[: n + 1].T) for line, points in whole]
            figure.canvas.draw()
            figure.set_layout_engine("none")  # that of the first frame stays
            frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB"))
        frames = [each.quantize(palette=last, dither=0) for last in [frames[-1].quantize(96)] for each in frames]
        frames[0].save(sys.argv[1], save_all=True, append_images=frames[1:], duration=160, loop=0)
        print("wrote", sys.argv[1])
    else:
        write(figure)
