"""Standard errors of the parameters of a least-squares fit, and confidence bands of its curve.

At the minimum θ of Σᵢ wᵢ (yᵢ - f(xᵢ; θ))², with A = ∂f/∂θ there, n observations and p parameters:

    s² = Σ wᵢ (yᵢ - fᵢ)² / (n - p)            variance of an observation of weight 1
    C  = s² (Aᵀ W A)⁻¹                        covariance of the parameters; standard errors √Cⱼⱼ
    θⱼ ± t √Cⱼⱼ                               interval for a parameter, t of n - p degrees of freedom
    f(x) ± t √(gᵀ C g),   g = ∂f/∂θ at x      band for the curve; with + s² under the root for a new observation

They hold for independent errors of equal variance (or s²/wᵢ), and as far as f is linear in θ over that region: for the
parameters of a neural network, which are exchangeable and many, they mean little. C comes from the singular values of
√W A with its columns scaled to length one, not from AᵀA, which would lose half of the digits.

    solution = training.minimise(objective, params, batch, optimisers.levenberg_marquardt(), …)
    fitted = standard_errors.of(objective, solution.params, batch)
    fitted.errors, fitted.interval(0.95), fitted.band(x_new, 0.95)

Seber and Wild, Nonlinear regression (1989), sections 2.1 and 5.1; Bates and Watts, Nonlinear regression analysis and
its applications (1988), section 2.3.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import checks, losses
from jaxnn.derivatives import flat
from jaxnn.derivatives.jacobians import needs_split, output_jacobian
from jaxnn.objective import Objective, split
from jaxnn.types import Batch, Params


class Fitted(NamedTuple):
    """What a fit says of its parameters.

    Attributes:
        objective: whose `predict` is the curve.
        params: where the sum of squares is least, any pytree of p numbers.
        covariance: C, (p, p) in ravel order, float64.
        errors: the standard errors √Cⱼⱼ, a pytree like the parameters, float64 arrays.
        deviation: s, in the unit of the targets.
        degrees_of_freedom: n - p.
    """

    objective: Objective
    params: Params
    covariance: np.ndarray
    errors: Params
    deviation: float
    degrees_of_freedom: int

    def interval(self, level: float) -> tuple[Params, Params]:
        """The lower and the upper ends of an interval for each parameter, at a level in [0, 1], such as 0.95."""
        t = self._quantile(level)

        def ends(sign: float) -> Params:
            return jax.tree.map(lambda p, error: np.asarray(p, np.float64) + sign * t * error, self.params, self.errors)

        return ends(-1.0), ends(1.0)

    def band(self, x: Any, level: float, *, new: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper ends of a band for the curve, each like the outputs.

        Args:
            x: inputs, rows first.
            level: in [0, 1], for each row on its own.
            new: whether the band is for a new observation of weight 1 instead of for the curve.
        """
        outputs = np.asarray(self.objective.outputs(self.params, x), np.float64)
        # The targets are not looked at.
        a = np.asarray(output_jacobian(self.objective, self.params, (x, outputs)), np.float64)
        variance = np.einsum("ji,jk,ki->i", a, self.covariance, a) + new * self.deviation**2
        reach = self._quantile(level) * np.sqrt(np.maximum(variance, 0.0)).reshape(outputs.shape)
        return outputs - reach, outputs + reach

    def _quantile(self, level: float) -> float:
        """The t of a two-sided interval."""
        from scipy.special import stdtrit  # a dependency of jax

        checks.fraction(level=level)
        return float(stdtrit(self.degrees_of_freedom, (1 + level) / 2))


def of(objective: Any, params: Params, batch: Batch) -> Fitted:
    """What a fit says of its parameters.

    Args:
        objective: an `Objective` with the loss `squared_error` and without a penalty, whose predict treats each row on
            its own.
        params: its minimum, as `training.minimise` finds it, in float64 for all digits.
        batch: the (inputs, targets) that were fitted, or (inputs, targets, weight) with weights in proportion to one
            over the variance of the observation.

    Raises:
        ValueError: another loss, or a penalty; shapes that do not agree, or negative weights; a value or derivative
            that is not finite; no more observations than parameters; or parameters that the observations do not
            determine.
    """
    objective = needs_split(objective, "standard_errors.of")
    if objective.loss is not losses.squared_error or objective.penalty is not None:
        what = "a penalty" if objective.penalty is not None else "another loss"
        raise ValueError(f"Standard errors are those of least squares, and the objective has {what}: fit without it.")
    params = flat.floating(params)
    _refuse_not_finite("The sum of squares", objective(params, batch))  # checks shapes and weights too
    x, y, weight = split(batch)
    outputs = np.asarray(objective.outputs(params, x), np.float64)
    residuals = (np.asarray(y, np.float64) - outputs).reshape(len(outputs), -1)
    n_rows, k = residuals.shape
    root = np.ones(n_rows) if weight is None else np.sqrt(np.asarray(weight, np.float64))
    jacobian = np.asarray(output_jacobian(objective, params, batch))
    _refuse_not_finite("A derivative of the curve", jacobian)
    a = jacobian.astype(np.float64) * np.repeat(root, k)
    p, n = len(a), k * int(np.count_nonzero(root))
    if n <= p:
        raise ValueError(f"{p} parameters need more than {p} observations for standard errors, got {n}.")
    variance = float(((residuals * root[:, None]) ** 2).sum() / (n - p))
    covariance = variance * _inverse_of_square(a, float(np.finfo(jacobian.dtype).eps))
    errors = _like(params, np.sqrt(np.diag(covariance)))
    return Fitted(objective, params, covariance, errors, float(np.sqrt(variance)), n - p)


def _like(params: Params, vector: np.ndarray) -> Params:
    """A vector (p,) in ravel order as a tree like the parameters, in float64."""
    stops = iter(np.cumsum([np.size(leaf) for leaf in jax.tree.leaves(params)]).tolist())

    def part(leaf: Any) -> np.ndarray:
        stop = next(stops)
        return vector[stop - np.size(leaf) : stop].reshape(np.shape(leaf))

    return jax.tree.map(part, params)


def _refuse_not_finite(what: str, numbers: Any) -> None:
    """Raises ValueError if one of the numbers is infinite or NaN."""
    if not np.isfinite(np.asarray(numbers)).all():
        raise ValueError(
            f"{what} is infinite or NaN at these parameters: fit anew, or leave out the rows whose inputs or targets"
            " are missing."
        )


def _inverse_of_square(a: np.ndarray, precision: float) -> np.ndarray:
    """The inverse of A Aᵀ, for A (p, n) of rank p whose entries have the relative rounding `precision`.

    Raises:
        ValueError: the rank is lower, up to rounding.
    """
    lengths = np.sqrt((a**2).sum(axis=1))
    if not (lengths > 0).all():
        raise ValueError(
            f"Parameter {int(np.argmin(lengths))} of {len(a)}, in ravel order, has no influence on the observations, so"
            " they do not determine it."
        )
    u, sizes, _ = np.linalg.svd(a / lengths[:, None], full_matrices=False)
    # Of columns that depend on each other, 0.1 ε was measured; of NIST's models, 150 ε at least.
    if sizes[-1] <= max(10 * precision, a.shape[1] * np.finfo(np.float64).eps) * sizes[0]:
        mixed = np.flatnonzero(np.abs(u[:, -1]) > 0.1).tolist()
        raise ValueError(
            f"The observations do not determine parameters {mixed}, in ravel order, one by one: some change of them"
            " together leaves all predictions as they are. Fix one of them."
        )
    half = u / sizes / lengths[:, None]
    return half @ half.T
