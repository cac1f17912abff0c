"""The models of NIST's nonlinear regressions, each as its file writes it, and how many digits of an answer are right.

Parameters are one flat array b = (b1, b2, …); a prediction has shape (batch,) for predictors x (batch,), or (batch, 2).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

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


def bennett5(b: Parameters, x: PerRow) -> PerRow:
    """Magnetisation of a superconductor: b1 * (b2+x)**(-1/b3)."""
    b1, b2, b3 = b
    return b1 * (b2 + x) ** (-1 / b3)


def chwirut(b: Parameters, x: PerRow) -> PerRow:
    """Ultrasonic calibration (Chwirut1, Chwirut2): exp(-b1*x)/(b2+b3*x)."""
    b1, b2, b3 = b
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


def cubic_over_cubic(b: Parameters, x: PerRow) -> PerRow:
    """Copper's expansion (Hahn1), electron mobility (Thurber): (b1+b2*x+b3*x²+b4*x³) / (1+b5*x+b6*x²+b7*x³)."""
    b1, b2, b3, b4, b5, b6, b7 = b
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def dan_wood(b: Parameters, x: PerRow) -> PerRow:
    """Energy radiated by a carbon filament: b1*x**b2."""
    b1, b2 = b
    return b1 * x**b2


def eckerle4(b: Parameters, x: PerRow) -> PerRow:
    """Transmittance of an interference filter: (b1/b2) * exp(-0.5*((x-b3)/b2)**2)."""
    b1, b2, b3 = b
    return b1 / b2 * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)


def enso(b: Parameters, x: PerRow) -> PerRow:
    """Pressure, Easter Island less Darwin: b1 + a year's cycle (b2, b3) + one of b4 (b5, b6) + one of b7 (b8, b9).

    A cycle of period T is b*cos(2*pi*x/T) + c*sin(2*pi*x/T).
    """
    b1, b2, b3, b4, b5, b6, b7, b8, b9 = b
    year, first, second = (2 * jnp.pi * x / period for period in (12, b4, b7))
    cycles = b5 * jnp.cos(first) + b6 * jnp.sin(first) + b8 * jnp.cos(second) + b9 * jnp.sin(second)
    return b1 + b2 * jnp.cos(year) + b3 * jnp.sin(year) + cycles


def gauss(b: Parameters, x: PerRow) -> PerRow:
    """Two Gaussians on a decay (Gauss1, 2, 3): b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)."""
    b1, b2, b3, b4, b5, b6, b7, b8 = b
    peaks = b3 * jnp.exp(-((x - b4) ** 2) / b5**2) + b6 * jnp.exp(-((x - b7) ** 2) / b8**2)
    return b1 * jnp.exp(-b2 * x) + peaks


def kirby2(b: Parameters, x: PerRow) -> PerRow:
    """Line widths in a scanning electron microscope: (b1 + b2*x + b3*x²) / (1 + b4*x + b5*x²)."""
    b1, b2, b3, b4, b5 = b
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def lanczos(b: Parameters, x: PerRow) -> PerRow:
    """Three decays, to 14, 6 and 5 digits (Lanczos1, 2, 3): b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)."""
    b1, b2, b3, b4, b5, b6 = b
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


def mgh09(b: Parameters, x: PerRow) -> PerRow:
    """Kowalik and Osborne's function, from farther off: b1*(x**2+x*b2) / (x**2+x*b3+b4)."""
    b1, b2, b3, b4 = b
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def mgh10(b: Parameters, x: PerRow) -> PerRow:
    """Meyer's function, from farther off: b1 * exp(b2/(x+b3))."""
    b1, b2, b3 = b
    return b1 * jnp.exp(b2 / (x + b3))


def mgh17(b: Parameters, x: PerRow) -> PerRow:
    """Osborne's first function, from farther off: b1 + b2*exp(-x*b4) + b3*exp(-x*b5)."""
    b1, b2, b3, b4, b5 = b
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


def misra1a(b: Parameters, x: PerRow) -> PerRow:
    """Adsorption (Misra1a), oxygen demand (BoxBOD): b1*(1-exp(-b2*x))."""
    b1, b2 = b
    return b1 * (1 - jnp.exp(-b2 * x))


def misra1b(b: Parameters, x: PerRow) -> PerRow:
    """Adsorption: b1 * (1-(1+b2*x/2)**(-2))."""
    b1, b2 = b
    return b1 * (1 - (1 + b2 * x / 2) ** -2)


def misra1c(b: Parameters, x: PerRow) -> PerRow:
    """Adsorption: b1 * (1-(1+2*b2*x)**(-.5))."""
    b1, b2 = b
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


def misra1d(b: Parameters, x: PerRow) -> PerRow:
    """Adsorption: b1*b2*x*((1+b2*x)**(-1))."""
    b1, b2 = b
    return b1 * b2 * x / (1 + b2 * x)


def nelson(b: Parameters, x: Float[Array, "batch 2"]) -> PerRow:
    """The logarithm of the breakdown strength after x1 weeks at x2 degrees: b1 - b2*x1 * exp(-b3*x2)."""
    (b1, b2, b3), (x1, x2) = b, x.T
    return b1 - b2 * x1 * jnp.exp(-b3 * x2)


def rat42(b: Parameters, x: PerRow) -> PerRow:
    """Growth of pasture: b1 / (1+exp(b2-b3*x))."""
    b1, b2, b3 = b
    return b1 / (1 + jnp.exp(b2 - b3 * x))


def rat43(b: Parameters, x: PerRow) -> PerRow:
    """Growth of onion bulbs: b1 / (1+exp(b2-b3*x))**(1/b4)."""
    b1, b2, b3, b4 = b
    return b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4)


def roszman1(b: Parameters, x: PerRow) -> PerRow:
    """Quantum defects of iodine: b1 - b2*x - arctan(b3/(x-b4))/pi."""
    b1, b2, b3, b4 = b
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / jnp.pi


MODELS: Mapping[str, Callable[..., PerRow]] = MappingProxyType(
    {
        "Bennett5": bennett5,
        "BoxBOD": misra1a,
        "Chwirut1": chwirut,
        "Chwirut2": chwirut,
        "DanWood": dan_wood,
        "ENSO": enso,
        "Eckerle4": eckerle4,
        "Gauss1": gauss,
        "Gauss2": gauss,
        "Gauss3": gauss,
        "Hahn1": cubic_over_cubic,
        "Kirby2": kirby2,
        "Lanczos1": lanczos,
        "Lanczos2": lanczos,
        "Lanczos3": lanczos,
        "MGH09": mgh09,
        "MGH10": mgh10,
        "MGH17": mgh17,
        "Misra1a": misra1a,
        "Misra1b": misra1b,
        "Misra1c": misra1c,
        "Misra1d": misra1d,
        "Nelson": nelson,
        "Rat42": rat42,
        "Rat43": rat43,
        "Roszman1": roszman1,
        "Thurber": cubic_over_cubic,
    }
)
OF_THE_LOGARITHM = frozenset({"Nelson"})  # its model is of log(y)


Model: TypeAlias = Callable[..., PerRow]
EXCHANGED: Mapping[Model, Sequence[Sequence[int]]] = MappingProxyType(  # orders of the parameters of equal terms
    {
        lanczos: [(*a, *b, *c) for a, b, c in itertools.permutations([(0, 1), (2, 3), (4, 5)])],
        mgh17: [range(5), (0, 2, 1, 4, 3)],
        gauss: [range(8), (0, 1, 5, 6, 7, 2, 3, 4)],
        enso: [range(9), (0, 1, 2, 6, 7, 8, 3, 4, 5)],
    }
)
REVERSED: Mapping[Model, Sequence[Sequence[int]]] = MappingProxyType(  # whose signs may change together
    {gauss: [(4,), (7,)], eckerle4: [(0, 1)], enso: [(3, 5), (6, 8)]}
)


def problem(name: str) -> tuple[Objective, Batch, Nist]:
    """The regression called `name`: its objective, its batch, and the file, whose `starts` are (2, p).

    The objective is the mean of the squares, NIST's sum divided by the number of observations. Nelson's targets are the
    logarithms of the file's responses, as its model is written.
    """
    read = data.read_nist(data.NIST[name])
    targets = np.log(read.y) if name in OF_THE_LOGARITHM else read.y
    return Objective(MODELS[name], losses.squared_error), (jnp.asarray(read.x), jnp.asarray(targets)), read


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


def digits(name: str, found: Any, certified: Any) -> Any:
    """The right digits of an answer to the regression called `name`, whichever order its equal terms have.

    Two decays may be exchanged, a width or a period may be negative: such parameters give the same predictions, and are
    held against the certified ones in the form that suits them best.

    Args:
        name: of `MODELS`.
        found: parameters (..., p).
        certified: what they should be, (p,), none of them 0.

    Returns:
        As `lre`, (...).
    """
    found = np.asarray(found, np.float64)
    return np.max(
        [lre(found[..., list(order)] * signs, certified) for order, signs in _equivalent(name, len(certified))], axis=0
    )


def _equivalent(name: str, p: int) -> list[tuple[Sequence[int], np.ndarray]]:
    """The orders and signs of the p parameters that leave the predictions as they are."""
    model, forms = MODELS[name], []
    for order in EXCHANGED.get(model, [range(p)]):
        for chosen in itertools.product((1, -1), repeat=len(REVERSED.get(model, ()))):
            signs = np.ones(p)
            for sign, places in zip(chosen, REVERSED.get(model, ()), strict=True):
                signs[list(places)] = sign
            forms.append((order, signs))
    return forms
