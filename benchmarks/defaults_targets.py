"""Candidates of `benchmarks.defaults` for numbers that are positive: a network for their logarithm.

    log target              z = (log y - m) / s, squared error;       ŷ = exp(m + s o)
    log target, smearing    ŷ = exp(m + s o) · the training rows' mean of exp(log y - m - s o)
    Poisson                 loss exp(o) - (y / ȳ) o;                  ŷ = ȳ exp(o)
    …, bounded              the same ŷ, but between the least and the greatest y of the training rows

m and s are mean and standard deviation of log y in the training rows, and ȳ is the mean of y. The exponential of a mean
logarithm is rather the median of y than its mean, which smearing corrects. Poisson's loss needs no correction: it is
lowest at the mean, whatever the distribution is, and y may be 0. Bounds are tried because an exponential makes of a row
far from the training rows a prediction that is out of all proportion.

The best epoch is chosen by the loss that is trained. Candidates are compared, on validation rows too, by the squared
error of y itself.

References:
    Duan, Smearing estimate: a nonparametric retransformation method (1983).
    Gourieroux, Monfort & Trognon, Pseudo maximum likelihood methods (1984): Poisson's loss for what are no counts.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxnn import losses
from jaxnn.experiments.network import Network, network
from jaxnn.experiments.recipe import Recipe
from jaxnn.experiments.rows import Rows

ROUNDING = 1e-6  # of a standardised target in float32: what is nearer to 0 was 0
SHOWN = (
    *("default", "log target", "log target, smearing", "log target, smearing, bounded"),
    *("Poisson", "Poisson, bounded"),
)
Said = Callable[[Rows, np.ndarray], np.ndarray]


def in_own_units(rows: Rows) -> np.ndarray:
    """The target (n,) as it stands in the table, float64, with zeros that are zero."""
    y = rows.preprocessing.numbers(np.asarray(rows.y, np.float64))
    return np.where(np.abs(y) < ROUNDING * rows.preprocessing.target.scale, 0.0, y)


def positive(rows: Rows) -> bool:
    """Whether all training targets are > 0."""
    return not rows.problem.stratified and bool((in_own_units(rows)[rows.split.train] > 0).all())


def not_negative(rows: Rows) -> bool:
    """Whether all training targets are ≥ 0, and not all of them 0."""
    y = in_own_units(rows)[rows.split.train] if not rows.problem.stratified else np.zeros(1)
    return bool((y >= 0).all() and y.any())


def with_log_targets(rows: Rows) -> Rows:
    """Rows whose target is its standardised logarithm."""
    mean, scale = _of_logarithms(rows)
    return rows._replace(y=((_logarithms(rows) - mean) / scale).astype(rows.y.dtype)[:, None])


def _logarithms(rows: Rows) -> np.ndarray:
    """The logarithm of y (n,); of rows held out that have none, that of the least training row."""
    y = in_own_units(rows)
    return np.log(np.where(y > 0, y, y[rows.split.train].min()))


def _of_logarithms(rows: Rows) -> tuple[float, float]:
    known = _logarithms(rows)[rows.split.train]
    return float(known.mean()), float(known.std()) or 1.0


def from_logarithms(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    """The outputs of a network for logarithms, as outputs for the standardised target."""
    return _standardised(rows, np.exp(_said(rows, outputs)))


def smeared(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    """The same, as a mean instead of a median: Duan's factor from the residuals of the training rows."""
    said, train = _said(rows, outputs), rows.split.train
    factor = np.exp(_logarithms(rows)[train] - said[train]).mean()
    return _standardised(rows, np.exp(said) * factor)


def _said(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    mean, scale = _of_logarithms(rows)
    return np.asarray(mean + scale * np.asarray(outputs, np.float64)[:, 0])


def with_relative_targets(rows: Rows) -> Rows:
    """Rows whose target is divided by its mean over the training rows."""
    y = in_own_units(rows)
    return rows._replace(y=np.maximum(y / y[rows.split.train].mean(), 0).astype(rows.y.dtype)[:, None])


def with_poisson(rows: Rows, recipe: Recipe, *, seed: int) -> Network:
    """The network of a recipe, whose output is the logarithm of a mean."""
    made = network(rows, recipe, seed=seed)
    return made._replace(objective=dataclasses.replace(made.objective, loss=losses.poisson))


def from_rates(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    """The outputs of a network trained with Poisson's loss, as outputs for the standardised target."""
    mean = in_own_units(rows)[rows.split.train].mean()
    return _standardised(rows, mean * np.exp(np.asarray(outputs, np.float64)[:, 0]))


def bounded(said: Said) -> Said:
    """The same outputs, kept between the least and the greatest target of the training rows."""

    def within(rows: Rows, outputs: np.ndarray) -> np.ndarray:
        known = rows.y[rows.split.train]
        return np.clip(said(rows, outputs), known.min(), known.max())

    return within


def _standardised(rows: Rows, predicted: np.ndarray) -> np.ndarray:
    target = rows.preprocessing.target
    return np.asarray((predicted - target.mean) / target.scale)[:, None]


def shape(rows: Rows) -> dict[str, float]:
    """How skewed the target is: m₃ / m₂^(3/2), and its 95th percentile / its median where both are > 0."""
    y = in_own_units(rows)
    centred = y - y.mean()
    middle, high = np.quantile(y, (0.5, 0.95))
    found = {"skewness": float((centred**3).mean() / (centred**2).mean() ** 1.5)}
    return found | ({"tail": float(high / middle)} if y.min() >= 0 and middle > 0 else {})


def text(records: Sequence[Mapping[str, Any]], means: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A table in Markdown: of each table with a candidate of this page, its skewness and the scores, skewed ones first.

    Args:
        records: of one group, those of these candidates with their `shape`.
        means: name of a candidate -> table -> score.
    """
    shapes = {each["table"]: each["shape"] for each in records if each["name"] in SHOWN[1:]}
    if not shapes:
        return []
    lines = [
        f"| target | skewness | 95 % / median | {' | '.join(SHOWN)} |",
        f"|---|---:|---:|{'---:|' * len(SHOWN)}",
    ]
    for table in sorted(shapes, key=lambda name: -shapes[name]["skewness"]):
        found = shapes[table]
        tail = f"{found['tail']:.1f}" if "tail" in found else ""
        scores = (f"{means[name][table]:.3f}" if table in means[name] else "" for name in SHOWN)
        lines.append(f"| {table} | {found['skewness']:.1f} | {tail} | {' | '.join(scores)} |")
    return [*lines, ""]
