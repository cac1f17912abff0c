"""Six optimisers on six surfaces: no gradient rule wins everywhere, Newton is always fast (pages 44-53, 69, 70).

python examples/10_six_optimisers.py [PICTURE.png or FILM.gif] [dark]
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import map as each
from picture import BLUE, GREEN, INK, ORANGE, PINK, SKY, THEME, WANTED, film, label, legend, panels, write

from jaxnn import optimisers, training

SURFACES = {  # J, whose least value is 0; where to start; the window to draw
    "Bowl": (lambda x, y: (x**2 + y**2) / 2, (-3, 2), (-4, 3, -2, 3)),
    "Ravine": (lambda x, y: (x + y) ** 2 / 4 + 25 * (x - y) ** 2, (-3, -2), (-4, 1, -3.6, 1)),
    "Saddle": (lambda x, y: 10 * x**2 + (y**2 - 1) ** 2 / 4, (-0.5, 1e-3), (-0.8, 0.8, -0.4, 1.4)),
    "Bent valley": (lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, (-1.2, 1), (-1.8, 3.2, -1, 3.4)),  # Rosenbrock
    "Four minima": (lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, (0.1, 0.1), (-5, 5, -5, 5)),  # Himmelblau
    "Plateau": (lambda x, y: 1 - jnp.exp(-(x**2 + y**2) / 2), (-3.5, 2), (-4.5, 2, -1.2, 3)),
}
MINIMA = [(0, 0)], [(0, 0)], [(0, 1)], [(1, 1)], [(3, 2), (-2.805, 3.131), (-3.779, -3.283), (3.584, -1.848)], [(0, 0)]
RULES = {"sgd": INK, "momentum": BLUE, "adagrad": GREEN, "rmsprop": PINK, "adam": ORANGE, "newton": SKY}
STEPS, ks, (formulae, first, windows) = 500, np.arange(6), zip(*SURFACES.values(), strict=True)
surface = lambda theta, k: jax.lax.switch(k, [lambda theta, f=f: f(*theta) for f in formulae], theta)
starts = jnp.array(first)[:, None] * np.random.default_rng(1).normal(1, 0.1, (6, 9, 2))  # nine: no rate wins by luck


def run(optimiser: optimisers.Optimiser, k: jax.Array, start: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The path on surface k, (steps, 2), and J along it."""
    take, state = training.step(surface, optimiser), training.init(optimiser, start)
    path = jax.lax.scan(lambda state, _: (take(state, k)[0], state.params), state, length=STEPS + 1)[1]
    return path, jax.vmap(lambda theta: surface(theta, k))(path)


paths, counts, steps = {}, {}, {}
print("steps until J ≤ 0.001 for good", *SURFACES, sep="  ")
for name, tried in zip(RULES, [20] * 5 + [1], strict=True):  # rates; the best is soonest there, or else lowest at last
    rule = optimisers.get(name) if tried > 1 else lambda _: optimisers.newton(method="line_search")
    runs = lambda rate, rule=rule: each(lambda k: each(lambda start: run(rule(rate), k, start), starts[k]), ks)
    path, value = map(np.asarray, jax.jit(each, static_argnums=0)(runs, np.geomspace(1e-3, 2, tried)))
    arrival = STEPS + 1 - np.cumprod(value[..., ::-1] <= 1e-3, axis=-1).sum(axis=-1)  # (rates, surfaces, starts)
    best = (arrival.mean(axis=-1) + np.tanh(np.nan_to_num(value[..., -1].mean(axis=-1), nan=9))).argmin(axis=0)
    paths[name], counts[name], steps[name] = path[best, ks], arrival[best, ks], arrival[best, ks].mean(axis=1).round()
    print(f"{name:23}", *(f"{n:11.0f}" if n < STEPS else "      never" for n in steps[name]))

gradient = np.array([steps[name] for name in RULES if name != "newton"])  # (rules, surfaces)
winner = [list(RULES)[best] for best in gradient.argmin(axis=0)]
assert len(set(winner)) >= 3
assert steps["newton"].max() <= 30 < gradient.max(axis=1).min()  # but each of its steps solves with a Hessian
assert steps["momentum"][1] < steps["sgd"][1] / 2  # the ravine

if WANTED:
    figure, axes, lines = *panels(*SURFACES, rows=2), []
    figure.suptitle(
        "Steps from ● to a minimum ★: the fastest rule depends on the surface", color=THEME.ink, fontsize=22
    )
    every = np.array([*counts.values()])  # (optimisers, surfaces, starts)
    shown = np.abs(np.log(every / every.mean(axis=-1, keepdims=True))).sum(axis=0).argmin(axis=1)  # the most typical
    for panel, k, f, (left, right, low, high) in zip(axes, ks, formulae, windows, strict=True):
        x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        panel.contour(x, y, f(x, y), np.quantile(f(x, y), np.linspace(0.01, 0.95, 9)), colors=THEME.muted, alpha=0.5)
        panel.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        for (name, colour), dashes in zip(RULES.items(), ("-", "--", "-.", ":", "-", "--"), strict=True):
            lines += panel.plot(*paths[name][k, shown[k]].T, dashes, color=colour, linewidth=2.5, label=name)
        panel.plot(*starts[k].T, "o", color=THEME.ink, markersize=4, fillstyle="none")
        panel.plot(*starts[k, shown[k]], "o", color=THEME.ink, markersize=9)
        panel.plot(*zip(*MINIMA[k], strict=True), "*", color=THEME.ink, markersize=16, zorder=3)
        fastest, newton = f"{winner[k]}, {min(gradient[:, k]):g} steps", steps["newton"][k]
        label(panel, f"fastest gradient rule:\n{fastest} (Newton: {newton:g})")
    how = "Steps until J stays below 0.001, at the best of 20 learning rates. Newton needs none: it searches a line."
    how += f"\nNumbers are means over nine starts ○, with {STEPS + 1} for a run that never arrives. Paths start at ●."
    legend(figure, handles=lines[:6], loc="outside lower center", ncols=6, title=how)
    film(figure, lines) if sys.argv[1].endswith(".gif") else write(figure)
