"""The models of NIST's nonlinear regressions, each as its file writes it, and how many digits of an answer are right.

Parameters are one flat array b = (b1, b2, …); a prediction has shape (batch,) for predictors x (batch,).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn import data, losses
from jaxnn.data.nist import Nist
from jaxnn.objective import Objective
from jaxnn.types import Batch

Parameters = Float[Array, " p"]
PerRow = Float[Array, " batch"]

CERTIFIED_DIGITS = 11  # that NIST gives; an answer cannot be seen to have more


def chwirut2(b: Parameters, x: PerRow) -> PerRow:
    """Ultrasonic calibration: exp(-b1*x)/(b2+b3*x)."""
    b1, b2, b3 = b
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def dan_wood(b: Parameters, x: PerRow) -> PerRow:
    """Energy radiated by a carbon filament: b1*x**b2."""
    b1, b2 = b
    return b1 * x**b2


def gauss1(b: Parameters, x: PerRow) -> PerRow:
    """Two Gaussians on a decay: b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)."""
    b1, b2, b3, b4, b5, b6, b7, b8 = b
    peaks = b3 * jnp.exp(-((x - b4) ** 2) / b5**2) + b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    return b1 * jnp.exp(-b2 * x) + peaks


def cubic_over_cubic(b: Parameters, x: PerRow) -> PerRow:
    """Copper's expansion (Hahn1), electron mobility (Thurber): (b1+b2*x+b3*x²+b4*x³) / (1+b5*x+b6*x²+b7*x³)."""
    b1, b2, b3, b4, b5, b6, b7 = b
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def kirby2(b: Parameters, x: PerRow) -> PerRow:
    """Line widths in a scanning electron microscope: (b1 + b2*x + b3*x²) / (1 + b4*x + b5*x²)."""
    b1, b2, b3, b4, b5 = b
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def lanczos3(b: Parameters, x: PerRow) -> PerRow:
    """Three decays, to five digits: b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)."""
    b1, b2, b3, b4, b5, b6 = b
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def mgh17(b: Parameters, x: PerRow) -> PerRow:
    """Osborne's first function, from farther off: b1 + b2*exp(-x*b4) + b3*exp(-x*b5)."""
    b1, b2, b3, b4, b5 = b
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


def misra1a(b: Parameters, x: PerRow) -> PerRow:
    """Adsorption: b1*(1-exp(-b2*x))."""
    b1, b2 = b
    return b1 * (1 - jnp.exp(-b2 * x))


def rat43(b: Parameters, x: PerRow) -> PerRow:
    """Growth of onion bulbs: b1 / (1+exp(b2-b3*x))**(1/b4)."""
    b1, b2, b3, b4 = b
    return b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4)


MODELS: Mapping[str, Callable[..., PerRow]] = MappingProxyType(
    {
        "Chwirut2": chwirut2,
        "DanWood": dan_wood,
        "Gauss1": gauss1,
        "Hahn1": cubic_over_cubic,
        "Kirby2": kirby2,
        "Lanczos3": lanczos3,
        "MGH17": mgh17,
        "Misra1a": misra1a,
        "Rat43": rat43,
        "Thurber": cubic_over_cubic,
    }
)


def problem(name: str) -> tuple[Objective, Batch, Nist]:
    """The regression called `name`: its objective, its batch, and the file, whose `starts` are (2, p).

    The objective is the mean of the squares, NIST's sum divided by the number of observations.
    """
    read = data.read_nist(data.NIST[name])
    return Objective(MODELS[name], losses.squared_error), (jnp.asarray(read.x), jnp.asarray(read.y)), read


def lre(found: Any, certified: Any) -> Any:
    """The logarithmic relative error, the number of right digits: -log₁₀ |found - certified| / |certified|.

    Args:
        found: parameters (..., p).
        certified: what they should be, (p,), none of them 0.

    Returns:
        The least over the parameters, (...), from 0 (none, or not finite) to `CERTIFIED_DIGITS`; NumPy.
    """
    found, certified = np.asarray(found, np.float64), np.asarray(certified, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = -np.log10(np.abs(found - certified) / np.abs(certified))
    return np.clip(np.where(np.isnan(digits), 0.0, digits), 0.0, CERTIFIED_DIGITS).min(axis=-1)
