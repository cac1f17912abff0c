"""Is a point a minimum? One of five verdicts from the gradient and the Hessian, with error bars.

    stationary      every |gᵢ| within rounding; or that part of g which lies along null directions, and ½ gᵀ|H|⁻¹g
                    within J's own rounding, or within √ε |J| with ‖H⁻¹g‖ ≤ √ε ‖θ‖
    minimum         stationary, and λ_min > δ
    saddle          stationary, and λ_min < -δ; or J falls along a null direction (`probes`)
    degenerate minimum   stationary, |λ_min| ≤ δ, and J falls along no null direction

Each parameter is measured in a unit in which its own curvature is 1, uᵢ = |Hᵢᵢ|^-½, so a change of units changes no
verdict: H above is then diag(u) H diag(u), whose eigenvalues have the signs of those of H. The eigenvalues and the
condition number that a certificate reports are those of H itself. If only the extreme eigenvalues are known, uᵢ = 1.

δ is the error bound of the eigenvalues: twice the change of H, in norm, when every parameter is off by a rounding and
takes the Newton step, plus 4 √n ε ‖H‖ for roundings of H's own entries. It is an estimate with a margin, not a proof,
which would need interval arithmetic. If δ exceeds 1e-10 of ‖H‖, as in float32, an eigenvalue within δ of 0 is called
undecided, not null.

References:
    Boyd & Vandenberghe, Convex Optimization, 2004, section 9.5 (Newton decrement).
    Nocedal & Wright, Numerical Optimization, 2006, theorems 2.3 and 2.4.
    Ruiz, A scaling algorithm to equilibrate both rows and columns norms in matrices, 2001.
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
EVENINGS = 20  # of the units; each halves, in decades, what is above 1
PRODUCTS = 500  # that conjugate gradients may take for the Newton step


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is known about a point; `print` it. Norms are Euclidean."""

    gradient_norm: float  # ‖∇J‖
    newton_decrement: float  # ½ gᵀ|H|⁻¹g off the null directions: the expected gain of a Newton step; nan if unknown
    min_eigenvalue: float  # of the Hessian
    max_eigenvalue: float
    condition: float  # max|λ| / min|λ|; infinite if an eigenvalue may be 0; nan if only the extremes are known
    verdict: str  # one of VERDICTS
    reason: str  # of the verdict, as a sentence
    eigenvalue_bound: float  # δ: the error bound of each eigenvalue
    gradient_bound: float  # below this norm, ∇J cannot be distinguished from 0
    distance: float  # ‖H⁻¹g‖: how far the Newton step goes, off the null directions; nan if unknown
    rank: int | None  # eigenvalues beyond the bound; None if only the extremes are known
    null_directions: Params | None  # an orthonormal basis, like params with a leading axis; None if there are none
    descent_direction: Params | None  # of a saddle: of unit length, like params
    value: float  # J
    size: int  # the number of parameters
    dtype: str  # what it was computed in
    method: str  # "dense", or "lanczos" if only the extreme eigenvalues are known

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
    """What is known of the Hessian at a point: as it stands, and with the parameters in their units."""

    min_eigenvalue: float  # as it stands
    max_eigenvalue: float
    bound: float  # δ of these
    diagonal: np.ndarray  # of the Hessian (n,)
    unit: np.ndarray  # u (n,)
    least: float  # the smallest eigenvalue in these units
    most: float
    sure: float  # δ of these
    lowest: np.ndarray  # the eigenvector of the smallest eigenvalue, back in the parameters, as the next two (n,)
    null: np.ndarray  # null vectors in columns, (n, k); of those that are known
    inverse: np.ndarray  # columns v/√λ of the positive directions that are known, (n, r)
    outside: np.ndarray  # g along null directions, back in the parameters (n,)
    decrement: float
    distance: float  # ‖H⁻¹g‖, as the parameters stand
    reach: float  # the same, in their units
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
    """Classifies a point by its gradient and Hessian: minimum, saddle, neither, or undecidable.

    The Hessian is that of automatic differentiation: at a kink of ReLU or of an absolute error, it is that of one side.

    Args:
        objective: an `Objective`, or any J(params, batch) giving a scalar.
        params: the point; any pytree of floating-point arrays.
        batch: the batch that J takes.
        key: for an objective with a `key` argument; the same for every evaluation.
        dense_limit: the most parameters for which the whole Hessian is formed, n² numbers, and decomposed. Beyond it,
            Lanczos' process finds the extreme eigenvalues and conjugate gradients the Newton step, from products alone.
        gradient_tolerance: ≥ 0; a gradient norm that counts as 0 in any precision.
        compiler_options: as `jax.jit` takes them.

    Returns:
        A `Certificate`.

    Raises:
        ValueError: J is not a scalar, parameters are not floating-point numbers, or an argument is out of range.
    """
    checks.whole(0, dense_limit=dense_limit)
    checks.non_negative(gradient_tolerance=gradient_tolerance)
    landscape = Landscape(objective, params, batch, key, compiler_options)
    rounding = landscape.rounding()
    dense = landscape.size <= dense_limit
    known, reason = None, "J or its gradient is not finite here"
    if np.isfinite(rounding.value) and np.isfinite(rounding.gradient).all():
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            known, reason = (_dense if dense else _ends)(landscape, rounding), "its Hessian is not finite here"
        if known is not None and 0 < max(abs(known.max_eigenvalue), abs(known.min_eigenvalue)) < landscape.smallest:
            known, reason = None, "J is so flat here that its derivatives underflow"
    norm = _length(rounding.gradient)
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
        return Certificate(**common, verdict=UNDECIDED, reason=reason)
    bounds = SAFETY * (
        rounding.gradient_change + landscape.eps * np.sqrt(2 * np.abs(known.diagonal)) * abs(rounding.value) ** 0.5
    )
    gradient_bound = max(_length(bounds), float(gradient_tolerance))
    verdict, reason, descent = _verdict(landscape, rounding, known, norm, bounds, float(gradient_tolerance))
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
        null_directions=_null_directions(landscape, known),
        descent_direction=None
        if descent is None
        else landscape.unravel(landscape.point(descent / np.linalg.norm(descent))),
    )


def _verdict(
    landscape: Landscape,
    rounding: Rounding,
    known: _Curvature,
    norm: float,
    bounds: np.ndarray,
    gradient_tolerance: float,
) -> tuple[str, str, np.ndarray | None]:
    """The verdict, why, and the direction of descent of a saddle.

    `bounds` are what each component of a gradient of 0 may come out as: its change by roundings of the parameters, and
    those of its own sum, whose terms add up to at most √(2 Hᵢᵢ J) for a mean of squares by Cauchy and Schwarz, H being
    Gauss and Newton's; other losses are alike.
    """
    unit, root = known.unit, landscape.eps**0.5
    g, size = rounding.gradient, float(np.linalg.norm(np.asarray(landscape.theta, np.float64) / unit))
    scale, jump = max(abs(known.least), abs(known.most)), float(np.linalg.norm(unit * rounding.gradient_change))
    if jump > JUMP * landscape.eps * scale * size and jump > 1e-6 * np.linalg.norm(unit * g) > 0:
        return (
            UNDECIDED,
            f"the gradient jumps by {np.linalg.norm(rounding.gradient_change):.2g} within the rounding of the "
            "parameters, so J has a kink here and second derivatives are meaningless",
            None,
        )
    gained = known.decrement <= 4 * landscape.eps * abs(rounding.value)
    near = known.reach <= root * size
    # a step that is short relative to the largest parameter may be long for another: it must also gain almost nothing
    near = near and known.decrement <= max(root * abs(rounding.value), 10 * rounding.value_change)
    flat = bool((np.abs(g) <= bounds).all()) or norm <= gradient_tolerance != 0
    if not (flat or ((np.abs(known.outside) <= bounds).all() and (gained or near))):
        worst = int(np.argmax(np.abs(g) - bounds))
        return (
            NOT_STATIONARY,
            f"the gradient's norm is {norm:.2g}; its component {worst} is {g[worst]:.2g}, but rounding explains only "
            f"{bounds[worst]:.2g}",
            None,
        )
    if known.least < -known.sure:
        down = known.lowest * (-1.0 if g @ known.lowest > 0 else 1.0)
        everywhere = ", and along every other one, so this is a maximum" if known.most < -known.sure else ""
        if known.min_eigenvalue < -known.bound:
            return SADDLE, f"J falls along the eigenvector of {known.min_eigenvalue:.3g}{everywhere}", down
        return SADDLE, f"J falls when each parameter is scaled by its own curvature{everywhere}", down
    if known.least > known.sure:
        if known.min_eigenvalue > known.bound:
            return MINIMUM, f"every eigenvalue is above {known.min_eigenvalue - known.bound:.3g}", None
        return (
            MINIMUM,
            f"with each parameter scaled by its own curvature, every eigenvalue is above "
            f"{known.least - known.sure:.3g}",
            None,
        )
    found = probes.probe(landscape, rounding, known.null, known.inverse, unit=unit, scale=scale)
    if found.descent is not None:
        return SADDLE, "J falls along a direction in which its Hessian is 0 to rounding", found.descent
    count = known.null.shape[1]
    if known.sure > NULL * scale:
        wider = "" if landscape.eps < 1e-12 else "; use float64 (jax.enable_x64(True)) to decide"
        some = "an eigenvalue is" if count == 1 else f"{count} eigenvalues are"
        measured = "" if (unit == 1).all() else ", with each parameter scaled by its own curvature,"
        return UNDECIDED, f"{some} within {known.sure:.2g} of 0{measured} and may have either sign{wider}", None
    how = "rises by terms of higher order" if found.rises else "is flat"
    some = "a null direction" if count == 1 else f"{count} null directions"
    return DEGENERATE, f"the Hessian has {some}, along which J {how} as far as was probed", None


def _length(v: np.ndarray) -> float:
    """‖v‖, whose squares neither overflow nor vanish."""
    largest = float(np.abs(v).max(initial=0.0))
    return largest * float(np.linalg.norm(v / largest)) if 0 < largest < np.inf else largest


def _null_directions(landscape: Landscape, known: _Curvature) -> Params | None:
    """The null vectors, orthonormal as the parameters stand."""
    if not known.null.size:
        return None
    basis, _ = np.linalg.qr(known.null / np.linalg.norm(known.null, axis=0))
    return jax.vmap(landscape.unravel)(landscape.point(basis.T))


def _units(matrix: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """|Hᵢᵢ|^-½; without a curvature of its own, the parameter itself, or 1 where that is 0.

    Where mixed curvatures exceed the parameters' own, as at a saddle, or where one's own is rounding, the units are
    evened out (Ruiz 2001) until next to none does.
    """
    diagonal, mixed = np.abs(np.diagonal(matrix)), np.abs(matrix)
    unit = np.where(theta != 0, np.abs(theta), 1.0)
    unit = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), unit)
    for _ in range(EVENINGS):
        largest = unit * np.max(mixed * unit, axis=1)
        unit = unit / np.sqrt(np.maximum(largest, 1.0))
    return unit


def _dense(landscape: Landscape, rounding: Rounding) -> _Curvature | None:
    """From the whole Hessian, decomposed in float64 whatever it was computed in."""
    theta = np.asarray(landscape.theta, np.float64)
    matrix = landscape.hessian(landscape.theta)
    if not np.isfinite(matrix).all():
        return None
    unit = _units(matrix, theta)
    outer = unit[:, None] * unit
    scaled, g = matrix * outer, rounding.gradient * unit
    values, vectors = np.linalg.eigh(scaled)
    rounded = len(g) ** 0.5 * landscape.eps * float(np.abs(values).max())
    along = vectors.T @ g
    step = -vectors @ np.where(np.abs(values) > rounded, along / np.where(values == 0, 1, values), 0)
    near = np.linalg.norm(step) <= landscape.eps**0.5 * np.linalg.norm(theta / unit)
    other = landscape.hessian(landscape.point(landscape.neighbours(1)[0] + (unit * step if near else 0)))
    sure = SAFETY * rounded + 2 * _norm((other - matrix) * outer)
    null, positive = np.abs(values) <= sure, values > sure
    size = np.where(null, np.inf, np.abs(values))
    move = -vectors @ (along / size)
    raw = np.linalg.eigvalsh(matrix)
    bound = SAFETY * len(g) ** 0.5 * landscape.eps * float(np.abs(raw).max()) + 2 * _norm(other - matrix)
    least, most = float(np.abs(raw).min()), float(np.abs(raw).max())
    return _Curvature(
        min_eigenvalue=float(raw[0]),
        max_eigenvalue=float(raw[-1]),
        bound=bound,
        unit=unit,
        diagonal=np.diagonal(matrix),
        least=float(values[0]),
        most=float(values[-1]),
        sure=sure,
        lowest=unit * vectors[:, 0],
        null=unit[:, None] * vectors[:, null],
        inverse=unit[:, None] * vectors[:, positive] / np.sqrt(values[positive]),
        outside=vectors[:, null] @ along[null] / unit,
        decrement=float(0.5 * np.sum(along**2 / size)),
        distance=float(np.linalg.norm(unit * move)),
        reach=float(np.linalg.norm(move)),
        condition=np.inf if null.any() or least <= bound else most / least,
        rank=int((~null).sum()),
    )


def _norm(matrix: np.ndarray) -> float:
    """The largest magnitude of an eigenvalue."""
    return float(np.abs(np.linalg.eigvalsh(matrix)).max()) if np.isfinite(matrix).all() else np.inf


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
        unit=np.ones(n),
        diagonal=np.full(n, scale),  # at most: the exact one would take n products
        least=low,
        most=high,
        sure=bound,
        lowest=lowest,
        null=null,
        inverse=np.zeros((n, 1)),
        outside=np.zeros(n) if definite else g,
        decrement=float(-0.5 * g @ step),
        distance=float(np.linalg.norm(step)),
        reach=float(np.linalg.norm(step)),
        condition=high / low if definite else np.inf if null.size else np.nan,
        rank=n if definite else None,
    )


def _newton_step(landscape: Landscape, g: np.ndarray) -> np.ndarray:
    """-H⁻¹ g by conjugate gradients, H positive definite."""

    def solve(theta: Any, g: Any, given: Any) -> Any:
        product = lambda v: landscape.traced_product(theta, v, given)
        return jax.scipy.sparse.linalg.cg(product, -g, tol=1e-6, maxiter=min(2 * landscape.size, PRODUCTS))[0]

    return landscape.compiled(solve)(landscape.theta, landscape.point(g))
