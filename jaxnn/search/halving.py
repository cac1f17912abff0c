"""Successive halving: after a few epochs, the worst trials stop, and the others go on for several times as many.

At rungs r₀ < r₁ < … = R of epochs, each `factor` η times the one before, a trial goes on if it is among the best 1/η of
those that came to the same rung; so each rung costs about as much as the one below. A trial is judged at once, by those
recorded so far, and waits for nobody: ASHA's rule, in which a trial that comes early may go on where it later would
not.

References:
    Jamieson & Talwalkar, Non-stochastic best arm identification and hyperparameter optimization (2016).
    Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, Hyperband: a novel bandit-based approach to hyperparameter
    optimization (2018).
    Li, Jamieson, Rostamizadeh, Gonina, Ben-Tzur, Hardt, Recht & Talwalkar, A system for massively parallel
    hyperparameter tuning (2020), algorithm 2.
"""

import math
from collections.abc import Iterable

from jaxnn import checks

FACTOR = 3  # η; Li et al. (2018) advise 3 or 4


def rungs(least: int, most: int, factor: int = FACTOR) -> tuple[int, ...]:
    """The epochs after which trials are judged: ⌈most / ηᵏ⌉ for k = K, …, 0, with the largest K of least ηᴷ ≤ most.

    Args:
        least: epochs that every trial gets at least, ≥ 1.
        most: epochs of a trial that is never stopped, ≥ least; the last rung.
        factor: η ≥ 2.

    Returns:
        Increasing epochs, of which the last is `most`.

    Raises:
        ValueError: a number is too small, or least > most.
        TypeError: a number is not whole.
    """
    checks.whole(1, least=least, most=most)
    checks.whole(2, factor=factor)
    if least > most:
        raise ValueError(f"least must be at most most, the epochs of a whole trial, got least={least} and most={most}.")
    found = [most]
    power = factor
    while least * power <= most:
        found.append(-(-most // power))
        power *= factor
    return tuple(reversed(found))


def promoted(score: float, others: Iterable[float], factor: int = FACTOR) -> bool:
    """Whether a trial goes on from a rung: it is among the best ⌊n/η⌋ of the n recorded there, itself included.

    As long as fewer than η are recorded, each goes on. Equal scores go on together. Scores of trials that diverged, nan
    or infinite, count as the worst, and never go on.

    Args:
        score: of the trial at the rung; lower is better.
        others: scores of all other trials that came to this rung.
        factor: η ≥ 2.

    Raises:
        ValueError: the factor is too small.
        TypeError: the factor is not whole.
    """
    checks.whole(2, factor=factor)
    if not math.isfinite(score):
        return False
    recorded = list(others)
    count = len(recorded) + 1
    better = sum(math.isfinite(other) and other < score for other in recorded)
    return count < factor or better < count // factor
