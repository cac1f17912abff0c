"""Where second derivatives are inconclusive: does J fall along the null directions of its Hessian, beyond rounding?

From θ two paths leave along a unit null vector v: the line θ + t v, and the floor of the valley beside it,

    θ + t v - H⁺ ∇J(θ + t v)        one Newton step in the other directions, H⁺ = the inverse where H is positive

The line finds x³; the floor finds (y - x²)² - x⁴/2, which rises along every line and falls along y = x². Along each
path the smallest t that changes J by more than rounding says whether it rises or falls: what comes later may be another
valley. Steps are t = s 4⁻ʲ, s = ‖θ‖, or 1 at θ = 0. Lengths are measured with each parameter in units of its own.
"""

from typing import NamedTuple

import numpy as np

from jaxnn.verify.certificates.neighbourhood import Neighbourhood, Rounding

STEPS = 4.0 ** np.arange(-11, 1)
EIGENVECTORS = 16  # probed one by one, and as many random combinations
SAFETY = 16.0  # changes in J below this multiple of the parameters' rounding effect are ignored


class Probes(NamedTuple):
    """What was found along null directions."""

    descent: np.ndarray | None  # a direction in which J falls, (n,), or None
    rises: bool  # whether J rises along some; if neither, it is flat as far as was looked


def probe(
    neighbourhood: Neighbourhood,
    rounding: Rounding,
    null: np.ndarray,
    inverse: np.ndarray,
    *,
    unit: np.ndarray,
    scale: float,
) -> Probes:
    """Follows both paths along null vectors, both ways.

    Args:
        neighbourhood: J.
        rounding: at the parameters.
        null: null vectors in columns, (n, k), orthonormal in the parameters' units.
        inverse: (n, r): columns v/√λ of the positive directions, so H⁺ = inverse inverseᵀ.
        unit: of each parameter, (n,).
        scale: the largest curvature in these units, whose terms cancel along a null vector.
    """
    here = np.asarray(neighbourhood.theta, np.float64)
    size = float(np.linalg.norm(here / unit)) or 1.0
    drawn = np.random.default_rng(0).normal(size=(EIGENVECTORS, null.shape[1]))
    mixed = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    one_way = np.vstack([null.T[:EIGENVECTORS], mixed @ null.T]) if null.shape[1] > 1 else null.T
    directions = np.vstack([one_way, -one_way])
    t = size * STEPS
    # the gradient is not quite 0, and its slope is none of the curvature that is looked for
    sure = SAFETY * (rounding.value_change + neighbourhood.eps * abs(rounding.value))
    sure = sure + 2 * np.abs(directions @ rounding.gradient)[:, None] * t + SAFETY * neighbourhood.eps * scale * t**2
    line = here + t[None, :, None] * directions[:, None, :]
    values, gradients = neighbourhood.at_each(neighbourhood.point(line.reshape(-1, len(here))))
    along = _first_change(values.reshape(sure.shape) - rounding.value, sure)
    with np.errstate(invalid="ignore", over="ignore"):  # far out, J may be infinite
        floor = line - (gradients.reshape(line.shape) @ inverse) @ inverse.T
    values = neighbourhood.values(neighbourhood.point(floor.reshape(-1, len(here))))
    beside = _first_change(values.reshape(sure.shape) - rounding.value, sure)
    lowest = np.minimum(along, beside)
    falls = int(np.argmin(lowest))
    return Probes(directions[falls] if lowest[falls] < 0 else None, bool((along > 0).any()))


def _first_change(change: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """The first change in each row that is beyond what is sure, 0 where there is none."""
    with np.errstate(invalid="ignore"):
        seen = np.abs(change) > sure  # what is not finite does not count as falling
    first = seen.argmax(axis=1)
    picked = change[np.arange(len(change)), first]
    return np.where(seen.any(axis=1), picked, 0.0)
