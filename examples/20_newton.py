"""Newton's method: one step solves a quadratic, correct digits double near a minimum, saddles need care; pages 69-70.

python examples/20_newton.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import curvature, optimisers, training, verify
from jaxnn.plots import style

jax.config.update("jax_enable_x64", True)


def path(optimiser: optimisers.Optimiser, f: object, start: jax.Array, steps: int) -> np.ndarray:
    """Every θ from the start on, (steps + 1, n)."""
    state = training.init(optimiser, start)
    take = training.step(f, optimiser)
    run = jax.jit(lambda state: jax.lax.scan(lambda s, _: (take(s, None)[0], s.params), state, None, steps + 1)[1])
    return np.asarray(run(state))


# 1. A quadratic is its own second-order model: θ* = θ₀ - H⁻¹ ∇J is its minimum, from anywhere.
a, centre = jnp.array([[100.0, 9.0], [9.0, 1.0]]), jnp.array([3.0, -2.0])
pure = optimisers.newton(method="pure")
_, reached = path(pure, lambda theta, _: 0.5 * (theta - centre) @ a @ (theta - centre), jnp.array([-40.0, 70.0]), 1)
print(f"quadratic, condition number {np.linalg.cond(a):.0f}: one step from (-40, 70) to {reached.round(12)}")
np.testing.assert_allclose(reached, centre, atol=1e-9)

# 2. J = e^θ - 2θ is convex and no quadratic, its minimum at log 2. A step about squares the error: digits double.
convex = lambda theta, _: (jnp.exp(theta) - 2 * theta)[0]
rules = {"Newton": pure, "gradient descent": optimisers.sgd(0.3)}
errors = {name: np.abs(path(rule, convex, jnp.array([1.5]), 6)[:, 0] - np.log(2.0)) for name, rule in rules.items()}
digits = {name: -np.log10(np.maximum(error, 1e-16)) for name, error in errors.items()}
for name, row in digits.items():
    print(f"right digits at each step of {name:18s}" + "".join(f"{d:6.1f}" for d in row))
newton = digits["Newton"]
assert (newton[2:6] > 1.9 * newton[1:5]).all(), "the number of right digits doubles"
assert newton[-1] > 15, "up to all that float64 has"
assert (np.diff(digits["gradient descent"])[1:] < 0.6).all(), "where gradient descent adds a part of a digit each step"

# 3. J(x, y) = x² + ¼ y⁴ - ½ y² has minima at (0, ±1) and between them a saddle, around which H is indefinite.
hills = lambda p, _: p[0] ** 2 + 0.25 * p[1] ** 4 - 0.5 * p[1] ** 2
start = jnp.array([0.9, 0.35])
methods = {
    "pure Newton": pure,
    "saddle-free Newton": optimisers.saddle_free_newton(),
    "trust region": optimisers.newton(method="trust_region", radius=0.5, scale="identity"),
}
paths = {name: path(method, hills, start, 12) for name, method in methods.items()}
verdicts = {name: verify.certify(hills, jnp.asarray(points[-1]), None).verdict for name, points in paths.items()}
for name, points in paths.items():
    print(f"{name:18s} from (0.9, 0.35) to ({points[-1, 0]:.6f}, {points[-1, 1]:.6f}): {verdicts[name]}")
assert list(verdicts.values()) == ["saddle", "minimum", "minimum"]

if WANTED:
    figure, (left, right) = panels("Newton doubles the correct digits", "Pure Newton ends at the saddle")
    for (name, row), colour, marker, place in zip(
        digits.items(), (BLUE, ORANGE), "os", ((4.0, 9), (6, 1.5)), strict=True
    ):
        left.plot(row, color=colour, marker=marker, markersize=10, linewidth=style.LINE)
        left.text(*place, name, ha="right", color=colour, fontsize=style.TEXT, fontweight="bold")
    label(left, "step", r"correct digits of the minimum of $e^θ - 2θ$")
    ground = curvature.plane(lambda p: hills(p, None), jnp.zeros(2), jnp.array([1.0, 0]), jnp.array([0, 1.0]), 1.6, 161)
    right.contour(ground.xs, ground.ys, ground.values, levels=np.linspace(-0.2, 1.6, 10), colors=THEME.muted, alpha=0.5)
    names_at = ((0.4, -0.05), (-0.56, 0.52), (0.4, 1.1))
    for (name, points), colour, marker, place in zip(
        paths.items(), (ORANGE, GREEN, BLUE), "osD", names_at, strict=True
    ):
        right.plot(*points.T, color=colour, marker=marker, markersize=9, linewidth=style.LINE)
        right.text(*place, name, color=colour, fontsize=style.TEXT, fontweight="bold")
    for words, place in {"saddle ": (0, 0), "minimum ": (0, 1), "minimum": (0.15, -1), "start ": (1.12, 0.22)}.items():
        right.text(*place, words, ha="right", va="center", color=THEME.ink, fontsize=style.TEXT)
    right.set(xlim=(-0.6, 1.3), ylim=(-1.6, 1.6))
    right.grid(False)
    label(right, "x", "y")
    write(figure)
