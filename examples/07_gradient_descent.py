"""The learning rate of gradient descent: too small, good, oscillating, diverging (pages 26-29).

python examples/07_gradient_descent.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import optimisers, training
from jaxnn.plots import style

# f(x) = x² has curvature L = 2 everywhere, and each step multiplies x by 1 - L η:
#   η < 1/L   it creeps towards 0 from one side            η = 1/L   it is there at once
#   η < 2/L   it leaps to the other side, but lands nearer  η > 2/L   it lands farther off
L, START, STEPS = 2.0, -1.0, 20
CASES = {"too small": 0.02, "right": 0.3, "oscillating": 0.95, "diverging": 1.03}


def f(x: jax.Array, batch: tuple[()]) -> jax.Array:
    """The bowl; there are no data."""
    return x**2


@jax.jit
@jax.vmap
def paths(learning_rate: jax.Array) -> jax.Array:
    """The x before every step, (steps + 1,), of each learning rate."""
    take = training.step(f, optimisers.sgd(learning_rate))

    def body(state: training.TrainState, _: None) -> tuple[training.TrainState, jax.Array]:
        return take(state, ())[0], state.params

    last, path = jax.lax.scan(body, training.init(optimisers.sgd(learning_rate), jnp.float32(START)), length=STEPS)
    return jnp.append(path, last.params)


rates = jnp.array([*CASES.values()])
found = np.asarray(paths(rates))
factors = 1 - L * np.asarray(rates)
print("learning rate     factor   x after 1, 2, 3 and 20 steps")
for (name, rate), factor, path in zip(CASES.items(), factors, found, strict=True):
    print(f"{rate:<5} {name:12}{factor:6.2f}", *(f"{x:9.3g}" for x in path[[1, 2, 3, STEPS]]))

# The edge is where theory says: of many rates those below 2/L come nearer, and those above go away.
many = jnp.linspace(0.02, 1.2, 60)
ends = np.abs(np.asarray(paths(many))[:, -1])
edge = float(many[np.argmax(ends > abs(START))])
print(f"the smallest of {many.size} rates that goes away: {edge:.2f}; 2/L = {2 / L:.2f}")

np.testing.assert_allclose(found, START * factors[:, None] ** np.arange(STEPS + 1), rtol=1e-4)
small, right, leaping, diverging = found
assert abs(small[-1]) > 0.4
assert abs(right[-1]) < 1e-6
assert (np.diff(np.sign(leaping)) != 0).all()  # from side to side, and nearer
assert abs(leaping[-1]) < 0.2
assert abs(diverging[-1]) > 3
assert 2 / L < edge < 2 / L + 0.03

if WANTED:
    figure, axes = panels(*(f"η = {rate}: {name}" for name, rate in CASES.items()), rows=2, sharex=True, sharey=True)
    line = np.linspace(-1.9, 1.9, 200)
    colours = (ORANGE, BLUE, ORANGE, ORANGE)
    for each, path, colour in zip(axes, found, colours, strict=True):
        seen = path[np.abs(path) <= 1.9]
        each.plot(line, line**2, color=THEME.muted, linewidth=2)
        each.plot(seen, seen**2, "-o", color=colour, linewidth=2, markersize=8)
        each.plot(START, START**2, "o", color=THEME.ink, markersize=12)
        end = np.format_float_positional(abs(path[-1]), precision=1, fractional=False, trim="-")
        each.text(0, 4.2, f"after {STEPS} steps |x| = {end}", color=THEME.ink, ha="center", fontsize=style.TEXT)
        each.set_ylim(-0.3, 4.9)
        label(each, "x" if each in axes[2:] else "", "f(x) = x²" if each in axes[::2] else "")
    write(figure)
