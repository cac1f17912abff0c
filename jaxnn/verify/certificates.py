"""Is it a minimum? What gradient and Hessian say, with error bars, in five words.

    stationary      ‖g‖ within rounding; or that part of g which lies along null directions, and ½ gᵀ|H|⁻¹g within J's
                    own rounding, or within √ε |J| with ‖H⁻¹g‖ ≤ √ε ‖θ‖
    minimum         stationary, and λ_min > δ
    saddle          stationary, and λ_min < -δ; or J falls along a null direction (`probes`)
    degenerate minimum   stationary, |λ_min| ≤ δ, and J falls along no null direction

δ is what the eigenvalues are sure to: twice what H changes by, in norm, when every parameter is off by a rounding and
moves on to where the Newton step points, and 4 √n ε ‖H‖ for roundings of H's own entries. That is an estimate with a
margin and no proof, which would need interval arithmetic. Where δ is more than 1e-10 of ‖H‖, as it is in float32,
an eigenvalue within δ of 0 is called undecided, not null.

References:
    Boyd & Vandenberghe, Convex Optimization, 2004, section 9.5 (Newton decrement).
    Nocedal & Wright, Numerical Optimization, 2006, theorems 2.3 and 2.4.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn import checks, curvature
from jaxnn.types import Params, Scalar
from jaxnn.verify import probes
from jaxnn.verify.landscape import Landscape, Rounding

MINIMUM = "minimum"
DEGENERATE = "degenerate minimum"
SADDLE = "saddle"
NOT_STATIONARY = "not stationary"
UNDECIDED = "not decidable in this precision"
VERDICTS = (MINIMUM, DEGENERATE, SADDLE, NOT_STATIONARY, UNDECIDED)

DENSE_LIMIT = 2048  # parameters up to which the whole Hessian is formed
NULL = 1e-10  # of ‖H‖: eigenvalues must be sure to it before one is called null
JUMP = 1e6  # times what the Hessian explains: a gradient that changes so much by rounding has a kink
SAFETY = 4.0  # of what rounding is estimated to do
OPTIONAL = ("rank", "null_directions", "descent_direction")  # of what a certificate says
PRODUCTS = 500  # that conjugate gradients may take for the Newton step


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is known of a point; `print` it. Norms are Euclidean."""

    gradient_norm: float  # ‖∇J‖
    newton_decrement: float  # ½ gᵀ|H|⁻¹g off the null directions: what a Newton step is to gain; nan if unknown
    min_eigenvalue: float  # of the Hessian
    max_eigenvalue: float
    condition: float  # max|λ| / min|λ|; infinite where an eigenvalue may be 0; nan if only the ends are known
    verdict: str  # one of VERDICTS
    reason: str  # of the verdict, in words
    eigenvalue_bound: float  # δ: eigenvalues are sure to ± this
    gradient_bound: float  # a norm that ∇J cannot be told from 0 below
    distance: float  # ‖H⁻¹g‖: how far the Newton step goes, off the null directions; nan if unknown
    rank: int | None  # eigenvalues beyond the bound; None if only the ends are known
    null_directions: Params | None  # an orthonormal basis, like params with a leading axis; None if there are none
    descent_direction: Params | None  # of a saddle: of unit length, like params
    value: float  # J
    size: int  # the number of parameters
    dtype: str  # what it was computed in
    method: str  # "dense", or "lanczos" where only the ends of the spectrum are known

    def __str__(self) -> str:
        known = "" if self.rank is None else f", rank {self.rank}"
        return "\n".join(
            (
                f"{self.verdict}: {self.reason}",
                f"  J                 {self.value:.8g}, {self.size} parameters, {self.dtype}, {self.method}",
                f"  gradient norm     {self.gradient_norm:.2g}, 0 to within {self.gradient_bound:.2g}",
                f"  Newton decrement  {self.newton_decrement:.2g}, with a step of length {self.distance:.2g}",
                f"  eigenvalues       {self.min_eigenvalue:.6g} to {self.max_eigenvalue:.6g},"
                f" each to within {self.eigenvalue_bound:.2g}",
                f"  condition         {self.condition:.2g}{known}",
            )
        )


class _Curvature(NamedTuple):
    """What is known of the Hessian at a point."""

    min_eigenvalue: float
    max_eigenvalue: float
    bound: float  # δ
    lowest: np.ndarray  # the eigenvector of the smallest eigenvalue, (n,)
    null: np.ndarray  # null vectors in columns, (n, k); of those that are known
    inverse: np.ndarray  # columns v/√λ of the positive directions that are known, (n, r)
    outside: float  # ‖g‖ along null directions
    decrement: float
    distance: float
    condition: float
    rank: int | None


def certify(
    objective: Callable[..., Any],
    params: Params,
    batch: Any,
    *,
    key: Any = None,
    dense_limit: int = DENSE_LIMIT,
    gradient_tolerance: Scalar = 0.0,
    compiler_options: dict[str, Any] | None = None,
) -> Certificate:
    """What gradient and Hessian say of a point: a minimum, a saddle, neither, or nothing that can be decided.

    The Hessian is that of automatic differentiation: at a kink of ReLU or of an absolute error it is the one side's.

    Args:
        objective: an `Objective`, or any J(params, batch) giving a scalar.
        params: where; any pytree of floating-point arrays.
        batch: what J takes.
        key: for an objective that names one; the same for every evaluation.
        dense_limit: the most parameters for which the whole Hessian is formed, n² numbers, and decomposed. Beyond,
            Lanczos' process finds both ends of its spectrum, conjugate gradients the Newton step, from products alone.
        gradient_tolerance: ≥ 0; a gradient norm that is as good as 0 whatever the precision says.
        compiler_options: as `jax.jit` takes them.

    Returns:
        A `Certificate`.

    Raises:
        ValueError: J is no scalar, parameters are no floating-point numbers, an argument is out of range.
    """
    checks.whole(0, dense_limit=dense_limit)
    checks.non_negative(gradient_tolerance=gradient_tolerance)
    landscape = Landscape(objective, params, batch, key, compiler_options)
    rounding = landscape.rounding()
    dense = landscape.size <= dense_limit
    known, told = None, "J or its gradient is not finite here"
    if np.isfinite(rounding.value) and np.isfinite(rounding.gradient).all():
        known, told = (_dense if dense else _ends)(landscape, rounding), "its Hessian is not finite here"
    norm = float(np.linalg.norm(rounding.gradient))
    common: dict[str, Any] = {
        "gradient_norm": norm,
        "value": rounding.value,
        "size": landscape.size,
        "dtype": landscape.dtype,
        "method": "dense" if dense else "lanczos",
    }
    if known is None:
        unknown = [field.name for field in fields(Certificate) if field.name not in (*common, "verdict", "reason")]
        common |= {name: None if name in OPTIONAL else float("nan") for name in unknown}
        return Certificate(**common, verdict=UNDECIDED, reason=told)
    gradient_bound = max(_gradient_bound(landscape, rounding, known), float(gradient_tolerance))
    verdict, reason, descent = _verdict(landscape, rounding, known, norm, gradient_bound)
    return Certificate(
        **common,
        newton_decrement=known.decrement,
        min_eigenvalue=known.min_eigenvalue,
        max_eigenvalue=known.max_eigenvalue,
        condition=known.condition,
        verdict=verdict,
        reason=reason,
        eigenvalue_bound=known.bound,
        gradient_bound=gradient_bound,
        distance=known.distance,
        rank=known.rank,
        null_directions=jax.vmap(landscape.unravel)(landscape.point(known.null.T)) if known.null.size else None,
        descent_direction=None if descent is None else landscape.unravel(landscape.point(descent)),
    )


def _verdict(
    landscape: Landscape, rounding: Rounding, known: _Curvature, norm: float, gradient_bound: float
) -> tuple[str, str, np.ndarray | None]:
    """The verdict, why, and the direction of descent of a saddle."""
    scale = max(abs(known.min_eigenvalue), abs(known.max_eigenvalue))
    expected = landscape.eps * scale * float(np.linalg.norm(np.asarray(landscape.theta, np.float64)))
    if rounding.gradient_change > JUMP * expected and rounding.gradient_change > 1e-6 * norm > 0:
        return (
            UNDECIDED,
            f"the gradient jumps by {rounding.gradient_change:.2g} within the rounding of the parameters: J has a kink "
            "here, where second derivatives say nothing",
            None,
        )
    gained = known.decrement <= 4 * landscape.eps * abs(rounding.value)
    near = known.distance <= landscape.eps**0.5 * float(np.linalg.norm(np.asarray(landscape.theta, np.float64)))
    # a step that is short beside the largest parameter may be long for another: it must gain next to nothing as well
    near = near and known.decrement <= max(landscape.eps**0.5 * abs(rounding.value), 10 * rounding.value_change)
    if not (norm <= gradient_bound or (known.outside <= gradient_bound and (gained or near))):
        return (
            NOT_STATIONARY,
            f"the gradient's norm is {norm:.2g}, of which rounding explains {gradient_bound:.2g}",
            None,
        )
    if known.min_eigenvalue < -known.bound:
        down = known.lowest * (-1.0 if rounding.gradient @ known.lowest > 0 else 1.0)
        everywhere = ", and along every other: this is a maximum" if known.max_eigenvalue < -known.bound else ""
        return SADDLE, f"J falls along the eigenvector of {known.min_eigenvalue:.3g}{everywhere}", down
    if known.min_eigenvalue > known.bound:
        return MINIMUM, f"every eigenvalue is above {known.min_eigenvalue - known.bound:.3g}", None
    found = probes.probe(landscape, rounding, known.null, known.inverse)
    if found.descent is not None:
        return SADDLE, "J falls along a direction that its Hessian cannot tell from a null one", found.descent
    count = known.null.shape[1]
    if known.bound > NULL * max(abs(known.min_eigenvalue), abs(known.max_eigenvalue)):
        wider = "" if landscape.eps < 1e-12 else ": float64 would tell, under jax.enable_x64(True)"
        some = "an eigenvalue is" if count == 1 else f"{count} eigenvalues are"
        return UNDECIDED, f"{some} within {known.bound:.2g} of 0 and may have either sign{wider}", None
    how = "rises by terms of higher order" if found.rises else "is flat"
    some = "a null direction" if count == 1 else f"{count} null directions"
    return DEGENERATE, f"the Hessian has {some}, along which J {how} as far as was looked", None


def _gradient_bound(landscape: Landscape, rounding: Rounding, known: _Curvature) -> float:
    """What a gradient of 0 may come out as.

    Its change by roundings of the parameters, and those of its own sum: for a mean of squares the terms of ∇J add up to
    at most √(2 tr(H) J) in norm by Cauchy and Schwarz, H being Gauss and Newton's, and other losses are alike.
    """
    scale = max(abs(known.min_eigenvalue), abs(known.max_eigenvalue))
    trace = scale * (landscape.size if known.rank is None else max(known.rank, 1))
    return SAFETY * (rounding.gradient_change + landscape.eps * float(np.sqrt(2 * trace * abs(rounding.value))))


def _dense(landscape: Landscape, rounding: Rounding) -> _Curvature | None:
    """From the whole Hessian, decomposed in float64 whatever it was computed in."""
    theta, g = np.asarray(landscape.theta, np.float64), rounding.gradient
    matrix = landscape.hessian(landscape.theta)
    if not np.isfinite(matrix).all():
        return None
    values, vectors = np.linalg.eigh(matrix)
    rounded = len(g) ** 0.5 * landscape.eps * float(np.abs(values).max())
    along = vectors.T @ g
    step = -vectors @ np.where(np.abs(values) > rounded, along / np.where(values == 0, 1, values), 0)
    near = np.linalg.norm(step) <= landscape.eps**0.5 * np.linalg.norm(theta)
    other = landscape.hessian(landscape.point(landscape.neighbours(1)[0] + (step if near else 0)))
    drift = float(np.abs(np.linalg.eigvalsh(other - matrix)).max()) if np.isfinite(other).all() else np.inf
    bound = SAFETY * rounded + 2 * drift
    null, positive = np.abs(values) <= bound, values > bound
    size = np.where(null, np.inf, np.abs(values))
    least, most = float(np.abs(values).min()), float(np.abs(values).max())
    return _Curvature(
        min_eigenvalue=float(values[0]),
        max_eigenvalue=float(values[-1]),
        bound=bound,
        lowest=vectors[:, 0],
        null=vectors[:, null],
        inverse=vectors[:, positive] / np.sqrt(values[positive]),
        outside=float(np.linalg.norm(along[null])),
        decrement=float(0.5 * np.sum(along**2 / size)),
        distance=float(np.linalg.norm(along / size)),
        condition=np.inf if null.any() else most / least,
        rank=int((~null).sum()),
    )


def _ends(landscape: Landscape, rounding: Rounding) -> _Curvature | None:
    """From products with vectors: the spectrum's ends by Lanczos' process, the Newton step by conjugate gradients.

    The decrement of conjugate gradients only grows with their steps: it is a lower bound where they did not converge.
    """
    n = landscape.size

    def extremes(theta: Any, given: Any) -> Any:
        def product(v: Any) -> Any:
            return landscape.traced_product(theta, v, given)

        return curvature.extreme_eigenpairs(product, n, key=jax.random.key(0), dtype=theta.dtype)

    found = landscape.compiled(extremes)(landscape.theta)
    low, high = float(found.smallest.value), float(found.largest.value)
    if not np.isfinite((low, high)).all():
        return None
    lowest, scale = found.smallest.vector, max(abs(low), abs(high))
    here, moved = (
        landscape.product(landscape.point(theta), landscape.point(lowest))
        for theta in (landscape.theta, landscape.neighbours(1)[0])
    )
    residual = max(float(found.smallest.residual), float(found.largest.residual))
    bound = residual + 2 * float(np.linalg.norm(moved - here)) + SAFETY * n**0.5 * landscape.eps * scale
    g, definite = rounding.gradient, low > bound
    step = _newton_step(landscape, g) if definite else np.full(n, np.nan)
    null = np.zeros((n, 0)) if abs(low) > bound else lowest[:, None]
    return _Curvature(
        min_eigenvalue=low,
        max_eigenvalue=high,
        bound=bound,
        lowest=lowest,
        null=null,
        inverse=np.zeros((n, 1)),
        outside=0.0 if definite else float(np.linalg.norm(g)),
        decrement=float(-0.5 * g @ step),
        distance=float(np.linalg.norm(step)),
        condition=high / low if definite else np.inf if null.size else np.nan,
        rank=n if definite else None,
    )


def _newton_step(landscape: Landscape, g: np.ndarray) -> np.ndarray:
    """-H⁻¹ g by conjugate gradients, H positive definite."""

    def solve(theta: Any, g: Any, given: Any) -> Any:
        product = lambda v: landscape.traced_product(theta, v, given)
        return jax.scipy.sparse.linalg.cg(product, -g, tol=1e-6, maxiter=min(2 * landscape.size, PRODUCTS))[0]

    return landscape.compiled(solve)(landscape.theta, landscape.point(g))
