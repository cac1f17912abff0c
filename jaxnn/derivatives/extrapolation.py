"""The slope of φ at 0 from its values at successively halved steps, with an error estimate.

    forward        (φ(h) - φ(0)) / h                        error ½ φ'' h    + ε |φ| / h
    central        C₀(h) = (φ(h) - φ(-h)) / 2h              error ⅙ φ''' h²  + ε |φ| / h
    extrapolated   C₁(h) = (4 C₀(h/2) - C₀(h)) / 3          error O(h⁴)      + ε |φ| / h    Richardson
    and so on      Cⱼ(h) = (4ʲ Cⱼ₋₁(h/2) - Cⱼ₋₁(h)) / (4ʲ - 1)                              Ridders' tableau

The entry with the smallest estimated error is taken. The estimate is its distance from the two entries it was made of
and from its neighbour at half the step, plus the rounding of φ over h. That rounding is measured: φ(h) + φ(-h) - 2 φ(0)
is even in h and independent of the slope, and what remains after removing its h² and h⁴ terms is rounding, or a kink.

References:
    Ridders, Accurate computation of F'(x) and F'(x)F''(x), 1982, Advances in Engineering Software 4.
    Moré & Wild, Estimating derivatives of noisy simulations, 2012, ACM Transactions on Mathematical Software 38.
"""

from typing import NamedTuple

import numpy as np

from jaxnn.derivatives.lines import Values

_COLUMNS = 5  # of the tableau
_NOTICEABLE = 200.0  # times ε |φ|: a difference that rounding alone does not make
_RESOLVED = 0.01  # of the most that φ changes: a rounding below it
_RUN = 6  # halvings in a row that are no accident


class Slopes(NamedTuple):
    """The slopes by differences along each direction; arrays of shape (directions,) or (directions, steps)."""

    slope: np.ndarray
    error: np.ndarray  # estimate, of `slope`; infinite if it could not be determined
    step: np.ndarray  # the longest that `slope` was made from
    rounding: np.ndarray  # of φ there
    jump: np.ndarray  # the slope on the right less that on the left; 0 without a kink within the steps that were used
    steps: np.ndarray
    forward: np.ndarray
    central: np.ndarray
    extrapolated: np.ndarray  # C₁, of the step h and h/2; the last is NaN


def slopes(values: Values, eps: float) -> Slopes:
    """The tableau along each direction, for a function whose value is rounded to `eps`."""
    steps, plus, minus, centre = values
    with np.errstate(all="ignore"):  # what is not finite is left out below
        even = (plus - centre) + (minus - centre)
        floor = eps * np.maximum(np.abs(plus), np.abs(minus))
        changes = np.abs(np.concatenate([plus - centre, minus - centre], axis=1))
        quantum = _quantum(changes)[:, None]
        rounding = np.maximum(np.maximum(_measured(even), floor), quantum)
        # If it is not small beside the changes of φ, φ varies within a step, and its slope cannot be found there.
        variation = np.max(changes, axis=1, where=np.isfinite(changes), initial=0.0)[:, None]
        resolved = rounding <= np.maximum(_RESOLVED * variation, _NOTICEABLE * floor)
        column = (plus - minus) / (2 * steps)
        columns, errors = [column], [np.full_like(column, np.inf)]
        for j in range(1, _COLUMNS + 1):
            longer, shorter = column, _next(column)
            column = shorter + (shorter - longer) / (4**j - 1)
            noise = rounding / steps  # at either end of what the entry was made of
            noise += np.pad(noise[:, j:], ((0, 0), (0, j)), constant_values=np.nan)
            apart = [np.abs(column - other) for other in (longer, shorter, _next(column))]
            error = np.max(apart, axis=0) + noise
            columns.append(column)
            errors.append(np.where(np.isfinite(error) & resolved, error, np.inf))
        forward = (plus - centre) / steps
        jump, reach = _jump(even, steps, np.maximum(_NOTICEABLE * floor, 20 * quantum))
    tableau, likely = np.stack(columns, axis=1), np.stack(errors, axis=1)  # (directions, columns, steps)
    rows = np.arange(len(steps))
    j, k = np.unravel_index(likely.reshape(len(steps), -1).argmin(axis=1), likely.shape[1:])
    found = np.isfinite(likely[rows, j, k])
    return Slopes(
        slope=np.where(found, tableau[rows, j, k], np.nan),
        error=likely[rows, j, k],
        step=np.where(found, steps[rows, k], np.nan),
        rounding=np.where(found, rounding[rows, np.minimum(k + j, steps.shape[1] - 1)], np.inf),
        jump=np.where(~found | (reach <= steps[rows, k]), jump, 0.0),
        steps=steps,
        forward=forward,
        central=columns[0],
        extrapolated=columns[1],
    )


def _next(column: np.ndarray) -> np.ndarray:
    """Each step's half: the column moved by one, NaN at the end."""
    return np.pad(column[:, 1:], ((0, 0), (0, 1)), constant_values=np.nan)


def _measured(even: np.ndarray) -> np.ndarray:
    """The rounding of φ at each step: the most that is left, at it or a shorter one, without h² and h⁴."""
    without_square = even - 4 * _next(even)
    rest = np.abs(without_square - 16 * _next(without_square)) / 85  # 85 = 1 + 20 + 64, the sum of the weights
    return np.fmax.accumulate(rest[:, ::-1], axis=1)[:, ::-1]


def _quantum(changes: np.ndarray) -> np.ndarray:
    """The unit of which all changes of φ are multiples, else 0; (directions,).

    (1e6 + sin θ) - 1e6 moves in units of 1/16 in float32: between them it looks as constant as a dead ReLU's.
    """
    seen = np.isfinite(changes) & (changes > 0)
    least = np.min(changes, axis=1, where=seen, initial=np.inf)
    multiples = np.where(seen & (changes < 1000 * least[:, None]), changes / least[:, None], 0.0)
    whole = (np.abs(multiples - np.round(multiples)) < 1e-6).all(axis=1) & (seen.sum(axis=1) > 2)
    return np.where(whole, least, 0.0)


def _jump(even: np.ndarray, steps: np.ndarray, noticeable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward less backward difference where it does not vanish with the step, else 0; and down to which step.

    For a smooth φ it is φ'' h, and halves with h. At a kink it stays, at a jump of φ it doubles. Both (directions,).
    """
    between = even / steps
    ratio = _next(between) / between
    stays = np.asarray((ratio > 0.8) & (ratio < 2.2) & (np.abs(_next(even)) > noticeable))
    stays = stays[:, :-1]  # the shortest step has no half
    runs = np.stack([stays[:, k : k + _RUN].all(axis=1) for k in range(stays.shape[1] - _RUN + 1)], axis=1)
    last = runs.shape[1] - 1 - runs[:, ::-1].argmax(axis=1) + _RUN  # where the last run ends
    rows = np.arange(len(steps))
    return np.where(runs.any(axis=1), between[rows, last], 0.0), steps[rows, last]
