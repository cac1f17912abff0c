"""Exclusive or: no linear model can learn it, one hidden layer can, and the picture shows how (pages 8, 14-19).

python examples/04_xor.py [PICTURE.png] [dark]
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, ORANGE, THEME, WANTED, label, panels, write

from jaxnn import Objective, losses, mlp, optimisers, training
from jaxnn.plots import style

x = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = jnp.array([[0.0], [1], [1], [0]])
predict = partial(mlp.apply, activation=jnp.tanh)
objective = Objective(predict, losses.sigmoid_cross_entropy)


@partial(jax.jit, static_argnums=1)
@partial(jax.vmap, in_axes=(0, None))
def trained(key: jax.Array, sizes: tuple[int, ...]) -> tuple[mlp.Params, jax.Array, jax.Array]:
    """The parameters after 1,000 steps of Adam with all four rows, their loss, and the probabilities of a 1."""
    rows = jnp.tile(jnp.arange(4), (1000, 1))
    start = mlp.init(key, sizes)
    params = training.run(objective, optimisers.adam(0.05), start, (x, y), rows)[0].params
    return params, objective(params, (x, y)), jax.nn.sigmoid(predict(params, x))[:, 0]


# Two hidden units are just enough: which starts lead to weights that part the corners is a matter of luck.
starts = jax.random.split(jax.random.key(1), 64)
_, linear_losses, linear = trained(starts, (2, 1))
networks, network_losses, networks_answers = trained(starts, (2, 2, 1))
solved = (np.round(networks_answers) == y[:, 0]).all(axis=1)
best = network_losses.argmin()
network, network_loss, answers = jax.tree.map(lambda each: each[best], (networks, network_losses, networks_answers))
rows = (f"{a:.0f} {b:.0f} → {c:.0f}" for (a, b), (c,) in zip(x, y, strict=True))
print("the four rows    ", *rows, "   loss", sep="   ")
print("linear model     ", *(f"{p:7.2f}" for p in linear[best]), f"{linear_losses[best]:7.4f}", sep="   ")
print("two hidden units ", *(f"{p:7.2f}" for p in answers), f"{network_loss:7.4f}", sep="   ")
print(f"learnt by two hidden units from {solved.sum()} of 64 starts; this is the best")

# The hidden layer moves the four corners to where a line can part them: that is what it has learnt.
representation = np.asarray(mlp.forward(network, x, activation=jnp.tanh)[1].hidden[0])
w, b = network[-1]
sides = np.sign(representation @ np.asarray(w) + np.asarray(b))[:, 0]
print("representation   ", *(f"{h1:.1f} {h2:.1f}" for h1, h2 in representation), sep="   ")
print("side of the line ", *(f"{side:7.0f}" for side in sides), sep="   ")

# No linear model beats chance: the best it can do is ½ everywhere, with loss log 2, wherever it starts.
np.testing.assert_allclose(linear, 0.5, atol=0.01)
np.testing.assert_allclose(linear_losses, np.log(2), rtol=1e-4)
assert 10 < solved.sum() < 54  # 46 % of 1,280 starts; of 20 times 64, between 22 and 39
assert (np.round(answers) == y[:, 0]).all()
assert network_loss < 0.02
assert (sides == 2 * y[:, 0] - 1).all()

if WANTED:
    figure, axes = panels("Inputs: no line separates", "Hidden units: one line does")
    fine, wide = np.linspace(-0.4, 1.4, 200), np.linspace(-1.3, 1.3, 200)
    for each, points, ends in ((axes[0], np.asarray(x), fine), (axes[1], representation, wide)):
        each.grid(False)
        first, second = np.meshgrid(ends, ends)
        grid = jnp.asarray(np.stack([first, second], axis=-1), float)
        score = np.asarray(predict(network, grid) if each is axes[0] else mlp.affine(network[-1], grid))[..., 0]
        each.contourf(first, second, score > 0, levels=[-0.5, 0.5, 1.5], colors=(BLUE, ORANGE), alpha=0.22)
        each.contour(first, second, score, levels=[0], colors=THEME.ink, linewidths=style.LINE)
        for at, target in zip(points, np.asarray(y[:, 0]), strict=True):
            each.plot(*at, "D" if target else "o", color=ORANGE if target else BLUE, markersize=18)
    for at, corner, above in zip(representation, x, (0.13, 0.13, -0.13, -0.13), strict=True):  # two may be at one place
        words = "({:.0f}, {:.0f})".format(*corner)
        axes[1].text(at[0], at[1] + above, words, color=THEME.ink, fontsize=style.TEXT, ha="center", va="center")
    axes[0].set(xticks=[0, 1], yticks=[0, 1])
    axes[1].set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    label(axes[0], "input x₁", "input x₂")
    label(axes[1], "hidden unit h₁", "hidden unit h₂")
    write(figure)
