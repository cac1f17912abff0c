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
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np

from jaxnn import checks, html
from jaxnn.types import Params, Scalar
from jaxnn.verify.certificates import probes, spectra
from jaxnn.verify.certificates.neighbourhood import Neighbourhood, Rounding
from jaxnn.verify.certificates.spectra import SAFETY, Curvature

MINIMUM = "minimum"
DEGENERATE = "degenerate minimum"
SADDLE = "saddle"
NOT_STATIONARY = "not stationary"
UNDECIDED = "not decidable in this precision"
VERDICTS = (MINIMUM, DEGENERATE, SADDLE, NOT_STATIONARY, UNDECIDED)

DENSE_LIMIT = 2048  # parameters up to which the whole Hessian is formed
NULL = 1e-10  # of ‖H‖: eigenvalues must be sure to it before one is called null
JUMP = 1e6  # times what the Hessian explains: a gradient that changes so much by rounding has a kink
OPTIONAL = ("rank", "null_directions", "descent_direction")  # of what a certificate says


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

    @property
    def _facts(self) -> dict[str, str]:
        """The numbers behind the verdict, as text by name."""
        known = "" if self.rank is None else f", rank {self.rank}"
        return {
            "J": f"{self.value:.8g}, {self.size} parameters, {self.dtype}, {self.method}",
            "gradient norm": f"{self.gradient_norm:.2g}, 0 to within {self.gradient_bound:.2g}",
            "Newton decrement": f"{self.newton_decrement:.2g}, with a step of length {self.distance:.2g}",
            "eigenvalues": f"{self.min_eigenvalue:.6g} to {self.max_eigenvalue:.6g},"
            f" each to within {self.eigenvalue_bound:.2g}",
            "condition": f"{self.condition:.2g}{known}",
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: the same as `print`."""
        return html.page(f"{self.verdict}: {self.reason}", html.facts(self._facts))

    def __str__(self) -> str:
        facts = (f"  {name:<16}  {value}" for name, value in self._facts.items())
        return "\n".join((f"{self.verdict}: {self.reason}", *facts))


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
    neighbourhood = Neighbourhood(objective, params, batch, key, compiler_options)
    rounding = neighbourhood.rounding()
    dense = neighbourhood.size <= dense_limit
    spectrum = spectra.dense if dense else spectra.extremes_only
    known, reason = None, "J or its gradient is not finite here"
    if np.isfinite(rounding.value) and np.isfinite(rounding.gradient).all():
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            known, reason = spectrum(neighbourhood, rounding), "its Hessian is not finite here"
        if known is not None and 0 < max(abs(known.max_eigenvalue), abs(known.min_eigenvalue)) < neighbourhood.smallest:
            known, reason = None, "J is so flat here that its derivatives underflow"
    norm = _length(rounding.gradient)
    common: dict[str, Any] = {
        "gradient_norm": norm,
        "value": rounding.value,
        "size": neighbourhood.size,
        "dtype": neighbourhood.dtype,
        "method": "dense" if dense else "lanczos",
    }
    if known is None:
        unknown = [field.name for field in fields(Certificate) if field.name not in (*common, "verdict", "reason")]
        common |= {name: None if name in OPTIONAL else float("nan") for name in unknown}
        return Certificate(**common, verdict=UNDECIDED, reason=reason)
    bounds = SAFETY * (
        rounding.gradient_change + neighbourhood.eps * np.sqrt(2 * np.abs(known.diagonal)) * abs(rounding.value) ** 0.5
    )
    gradient_bound = max(_length(bounds), float(gradient_tolerance))
    verdict, reason, descent = _verdict(neighbourhood, rounding, known, norm, bounds, float(gradient_tolerance))
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
        null_directions=_null_directions(neighbourhood, known),
        descent_direction=None
        if descent is None
        else neighbourhood.unravel(neighbourhood.point(descent / np.linalg.norm(descent))),
    )


def _verdict(
    neighbourhood: Neighbourhood,
    rounding: Rounding,
    known: Curvature,
    norm: float,
    bounds: np.ndarray,
    gradient_tolerance: float,
) -> tuple[str, str, np.ndarray | None]:
    """The verdict, why, and the direction of descent of a saddle.

    `bounds` are what each component of a gradient of 0 may come out as: its change by roundings of the parameters, and
    those of its own sum, whose terms add up to at most √(2 Hᵢᵢ J) for a mean of squares by Cauchy and Schwarz, H being
    Gauss and Newton's; other losses are alike.
    """
    unit, root = known.unit, neighbourhood.eps**0.5
    g, size = rounding.gradient, float(np.linalg.norm(np.asarray(neighbourhood.theta, np.float64) / unit))
    scale, jump = max(abs(known.least), abs(known.most)), float(np.linalg.norm(unit * rounding.gradient_change))
    if jump > JUMP * neighbourhood.eps * scale * size and jump > 1e-6 * np.linalg.norm(unit * g) > 0:
        return (
            UNDECIDED,
            f"the gradient jumps by {np.linalg.norm(rounding.gradient_change):.2g} within the rounding of the "
            "parameters, so J has a kink here and second derivatives are meaningless",
            None,
        )
    gained = known.decrement <= 4 * neighbourhood.eps * abs(rounding.value)
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
    found = probes.probe(neighbourhood, rounding, known.null, known.inverse, unit=unit, scale=scale)
    if found.descent is not None:
        return SADDLE, "J falls along a direction in which its Hessian is 0 to rounding", found.descent
    count = known.null.shape[1]
    if known.sure > NULL * scale:
        wider = "" if neighbourhood.eps < 1e-12 else "; use float64 (jax.enable_x64(True)) to decide"
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


def _null_directions(neighbourhood: Neighbourhood, known: Curvature) -> Params | None:
    """The null vectors, orthonormal as the parameters stand."""
    if not known.null.size:
        return None
    basis, _ = np.linalg.qr(known.null / np.linalg.norm(known.null, axis=0))
    return jax.vmap(neighbourhood.unravel)(neighbourhood.point(basis.T))
