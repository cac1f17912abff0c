"""Questions on stroke risk: which optimiser, which rate, which regulariser? Answers by measurement; pages 58-59.

python examples/19_stroke_risk.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, WANTED, label, legend, panels, write

from jaxnn import Objective, Optimiser, data, losses, mlp, optimisers, schedules, training

SIZES, STEPS, SEEDS, SEEN = (6, 9, 9, 9, 4, 1), 800, 16, 300  # page 58's 9-4-1, made deeper
patients = data.load("stroke_risk", n=SEEDS * SEEN + 5000)
x = jnp.asarray((patients.x - patients.x.mean(axis=0)) / patients.x.std(axis=0), jnp.float32)
y = jnp.asarray(patients.y[:, None], jnp.float32)
# Every seed has 300 patients of its own, and weights; of each step the rows: (seeds, steps, 30).
rows = SEEN * jnp.arange(SEEDS)[:, None, None] + jax.random.randint(jax.random.key(1), (SEEDS, STEPS, 30), 0, SEEN)
rules = {"SGD": (False, 0.1, 0.0), "momentum": (False, 0.1, 0.9), "Adam": (True, 0.01, 0.0)}  # adaptive, η, α
# Each way is the part of η that is left at the end, the weight decay λ, and whether hidden units are dropped.
ways = {"fixed rate": (1.0, 0.0, False), "schedule": (0.03, 0.0, False), "weight decay": (1.0, 0.01, False)}
ways |= {"dropout": (1.0, 0.0, True), "decay, dropout": (1.0, 0.01, True)}


def train(setting: tuple, params: mlp.Params, key: jax.Array, rows: jax.Array) -> tuple[jax.Array, mlp.Params]:
    """The loss at each step and the network: settings are numbers, so one program trains all of them."""
    adaptive, eta, alpha, left, decay, thinned = setting
    rate = schedules.exponential_decay(eta, rate=left, steps=STEPS)
    adam = optimisers.adam(rate, weight_decay=decay)
    momentum = optimisers.momentum(rate, momentum=alpha, weight_decay=decay)  # α = 0 is SGD

    def update(grads: tuple, state: tuple, params: mlp.Params) -> tuple:
        (a, first), (m, second) = adam.update(grads, state[0], params), momentum.update(grads, state[1], params)
        return jax.tree.map(lambda a, m: jnp.where(adaptive, a, m), a, m), (first, second)

    thin = lambda params, x, key: mlp.apply(params, x, dropout=0.1, key=key)
    predict = lambda params, x, key: jnp.where(thinned, thin(params, x, key), mlp.apply(params, x))
    chosen = Optimiser(lambda params: (adam.init(params), momentum.init(params)), update)
    state, infos = training.run(Objective(predict, losses.sigmoid_cross_entropy), chosen, params, (x, y), rows, key=key)
    return infos.loss, state.params


columns = map(jnp.array, zip(*[(*rule, *way) for rule in rules.values() for way in ways.values()], strict=True))
keys = jax.random.split(jax.random.key(0, impl="unsafe_rbg"), SEEDS)  # a generator that compiles faster
start = jax.vmap(lambda key: mlp.init(key, SIZES))(keys)
loss, params = jax.jit(jax.vmap(jax.vmap(train, (None, 0, 0, 0)), (0, *[None] * 3)))(tuple(columns), start, keys, rows)
judge = lambda params: jnp.mean(losses.sigmoid_cross_entropy(mlp.apply(params, x[SEEDS * SEEN :]), y[SEEDS * SEEN :]))
fresh = np.asarray(jax.vmap(jax.vmap(judge))(params)).reshape(len(rules), len(ways), SEEDS)
mean, spread, names = fresh.mean(axis=-1), fresh.std(axis=-1), list(rules)
print(f"loss on 5,000 fresh patients, mean ± spread over {SEEDS} seeds, after {STEPS} steps with {SEEN} patients each")
print(f"{'':9s}" + "".join(f"{way:>16s}" for way in ways))
for k, name in enumerate(names):
    print(f"{name:9s}" + "".join(f"   {m:.3f} ± {e:.3f}" for m, e in zip(mean[k], spread[k], strict=True)))
smooth = np.asarray(loss).reshape(*fresh.shape, -1, 20)[:, 0].mean(axis=(1, 3))  # at a fixed rate, by 20 steps
fastest, steadiest = names[smooth[:, 19].argmin()], names[spread[:, 0].argmin()]
print("training loss by step 400: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(names, smooth[:, 19], strict=True)))
print(f"Speed and stability? {fastest} fits fastest; {steadiest} differs least from seed to seed.")
print(f"Schedule with an adaptive rate? Yes: it takes Adam from {mean[2, 0]:.3f} to {mean[2, 1]:.3f}.")
print("Dropout, weight decay? Either helps every optimiser; both together do not differ much from decay alone.")
best, worst = mean[:, :2].min(), mean[:, 2].max()
print(f"Can an optimiser make up for them? No: the best without reaches {best:.3f}, the worst with decay {worst:.3f}.")
# Over 16 seeds; of 4,000 draws of 16 out of 80, fewer than 2 in 1,000 failed in anything.
assert (fastest, steadiest) == ("Adam", "SGD")
assert mean[2, 1] < 0.8 * mean[2, 0]
assert (mean[:, 2:4] < mean[:, :1]).all()
assert (np.abs(mean[:, 4] / mean[:, 2] - 1) < 0.07).all()
assert best > worst

if WANTED:
    figure, (left, right) = panels("Regularisation matters, not the rule", "Adam fits fastest", width_ratios=(1.5, 1))
    for k, (colour, marker, dash) in enumerate(((BLUE, "o", ":"), (ORANGE, "s", "--"), (GREEN, "D", "-"))):
        at = np.arange(len(ways)) + 0.15 * (k - 1)
        left.errorbar(at, mean[k], spread[k], fmt=marker, color=colour, markersize=11, linewidth=3, label=names[k])
        right.plot(np.arange(0, STEPS, 20), smooth[k], dash, color=colour, linewidth=3)
    left.set_xticks(range(len(ways)), [way.replace(" ", "\n") for way in ways])
    label(left, "", "loss on new patients")
    label(right, "step at a fixed learning rate", "training loss")
    legend(left)
    write(figure)
