"""Problems of Moré, Garbow and Hillstrom: sums of squares, with their standard starts and published minima Σ r².

A problem is a regression, so Gauss-Newton methods can take it: predict(params, x) -> (batch,) row by row, and
targets y, with r = predict - y. Where the residuals are no data but formulae of their own, x is their number.

Minima are the paper's with ten digits instead of six, and local ones at which descents from far starts end: strict
ones, where the Hessian is positive definite, and valleys without an end, whose infimum is the minimum of a smaller
regression, the model's limit. Plateaus are none: where outputs underflow, as at 100 times Gulf's start, no gradient is
left and no minimum is there.

Here are those with a number of parameters of their own, 1 to 19; `sized` has those of any number, 20 to 35.

Reference:
    Moré, Garbow & Hillstrom, Testing unconstrained optimization software, 1981, ACM TOMS 7. The numbers in front of the
    names are theirs.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import pi
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn import losses
from jaxnn.objective import Objective
from jaxnn.types import Batch

PRECISION = 1e-6  # of a minimum
ON_THE_WAY = 1e-4  # of one that no point has
ZERO = 1e-10  # Σ r² that is as good as none

PerRow = Float[Array, " batch"]
Residuals = Callable[..., Sequence[Any]]


class Problem(NamedTuple):
    """A sum of squares; NumPy arrays."""

    name: str
    predict: Callable[..., PerRow]
    x: np.ndarray  # rows of data, or the residuals' numbers
    y: np.ndarray  # targets, (m,)
    start: np.ndarray  # (p,)
    minima: tuple[float, ...]  # of Σ r²: the global one first, then local ones that a descent may end in
    at_infinity: tuple[float, ...] = ()  # what Σ r² falls towards along valleys that have no end

    def far(self, factor: float | int) -> np.ndarray:
        """The standard start times a factor, as in the paper; where it is 0, as Watson's, the factor itself."""
        return factor * self.start if factor == 1 or self.start.any() else np.full_like(self.start, factor)

    def reached(self, total: float) -> float | None:
        """The minimum that a sum of squares is: to a millionth, or 1e-10 where it is 0, or 1e-4 if it is at infinity.

        None if it is none of them.
        """
        known = [(least, PRECISION) for least in self.minima] + [(least, ON_THE_WAY) for least in self.at_infinity]
        return next((m for m, near in known if abs(total - m) <= (near * m if m else ZERO)), None)

    @property
    def objective(self) -> Objective:
        """The mean of the squares: Σ r² / m."""
        return Objective(self.predict, losses.squared_error)

    @property
    def batch(self) -> Batch:
        """(x, y)."""
        return jnp.asarray(self.x), jnp.asarray(self.y)


def rosenbrock(x1: Any, x2: Any) -> Sequence[Any]:
    """10 (x₂ - x₁²), 1 - x₁."""
    return 10 * (x2 - x1**2), 1 - x1


def freudenstein_roth(x1: Any, x2: Any) -> Sequence[Any]:
    """-13 + x₁ + ((5 - x₂) x₂ - 2) x₂, -29 + x₁ + ((x₂ + 1) x₂ - 14) x₂."""
    return -13 + x1 + ((5 - x2) * x2 - 2) * x2, -29 + x1 + ((x2 + 1) * x2 - 14) * x2


def powell_badly_scaled(x1: Any, x2: Any) -> Sequence[Any]:
    """10⁴ x₁ x₂ - 1, e⁻ˣ¹ + e⁻ˣ² - 1.0001."""
    return 1e4 * x1 * x2 - 1, jnp.exp(-x1) + jnp.exp(-x2) - 1.0001


def brown_badly_scaled(x1: Any, x2: Any) -> Sequence[Any]:
    """x₁ - 10⁶, x₂ - 2·10⁻⁶, x₁ x₂ - 2."""
    return x1 - 1e6, x2 - 2e-6, x1 * x2 - 2


def helical_valley(x1: Any, x2: Any, x3: Any) -> Sequence[Any]:
    """10 (x₃ - 10 θ), 10 (‖(x₁, x₂)‖ - 1), x₃ with the angle θ of (x₁, x₂) in turns, from -1/4 to 3/4."""
    turns = jnp.arctan2(x2, x1) / (2 * pi)
    turns = jnp.where(turns < -0.25, turns + 1, turns)
    return 10 * (x3 - 10 * turns), 10 * (jnp.sqrt(x1**2 + x2**2) - 1), x3


def powell_singular(x1: Any, x2: Any, x3: Any, x4: Any) -> Sequence[Any]:
    """x₁ + 10 x₂, √5 (x₃ - x₄), (x₂ - 2 x₃)², √10 (x₁ - x₄)²."""
    return x1 + 10 * x2, 5**0.5 * (x3 - x4), (x2 - 2 * x3) ** 2, 10**0.5 * (x1 - x4) ** 2


def wood(x1: Any, x2: Any, x3: Any, x4: Any) -> Sequence[Any]:
    """10 (x₂ - x₁²), 1 - x₁, √90 (x₄ - x₃²), 1 - x₃, √10 (x₂ + x₄ - 2), (x₂ - x₄)/√10."""
    two_valleys = (10 * (x2 - x1**2), 1 - x1, 90**0.5 * (x4 - x3**2), 1 - x3)
    return (*two_valleys, 10**0.5 * (x2 + x4 - 2), (x2 - x4) / 10**0.5)


def beale(params: Any, i: Any) -> PerRow:
    """x₁ (1 - x₂ⁱ)."""
    x1, x2 = params
    return x1 * (1 - jnp.stack([x2, x2**2, x2**3])[i - 1])


def jennrich_sampson(params: Any, i: PerRow) -> PerRow:
    """exp(i x₁) + exp(i x₂)."""
    x1, x2 = params
    return jnp.exp(i * x1) + jnp.exp(i * x2)


def bard(params: Any, uvw: Any) -> PerRow:
    """x₁ + u / (v x₂ + w x₃)."""
    (x1, x2, x3), (u, v, w) = params, uvw.T
    return x1 + u / (v * x2 + w * x3)


def gaussian(params: Any, t: PerRow) -> PerRow:
    """x₁ exp(-½ x₂ (t - x₃)²)."""
    x1, x2, x3 = params
    return x1 * jnp.exp(-x2 * (t - x3) ** 2 / 2)


def meyer(params: Any, t: PerRow) -> PerRow:
    """x₁ exp(x₂ / (t + x₃))."""
    x1, x2, x3 = params
    return x1 * jnp.exp(x2 / (t + x3))


def gulf(params: Any, u: PerRow) -> PerRow:
    """exp(-|u - x₂|^x₃ / x₁)."""
    x1, x2, x3 = params
    return jnp.exp(-(jnp.abs(u - x2) ** x3) / x1)


def box(params: Any, t: PerRow) -> PerRow:
    """e^(-t x₁) - e^(-t x₂) - x₃ (e⁻ᵗ - e⁻¹⁰ᵗ)."""
    x1, x2, x3 = params
    return jnp.exp(-t * x1) - jnp.exp(-t * x2) - x3 * (jnp.exp(-t) - jnp.exp(-10 * t))


def kowalik_osborne(params: Any, u: PerRow) -> PerRow:
    """x₁ (u² + u x₂) / (u² + u x₃ + x₄)."""
    x1, x2, x3, x4 = params
    return x1 * (u**2 + u * x2) / (u**2 + u * x3 + x4)


def brown_dennis(params: Any, t: PerRow) -> PerRow:
    """(x₁ + t x₂ - eᵗ)² + (x₃ + x₄ sin t - cos t)²."""
    x1, x2, x3, x4 = params
    return (x1 + t * x2 - jnp.exp(t)) ** 2 + (x3 + x4 * jnp.sin(t) - jnp.cos(t)) ** 2


def osborne1(params: Any, t: PerRow) -> PerRow:
    """x₁ + x₂ e^(-t x₄) + x₃ e^(-t x₅)."""
    x1, x2, x3, x4, x5 = params
    return x1 + x2 * jnp.exp(-t * x4) + x3 * jnp.exp(-t * x5)


def biggs(params: Any, t: PerRow) -> PerRow:
    """x₃ e^(-t x₁) - x₄ e^(-t x₂) + x₆ e^(-t x₅)."""
    x1, x2, x3, x4, x5, x6 = params
    return x3 * jnp.exp(-t * x1) - x4 * jnp.exp(-t * x2) + x6 * jnp.exp(-t * x5)


def osborne2(params: Any, t: PerRow) -> PerRow:
    """x₁ e^(-t x₅) + x₂ e^(-(t - x₉)² x₆) + x₃ e^(-(t - x₁₀)² x₇) + x₄ e^(-(t - x₁₁)² x₈)."""
    x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = params
    peaks = x2 * jnp.exp(-((t - x9) ** 2) * x6) + x3 * jnp.exp(-((t - x10) ** 2) * x7)
    return x1 * jnp.exp(-t * x5) + peaks + x4 * jnp.exp(-((t - x11) ** 2) * x8)


def _residual(residuals: Residuals, params: Any, i: Any) -> PerRow:
    return jnp.stack(residuals(*params))[i]


def _formulae(
    name: str,
    residuals: Residuals,
    start: Sequence[float | int],
    *minima: float,
    at_infinity: tuple[float, ...] = (),
) -> Problem:
    """A problem whose residuals are written one by one: row i is residual i, and its target 0."""
    m = len(residuals(*map(float, start)))
    return Problem(
        name, partial(_residual, residuals), np.arange(m), np.zeros(m), np.array(start, float), minima, at_infinity
    )


def _data(
    name: str,
    predict: Any,
    x: Any,
    y: Any,
    start: Sequence[float | int],
    *minima: float,
    at_infinity: tuple[float, ...] = (),
) -> Problem:
    return Problem(name, predict, np.asarray(x), np.asarray(y, float), np.array(start, float), minima, at_infinity)


@cache
def problems() -> tuple[Problem, ...]:
    """All of them, in the order of the paper."""
    one_to = lambda m: np.arange(1.0, m + 1)
    fifteen, percents = one_to(15), one_to(99) / 100
    tenth, thirteen, fifth = 0.1 * one_to(10), 0.1 * one_to(13), one_to(20) / 5
    return (
        _formulae("1 Rosenbrock", rosenbrock, (-1.2, 1), 0.0),
        _formulae("2 Freudenstein-Roth", freudenstein_roth, (0.5, -2), 0.0, 48.9842536792),
        _formulae("3 Powell badly scaled", powell_badly_scaled, (0, 1), 0.0, at_infinity=(1e-8,)),
        _formulae("4 Brown badly scaled", brown_badly_scaled, (1, 1), 0.0),
        _data("5 Beale", beale, np.arange(1, 4), (1.5, 2.25, 2.625), (1, 1), 0.0, at_infinity=(0.45200892857,)),
        _data("6 Jennrich-Sampson", jennrich_sampson, one_to(10), 2 + 2 * one_to(10), (0.3, 0.4), 124.362182356),
        _formulae("7 Helical valley", helical_valley, (-1, 0, 0), 0.0),
        _data(
            "8 Bard",
            bard,
            np.stack([fifteen, 16 - fifteen, np.minimum(fifteen, 16 - fifteen)], axis=1),
            (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39),
            (1, 1, 1),
            8.21487730658e-3,
            at_infinity=(17.4286933333,),
        ),
        _data("9 Gaussian", gaussian, (8 - fifteen) / 2, _GAUSSIAN, (0.4, 1, 0), 1.12793276962e-8),
        _data("10 Meyer", meyer, 45 + 5 * one_to(16), _MEYER, (0.02, 4000, 250), 87.9458551707),
        _data("11 Gulf", gulf, 25 + (-50 * np.log(percents)) ** (2 / 3), percents, (5, 2.5, 0.15), 0.0),
        _data("12 Box", box, tenth, np.zeros(10), (0, 10, 20), 0.0, at_infinity=(0.075588740755,)),
        _formulae("13 Powell singular", powell_singular, (3, -1, 0, 1), 0.0),
        _formulae("14 Wood", wood, (-3, -1, -3, -1), 0.0),
        _data(
            "15 Kowalik-Osborne",
            kowalik_osborne,
            *_KOWALIK_OSBORNE,
            (0.25, 0.39, 0.415, 0.39),
            *(3.07505603849e-4, 4.2367462647e-4, 1.594352026e-3),
            at_infinity=(1.02734304870e-3, 9.446312959e-4),
        ),
        _data("16 Brown-Dennis", brown_dennis, fifth, np.zeros(20), (25, 5, -5, -1), 85822.2016264),
        _data("17 Osborne 1", osborne1, 10 * np.arange(33.0), _OSBORNE1, (0.5, 1.5, -1, 0.01, 0.02), 5.46489469748e-5),
        _data(
            "18 Biggs",
            biggs,
            thirteen,
            np.exp(-thirteen) - 5 * np.exp(-10 * thirteen) + 3 * np.exp(-4 * thirteen),
            (1, 2, 1, 1, 1, 1),
            0.0,
            at_infinity=(5.65564992550e-3, 0.306366772625, 0.242676779),
        ),
        _data(
            "19 Osborne 2",
            osborne2,
            0.1 * np.arange(65.0),
            _OSBORNE2,
            _OSBORNE2_START,
            4.01377362935e-2,
            8.75947240934e-2,
        ),
    )


_GAUSSIAN = (
    *(0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521),
    0.3989,
    *(0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009),
)
_MEYER = (
    *(34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744),
    *(8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872),
)
_KOWALIK_OSBORNE = (
    (4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625),
    (0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246),
)
_OSBORNE1 = (
    *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603),
    *(0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411),
    0.406,
)
_OSBORNE2_START = (1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5)
_OSBORNE2 = (
    *(1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608, 0.655, 0.616, 0.606),
    *(0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661, 0.612, 0.558, 0.533, 0.495, 0.500, 0.423),
    *(0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428, 0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668),
    *(0.645, 0.632, 0.591, 0.559, 0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098),
    0.054,
)
