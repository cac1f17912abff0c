"""Problems of Moré, Garbow and Hillstrom with any number of parameters, 20 to 35, in the numbers that are usual.

As in `more_garbow_hillstrom`: x are the residuals' numbers and y is 0. All residuals r(x) of a problem are one function
of x (n,).

Reference:
    Moré, Garbow & Hillstrom, Testing unconstrained optimization software, 1981, ACM TOMS 7.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn.verify.second_order.more_garbow_hillstrom import PerRow, Problem

Point = Float[Array, " n"]
Residuals = Float[Array, " m"]


def watson(x: Point) -> Residuals:
    """Σⱼ (j-1) xⱼ tʲ⁻² - (Σⱼ xⱼ tʲ⁻¹)² - 1 at t = 1/29, …, 1; then x₁ and x₂ - x₁² - 1."""
    t, j = jnp.arange(1, 30) / 29, jnp.arange(len(x))
    powers = t[:, None] ** j
    slope = powers[:, :-1] @ (j[1:] * x[1:])
    return jnp.concatenate([slope - (powers @ x) ** 2 - 1, x[:1], x[1:2] - x[:1] ** 2 - 1])


def extended_rosenbrock(x: Point) -> Residuals:
    """10 (x₂ - x₁²) and 1 - x₁ of every pair."""
    first, second = x[::2], x[1::2]
    return jnp.concatenate([10 * (second - first**2), 1 - first])


def extended_powell_singular(x: Point) -> Residuals:
    """x₁ + 10 x₂, √5 (x₃ - x₄), (x₂ - 2 x₃)², √10 (x₁ - x₄)² of every four."""
    a, b, c, d = x.reshape(-1, 4).T
    return jnp.concatenate([a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2])


def penalty1(x: Point) -> Residuals:
    """√10⁻⁵ (xᵢ - 1), ‖x‖² - 1/4."""
    return jnp.append(1e-5**0.5 * (x - 1), x @ x - 0.25)


def penalty2(x: Point) -> Residuals:
    """x₁ - 0.2; √10⁻⁵ times e^(xᵢ/10) + e^(xᵢ₋₁/10) - yᵢ and e^(xᵢ/10) - e^(-1/10) for i ≥ 2; Σ (n-j+1) xⱼ² - 1.

    yᵢ = e^(i/10) + e^((i-1)/10).
    """
    n, grown = len(x), jnp.exp(x / 10)
    y = jnp.exp(jnp.arange(1, n + 1) / 10)
    pairs, each = grown[1:] + grown[:-1] - (y[1:] + y[:-1]), grown[1:] - jnp.exp(-0.1)
    weighted = jnp.arange(n, 0, -1) @ x**2
    return jnp.concatenate([x[:1] - 0.2, 1e-5**0.5 * pairs, 1e-5**0.5 * each, weighted[None] - 1])


def variably_dimensioned(x: Point) -> Residuals:
    """xᵢ - 1, s, s² with s = Σ j (xⱼ - 1)."""
    s = jnp.arange(1, len(x) + 1) @ (x - 1)
    return jnp.concatenate([x - 1, s[None], s[None] ** 2])


def trigonometric(x: Point) -> Residuals:
    """Σⱼ (1 - cos xⱼ) + i (1 - cos xᵢ) - sin xᵢ."""
    i = jnp.arange(1, len(x) + 1)
    return len(x) - jnp.cos(x).sum() + i * (1 - jnp.cos(x)) - jnp.sin(x)


def brown_almost_linear(x: Point) -> Residuals:
    """xᵢ + Σ xⱼ - (n + 1) for i < n, and Π xⱼ - 1."""
    return jnp.append(x[:-1] + x.sum() - (len(x) + 1), x.prod() - 1)


def discrete_boundary_value(x: Point) -> Residuals:
    """2 xᵢ - xᵢ₋₁ - xᵢ₊₁ + ½ h² (xᵢ + tᵢ + 1)³ at tᵢ = i h, h = 1 / (n + 1), with 0 at both ends."""
    h, padded = 1 / (len(x) + 1), jnp.pad(x, 1)
    return 2 * x - padded[:-2] - padded[2:] + h**2 * (x + _inside(x) + 1) ** 3 / 2


def discrete_integral_equation(x: Point) -> Residuals:
    """xᵢ + ½ h ((1 - tᵢ) Σ_{j ≤ i} tⱼ cⱼ + tᵢ Σ_{j > i} (1 - tⱼ) cⱼ), cⱼ = (xⱼ + tⱼ + 1)³, tᵢ = i h = i / (n + 1)."""
    h, t = 1 / (len(x) + 1), _inside(x)
    cubes = (x + t + 1) ** 3
    below, above = jnp.cumsum(t * cubes), (1 - t) * cubes
    return x + h * ((1 - t) * below + t * (above.sum() - jnp.cumsum(above))) / 2


def broyden_tridiagonal(x: Point) -> Residuals:
    """(3 - 2 xᵢ) xᵢ - xᵢ₋₁ - 2 xᵢ₊₁ + 1, with 0 at both ends."""
    padded = jnp.pad(x, 1)
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def broyden_banded(x: Point) -> Residuals:
    """xᵢ (2 + 5 xᵢ²) + 1 - Σ xⱼ (1 + xⱼ) over the j ≠ i from i - 5 to i + 1."""
    i = np.arange(len(x))
    apart = i[:, None] - i  # i - j
    band = (apart <= 5) & (apart >= -1) & (apart != 0)
    return x * (2 + 5 * x**2) + 1 - band.astype(float) @ (x * (1 + x))


def linear_full_rank(x: Point, m: int) -> Residuals:
    """xᵢ - 2 Σ xⱼ / m - 1, with xᵢ = 0 for i > n."""
    return jnp.pad(x, (0, m - len(x))) - 2 * x.sum() / m - 1


def linear_rank1(x: Point, m: int) -> Residuals:
    """Σ j xⱼ, times i, less 1."""
    return jnp.arange(1, m + 1) * (jnp.arange(1, len(x) + 1) @ x) - 1


def linear_rank1_zeros(x: Point, m: int) -> Residuals:
    """(i - 1) Σ j xⱼ - 1, the sum over 1 < j < n; the first and the last are -1."""
    total = jnp.arange(2, len(x)) @ x[1:-1]
    return jnp.append(jnp.arange(m - 1) * total - 1, -1.0)


def chebyquad(x: Point) -> Residuals:
    """Σⱼ Tᵢ(xⱼ) / n - ∫₀¹ Tᵢ for the Chebyshev polynomials of [0, 1]; ∫ is 0 for odd i, -1 / (i² - 1) for even."""
    n, y = len(x), 2 * x - 1
    before, here, means = jnp.ones_like(y), y, []
    for _ in range(n):
        means.append(here.mean())
        before, here = here, 2 * y * here - before
    return jnp.stack(means) - np.array([0 if i % 2 else -1 / (i**2 - 1) for i in range(1, n + 1)])


def _inside(x: Any) -> Any:
    """The points i / (n + 1), i = 1 … n."""
    return np.arange(1, len(x) + 1) / (len(x) + 1)


def _system(name: str, residuals: Callable[..., Any], start: Any, *minima: float) -> Problem:
    """The problem whose residuals these are; its row i is the i-th of them."""

    def predict(params: Any, i: Any) -> PerRow:
        return residuals(jnp.asarray(params))[i]

    start = np.array(start, float)
    m = len(jax.eval_shape(residuals, start))  # compiles nothing
    return Problem(f"{name} {len(start)}", predict, np.arange(m), np.zeros(m), start, minima)


def problems() -> tuple[Problem, ...]:
    """All of them, in the order of the paper; the number of parameters is the last word of a name."""
    ten, one_to = np.ones(10), lambda n: np.arange(1.0, n + 1)
    inside = _inside(ten)
    linear = partial(partial, m=10)
    return (
        _system("20 Watson", watson, np.zeros(6), 2.28767005355e-3),
        _system("20 Watson", watson, np.zeros(9), 1.39976013809e-6),
        _system("20 Watson", watson, np.zeros(12), 4.72238110427e-10),
        _system("21 Extended Rosenbrock", extended_rosenbrock, np.tile((-1.2, 1), 5), 0.0),
        _system("22 Extended Powell singular", extended_powell_singular, np.tile((3, -1, 0, 1), 3), 0.0),
        _system("23 Penalty I", penalty1, one_to(4), 2.2499775009e-5),
        _system("23 Penalty I", penalty1, one_to(10), 7.08765146709e-5),
        _system("24 Penalty II", penalty2, np.full(4, 0.5), 9.37629300736e-6),
        _system("24 Penalty II", penalty2, ten / 2, 2.93660537457e-4),
        _system("25 Variably dimensioned", variably_dimensioned, 1 - one_to(10) / 10, 0.0),
        _system(
            "26 Trigonometric",
            trigonometric,
            ten / 10,
            0.0,
            2.79505612188e-5,
            4.21863388792e-5,
            8.78822521822e-4,
            4.4735658128e-7,
        ),
        _system("27 Brown almost linear", brown_almost_linear, ten / 2, 0.0, 1.0, 1.84124836609, 0.917900099786),
        _system("28 Discrete boundary value", discrete_boundary_value, inside * (inside - 1), 0.0),
        _system("29 Discrete integral equation", discrete_integral_equation, inside * (inside - 1), 0.0),
        _system("30 Broyden tridiagonal", broyden_tridiagonal, -ten, 0.0),
        _system("31 Broyden banded", broyden_banded, -ten, 0.0, 2.68021992073, 3.05727843243),
        _system("32 Linear full rank", linear(linear_full_rank), np.ones(5), 5.0),
        _system("33 Linear rank 1", linear(linear_rank1), np.ones(5), 45 / 21),
        _system("34 Linear rank 1, zeros", linear(linear_rank1_zeros), np.ones(5), 62 / 17),
        _system("35 Chebyquad", chebyquad, one_to(8) / 9, 3.51687372568e-3),
        _system("35 Chebyquad", chebyquad, one_to(9) / 10, 0.0),
        _system("35 Chebyquad", chebyquad, one_to(10) / 11, 4.77271369638e-3, 6.50395480088e-3),
    )
