"""Exclusive or: what no linear model can do, one hidden layer does, and one sees how.

python examples/01_xor.py [PICTURE.png]
"""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import Objective, losses, mlp, optimisers, plots, training

x = jnp.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = jnp.array([[0.0], [1], [1], [0]])
predict = partial(mlp.apply, activation=jnp.tanh)


def train(sizes: tuple[int, ...]) -> training.Fit:
    """Full-batch Adam from one seed."""
    objective = Objective(predict, losses.sigmoid_cross_entropy)
    params = mlp.init(jax.random.key(1), sizes)
    return training.fit(
        objective,
        optimisers.adam(0.05),
        params,
        (x, y),
        epochs=1000,
        batch_size=4,
        key=jax.random.key(0),
        progress=False,
    )


def probability(params: mlp.Params, points: jax.Array) -> np.ndarray:
    """Of the answer being 1, (n,)."""
    return np.asarray(jax.nn.sigmoid(predict(params, points))).ravel()


linear, network = train((2, 1)), train((2, 4, 1))
print("linear model       ", probability(linear.params, x).round(2), " loss", round(float(linear.history.loss[-1]), 4))
print(
    "four hidden units  ", probability(network.params, x).round(2), " loss", round(float(network.history.loss[-1]), 4)
)

# The hidden layer moves the four corners to where a line can part them: that is what it has learnt.
_, kept = mlp.forward(network.params, x, activation=jnp.tanh)
(representation,) = kept.hidden
w, b = network.params[-1]
print("representation", np.asarray(representation).round(1), sep="\n")
print("sides of the line  ", np.sign(np.asarray(representation @ w + b)).ravel().tolist())

# No linear model beats chance: the best it can do is ½ everywhere, with loss log 2.
np.testing.assert_allclose(probability(linear.params, x), 0.5, atol=1e-3)
np.testing.assert_allclose(linear.history.loss[-1], np.log(2), rtol=1e-5)
assert (np.round(probability(network.params, x)) == [0, 1, 1, 0]).all()
assert network.history.loss[-1] < 0.01

if len(sys.argv) > 1:

    def scores(points: np.ndarray) -> np.ndarray:
        """One column per class, (n, 2)."""
        p = probability(network.params, jnp.asarray(points))
        return np.column_stack([1 - p, p])

    figure = plots.decision_boundary(scores, np.asarray(x), np.asarray(y, int).ravel())
    print("wrote", plots.save(figure, sys.argv[1]))
