"""The derivative as a limit: a shorter step is better, until rounding makes it worse (pages 32-33).

python examples/06_derivative_as_a_limit.py [PICTURE.png] [dark]
"""

import jax
import jax.numpy as jnp
import numpy as np
from picture import BLUE, GREEN, ORANGE, THEME, WANTED, label, legend, panels, write

from jaxnn.plots import style

jax.config.update("jax_enable_x64", True)

# Page 32: f(x) = x² has f'(x) = 2x, and (f(x + h) - f(x)) / h = 2x + h: what is left goes to 0 with h.
for h in (1.0, 0.1, 0.01, 0.001):
    print(f"f(x) = x², x = 3, h = {h:<6g} slope {((3 + h) ** 2 - 3**2) / h:.6f}")

# A curve that has all its derivatives: f(x) = sin x · eˣ, with the slope (sin x + cos x) eˣ.
X = 1.0
EXACT = (np.sin(X) + np.cos(X)) * np.exp(X)
FORMULAE = ("forward", "central", "complex step")


def f(x: jax.Array) -> jax.Array:
    """Anything smooth that also takes complex numbers."""
    return jnp.sin(x) * jnp.exp(x)


@jax.jit
def errors(steps: jax.Array) -> jax.Array:
    """Of each formula its relative error at each step h, all in the steps' precision, (3, steps)."""
    x, h = jnp.asarray(X, steps.dtype), steps
    forward = (f(x + h) - f(x)) / h  # off by ½ h f''
    central = (f(x + h) - f(x - h)) / (2 * h)  # off by ⅙ h² f''', since the even terms cancel
    complex_step = jnp.imag(f(x + 1j * h)) / h  # off by ⅙ h² f''' as well, but nothing is subtracted
    return jnp.abs(jnp.stack([forward, central, complex_step]).astype(float) - EXACT) / EXACT


# Powers of two, so x + h and h are exact as long as they fit.
spans = {"float32": 2.0 ** -np.arange(1, 24), "float64": 2.0 ** -np.arange(1, 52)}
found = {name: np.asarray(errors(jnp.asarray(steps, name))) for name, steps in spans.items()}
print("\nprecision  formula         best error   at h")
for name, steps in spans.items():
    for formula, error in zip(FORMULAE, found[name], strict=True):
        print(f"{name:10} {formula:14} {error.min():11.1e} {steps[error.argmin()]:9.1e}")


def slope(steps: np.ndarray, error: np.ndarray) -> float:
    """Of the error on logarithmic axes."""
    return float(np.polyfit(np.log(steps), np.log(error), 1)[0])


h, (forward, central, imaginary) = spans["float64"], found["float64"]
early, late = slice(5, 15), slice(32, 50)
fits = [slope(h[early], forward[early]), slope(h[early], central[early]), slope(h[late], forward[late])]
print("\nslopes on logarithmic axes: forward {:.2f}, central {:.2f}, rounding {:.2f}".format(*fits))
np.testing.assert_allclose(fits[:2], [1, 2], atol=0.02)
np.testing.assert_allclose(fits[2], -1, atol=0.3)  # a constant rounding of f over h; it scatters
for name, unit in (("float32", 2.0**-24), ("float64", 2.0**-53)):
    for error, order in zip(found[name][:2], (1, 2), strict=True):  # the best there is, unit^½ and unit^⅔
        assert 0.005 < error.min() / unit ** (order / (order + 1)) < 5
    assert found[name][2][-5:].max() < 4 * unit  # the complex step at h near 0: right to the last digits

if WANTED:
    figure, axes = panels("float32: rounding limits it early", "float64: much later", sharey=True)
    looks = ((ORANGE, "-o"), (BLUE, "-s"), (GREEN, "-^"))
    for each, name in zip(axes, spans, strict=True):
        for formula, error, (colour, marks) in zip(FORMULAE, found[name], looks, strict=True):
            seen = np.maximum(error, 1e-17)  # an error of 0 has no place on a logarithmic axis
            each.loglog(spans[name], seen, marks, color=colour, linewidth=2, markersize=6, label=formula)
        each.invert_xaxis()
        each.minorticks_off()
        label(each, "step size h (decreasing)", "" if each is axes[1] else "relative error of the derivative")
    for at, text, colour in (((1e-4, 3e-4), "slope 1", ORANGE), ((7e-5, 1e-11), "slope 2", BLUE)):
        axes[1].text(*at, text, color=colour, fontsize=style.TEXT, ha="left" if colour == ORANGE else "right")
    axes[1].text(3e-11, 1e-3, "rounding,\nslope -1", color=THEME.ink, fontsize=style.TEXT, ha="center")
    legend(axes[0], loc="lower left")
    write(figure)
