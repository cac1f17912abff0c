"""What AdaGrad, RMSProp and Adam remember, what bias correction is for, and which maximum AMSGrad takes.

Course: pages 48 to 53, with errata 2 (page 52) and 3 (page 53).
python examples/11_adaptive_rates.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, WANTED, label, panels, write

from jaxnn.optimisers import adagrad, amsgrad, preset, rmsprop

MAXIMA = {name: amsgrad(1e-3, maximum=name) for name in ("paper", "raw", "corrected")}  # "raw" is PyTorch's
RULES = {"AdaGrad": adagrad(1e-3), "RMSProp": rmsprop(1e-3), "Adam": preset("goodfellow.adam", 1e-3)} | MAXIMA


@jax.jit
def lengths(gradients: jax.Array) -> dict[str, jax.Array]:
    """|Δθ| / η of every rule at every step, whatever the parameter: (steps,)."""

    def step(states: dict, g: jax.Array) -> tuple[dict, dict]:
        after = {name: rule.update(g, states[name]) for name, rule in RULES.items()}
        lengths = {name: jnp.abs(update) / 1e-3 for name, (update, _) in after.items()}
        return {name: state for name, (_, state) in after.items()}, lengths

    return jax.lax.scan(step, {name: rule.init(jnp.zeros(())) for name, rule in RULES.items()}, gradients)[1]


t = np.arange(1, 4001)
shrinking = np.where(t <= 1000, 1.0, 0.01)  # the gradients are 1 for a thousand steps, and then a hundredth
rate = {name: length / shrinking for name, length in lengths(shrinking).items()}  # Δθ / (η g): by what g is multiplied
constant, once = lengths(np.ones(4000)), lengths(np.where(t == 1, 1.0, 0.1))

# 1. AdaGrad's rate is 1 / √Σ g²: it never rises. RMSProp measures gradients over ten steps, Adam over a thousand.
print("effective rate / η at step     1    1,000    1,100    4,000")
for name in ("AdaGrad", "RMSProp", "Adam"):
    print(f"{name:20}", *(f"{rate[name][k - 1]:10.3f}" for k in (1, 1000, 1100, 4000)))
np.testing.assert_allclose(rate["AdaGrad"], np.cumsum(shrinking**2) ** -0.5, rtol=1e-3)
assert rate["Adam"][1099] < 2 < 4 < rate["Adam"][-1] < 20 < 80 < rate["RMSProp"][1099]

# 2. Erratum 2: to the letter, page 52 divides the uncorrected moments, as AMSGrad's paper does. While gradients are
# alike, that makes the step (1 - ρ₁ᵗ) / √(1 - ρ₂ᵗ) times as long as the book's.
factor = np.asarray(constant["paper"] / constant["Adam"])
print("page 52 to the letter, times too long:", *(f"{factor[k - 1]:.2f} at step {k:,} " for k in (1, 12, 1000)))
np.testing.assert_allclose(factor, (1 - 0.9**t) / np.sqrt(1 - 0.999**t), rtol=1e-3)
np.testing.assert_allclose(factor[[0, 11, 999]], [3.16, 6.57, 1.26], atol=0.005)
assert factor.argmax() == 11

# 3. Erratum 3: after a first gradient of 1 all others are 0.1. Page 53's maximum is that 1 for good.
paper, raw, corrected = (np.asarray(once[name]) for name in MAXIMA)
print(f"AMSGrad's step / η in the end: page 53 {corrected[-1]:.2f}, PyTorch {raw[-1]:.2f}, paper {paper[-1]:.2f}")
np.testing.assert_allclose(corrected[100:], 0.1, rtol=1e-3)
np.testing.assert_allclose([raw[-1], paper[-1]], 1, atol=0.02)

if WANTED:
    figure, axes = panels(
        "RMSProp forgets in\nten steps", "No bias correction:\nlarge first steps", "AMSGrad after one\nlarge gradient"
    )
    for k, line, colour, dashes, x, y, words in (
        (0, rate["AdaGrad"], BLUE, "-", 1300, 0.04, "AdaGrad"),
        (0, rate["RMSProp"], GREEN, "--", 1300, 60, "RMSProp"),
        (0, rate["Adam"], ORANGE, "-.", 1300, 4, "Adam"),
        (1, constant["Adam"], BLUE, "-", 1.2, 0.6, "Adam, corrected"),
        (1, constant["RMSProp"], GREEN, "--", 6, 1.8, "RMSProp"),
        (1, constant["paper"], ORANGE, "-.", 30, 6.3, "Adam by page 52:\n6.57 at step 12"),
        (2, paper, BLUE, "-", 60, 2.95, "paper: √v"),
        (2, raw, GREEN, "--", 130, 0.5, "PyTorch:\n√v, corrected"),
        (2, corrected, ORANGE, "-.", 20, 0.2, "page 53: √v̂"),
    ):
        axes[k].plot(t, line, dashes, color=colour, linewidth=3)
        axes[k].text(x, y, words, color=colour, fontsize=16, va="center")
    axes[0].set(yscale="log", ylim=(0.02, 130))
    axes[1].set(xscale="log", ylim=(0, 7))
    axes[2].set(xscale="log", ylim=(0, 3.4))
    label(axes[0], "step: gradients 1, then 0.01", "step by gradient / learning rate")
    label(axes[1], "step: all gradients 1", "length of step / learning rate")
    label(axes[2], "step: gradients 1, then 0.1")
    write(figure)
