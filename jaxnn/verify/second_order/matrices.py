"""Hessians: the structured recursion and the general way against `jax.hessian`, differences and closed forms.

Each part is a function of what it checks, so a fault can be planted: `structured`, `general`, `closed`,
`certified`. All in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxnn import derivatives, losses, mlp
from jaxnn.derivatives import check_hessian
from jaxnn.objective import Objective, l2
from jaxnn.types import Batch, Params
from jaxnn.verify.certificates import certify
from jaxnn.verify.compiling import quick_to_compile
from jaxnn.verify.first_order import networks
from jaxnn.verify.second_order import closed_forms
from jaxnn.verify.table import FAILED, HOLDS, Row, verdict_of

DRAWS = 3  # of parameters and data for each network
BY_DIFFERENCES = 1e-8  # of the largest entry: differences of gradients are sure to about 1e-9
SLOPE = 0.1  # that the measured order of central differences may be off from 2
CHOSEN = (0, 2, 4, 6, 8, 11)  # of `networks.cases()`: every loss and depth, with biases and without
EXACT = 1e-12  # of the largest entry: the same sums of products, in another order

STRUCTURED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "mlp_hessian": derivatives.mlp_hessian,
        "mlp_hessian_blocks": derivatives.mlp_hessian_blocks,
        "mlp_hessian_diagonal": derivatives.mlp_hessian_diagonal,
        "mlp_hessian_trace": derivatives.mlp_hessian_trace,
    }
)
GENERAL: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "hessian": derivatives.hessian,
        "hessian_blocks": derivatives.hessian_blocks,
        "hessian_diagonal": derivatives.hessian_diagonal,
        "hvp": derivatives.hvp,
        "gauss_newton_matrix": derivatives.gauss_newton_matrix,
        "gauss_newton_vp": derivatives.gauss_newton_vp,
        "fisher": derivatives.fisher,
        "empirical_fisher": derivatives.empirical_fisher,
    }
)


def check() -> list[Row]:
    """Every row of the group "hessian", in float64 whatever the caller computes in."""
    parts: tuple[Callable[[], list[Row]], ...] = (
        partial(structured, STRUCTURED),
        partial(general, GENERAL),
        partial(closed, derivatives.hessian, derivatives.mlp_hessian),
        partial(by_differences, derivatives.hessian, derivatives.mlp_hessian),
        partial(certified, certify),
    )
    with ThreadPoolExecutor() as pool:  # compiling, which is what takes time, lets threads run
        return [row for found in pool.map(_in_float64, parts) for row in found]


def _in_float64(part: Callable[[], list[Row]]) -> list[Row]:
    with jax.enable_x64(True):
        return part()


def structured(ways: Mapping[str, Callable[..., Any]], chosen: Sequence[int] = CHOSEN) -> list[Row]:
    """The block recursion against `jax.hessian`, over networks of depth 1 to 5, with every loss.

    Args:
        ways: as `STRUCTURED` is.
        chosen: which of `networks.cases()`, an even number of them.
    """
    rng = np.random.default_rng(5)
    drawn = networks.cases()
    cases = [drawn[i] for i in chosen]
    given = [
        (jax.tree.map(lambda leaf: leaf[:DRAWS], (case.params, case.data)), rng.uniform(size=(DRAWS, networks.BATCH)))
        for case in cases
    ]

    penalties = [None, l2(0.1)] * (len(cases) // 2)

    @partial(jax.jit, compiler_options=quick_to_compile())  # one program: so they compile fastest
    def errors(given: Sequence[Any]) -> list[dict[str, Any]]:
        def one(case: networks.Network, penalty: Any, drawn: tuple[Params, Batch], weight: Any) -> dict[str, Any]:
            params, (x, y) = drawn
            objective = Objective(partial(mlp.apply, activation=case.activation), losses.TABLE[case.loss], penalty)
            return _structured_errors(ways, objective, params, (x, y, weight), case.activation)

        return [
            jax.vmap(partial(one, case, penalty))(*each)
            for case, penalty, each in zip(cases, penalties, given, strict=True)
        ]

    found = errors(given)
    rows = []
    for case, penalty, apart in zip(cases, penalties, found, strict=True):
        shape = "-".join(map(str, case.sizes))
        for kind, reference in (("hessian", "jax.hessian"), ("gauss_newton", "jax.hessian, linearised")):
            how = f"{case.loss}, {shape}, {DRAWS} weighted draws{', l2' if penalty else ''}"
            rule = "mlp_hessian" if kind == "hessian" else "mlp_hessian, Gauss-Newton"
            rows.append(_exact(rule, reference, how, float(apart[kind].max())))
    for name in ("blocks", "diagonal", "trace"):
        how = f"the same {len(cases)} networks"
        rows.append(_exact(f"mlp_hessian_{name}", "jax.hessian", how, max(float(apart[name].max()) for apart in found)))
    return rows


def _structured_errors(
    ways: Mapping[str, Callable[..., Any]], objective: Objective, params: Params, batch: Batch, activation: Any
) -> dict[str, Any]:
    matrix, gauss_newton = _by_jax(objective, params, batch)
    words = {"activation": activation}
    blocks = ways["mlp_hessian_blocks"](objective, params, batch, **words)
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(layer)) for layer in params]
    ends = np.cumsum([0, *sizes])
    of_layers = [matrix[a:b, a:b] for a, b in pairwise(ends)]
    by_recursion = partial(ways["mlp_hessian"], objective, params, batch, **words)
    return {
        "hessian": _apart(by_recursion(), matrix),
        "gauss_newton": _apart(by_recursion(kind="gauss_newton"), gauss_newton, matrix),
        "blocks": jnp.stack([_apart(a, b, matrix) for a, b in zip(blocks, of_layers, strict=True)]).max(),
        "diagonal": _apart(
            ways["mlp_hessian_diagonal"](objective, params, batch, **words), jnp.diagonal(matrix), matrix
        ),
        "trace": _apart(ways["mlp_hessian_trace"](objective, params, batch, **words), jnp.trace(matrix), matrix),
    }


def _by_jax(objective: Objective, params: Params, batch: Batch) -> tuple[Any, Any]:
    """The Hessian, and Gauss-Newton's matrix: the Hessian where the prediction is replaced by its tangent."""
    theta, unravel = ravel_pytree(params)
    matrix = jax.hessian(lambda theta: objective(unravel(theta), batch))(theta)
    outputs, tangent = jax.linearize(lambda theta: objective.predict(unravel(theta), batch[0]), theta)
    flattened = Objective(lambda moved, x: outputs + tangent(moved - theta), objective.loss, objective.penalty)
    return matrix, jax.hessian(lambda theta: _penalised(flattened, theta, unravel, batch))(theta)


def _penalised(objective: Objective, theta: Any, unravel: Callable[[Any], Params], batch: Batch) -> Any:
    value = objective.mean_loss(theta, batch)
    return value if objective.penalty is None else value + objective.penalty(unravel(theta))


def general(ways: Mapping[str, Callable[..., Any]]) -> list[Row]:
    """What takes any function, and any predict and loss, against `jax.hessian` and per-example gradients.

    Args:
        ways: as `GENERAL` is.
    """
    rng = np.random.default_rng(6)
    objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.softmax_cross_entropy, l2(0.01))
    params = networks._params(rng, (4, 5, 3), bias=True)
    batch = (
        jnp.asarray(rng.normal(size=(8, 4))),
        jnp.asarray(rng.integers(3, size=8)),
        jnp.asarray(rng.uniform(size=8)),
    )
    v = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), params)

    @partial(jax.jit, compiler_options=quick_to_compile())
    def errors(params: Params, v: Params, batch: Batch) -> dict[str, Any]:
        f = lambda params: objective(params, batch)
        matrix, gauss_newton = _by_jax(objective, params, batch)
        along = ravel_pytree(v)[0]
        split = sum(leaf.size for leaf in jax.tree.leaves(params[0]))
        first, second = ways["hessian_blocks"](f, params)
        blocks = jnp.maximum(_apart(first, matrix[:split, :split]), _apart(second, matrix[split:, split:]))
        unpenalised = objective.mean_loss
        x, y, weight = batch
        share = weight / weight.sum()
        of_class = lambda x, y: ravel_pytree(jax.grad(lambda p: unpenalised(p, (x[None], y[None])))(params))[0]
        slopes = jax.vmap(lambda x: jax.vmap(lambda y: of_class(x, y))(jnp.arange(3)))(x)  # (batch, class, n)
        likely = jax.nn.softmax(objective.predict(params, x)) * share[:, None]
        observed = slopes[jnp.arange(len(y)), y]
        return {
            "fisher": _apart(
                ways["fisher"](objective, params, batch), jnp.einsum("bc,bci,bcj->ij", likely, slopes, slopes)
            ),
            "empirical_fisher": _apart(
                ways["empirical_fisher"](objective, params, batch), (observed.T * share) @ observed
            ),
            "hessian": _apart(ways["hessian"](f, params), matrix),
            "hessian_blocks": blocks,
            "hessian_diagonal": _apart(ways["hessian_diagonal"](f, params), jnp.diagonal(matrix)),
            "hvp": _apart(ravel_pytree(ways["hvp"](f, params, v))[0], matrix @ along),
            "gauss_newton_matrix": _apart(ways["gauss_newton_matrix"](objective, params, batch), gauss_newton),
            "gauss_newton_vp": _apart(
                ravel_pytree(ways["gauss_newton_vp"](objective, params, batch, v))[0], gauss_newton @ along
            ),
        }

    found = errors(params, v, batch)
    how = "mlp 4-5-3, tanh, softmax cross-entropy, weighted, l2"
    reference = {
        "fisher": "gradients of every class",
        "empirical_fisher": "gradients of every example",
        "gauss_newton_matrix": "jax.hessian, linearised",
        "gauss_newton_vp": "jax.hessian, linearised",
    }
    return [_exact(name, reference.get(name, "jax.hessian"), how, float(error)) for name, error in found.items()]


def closed(hessian: Callable[..., Any], mlp_hessian: Callable[..., Any]) -> list[Row]:
    """Hessians against what can be written down.

    Args:
        hessian: as `derivatives.hessian` is.
        mlp_hessian: as `derivatives.mlp_hessian` is.
    """
    cases = closed_forms.known()
    network = closed_forms.softmax_network()

    @partial(jax.jit, compiler_options=quick_to_compile())
    def matrices(given: Sequence[Any]) -> Any:
        found = [
            hessian(partial(case.objective, batch=batch), params)
            for case, (params, batch) in zip(cases, given, strict=True)
        ]
        layered = [
            mlp_hessian(case.objective, params, batch, activation=closed_forms.identity)
            for case, (params, batch) in zip(cases, given, strict=True)
            if isinstance(params, tuple)
        ]
        shifted = hessian(partial(network.objective, batch=network.batch), network.params)
        return found, layered, shifted

    found, layered, shifted = jax.tree.map(np.asarray, matrices([(case.params, case.batch) for case in cases]))
    structured_cases = [case for case in cases if isinstance(case.params, tuple)]
    pairs = [("hessian", *each) for each in zip(cases, found, strict=True)]
    pairs += [("mlp_hessian", *each) for each in zip(structured_cases, layered, strict=True)]
    rows = [_exact(rule, "closed form", case.name, float(_apart(matrix, case.matrix))) for rule, case, matrix in pairs]
    at_zero = next(case for case in cases if case.name.startswith("two linear"))
    values = np.linalg.eigvalsh(found[cases.index(at_zero)])
    worst = float(_apart(values, closed_forms.spectrum_at_zero(at_zero)))
    rows.append(_exact("hessian, its eigenvalues", "closed form", f"{at_zero.name}: ±2/B σ(XᵀY)", worst))
    images = shifted @ closed_forms.shifts(network.params).T
    how = f"{network.name}: {images.shape[1]} shifts of the outputs are null"
    rows.append(
        _exact("hessian, null directions", "closed form", how, float(np.abs(images).max() / np.abs(shifted).max()))
    )
    return rows


def by_differences(hessian: Callable[..., Any], mlp_hessian: Callable[..., Any]) -> list[Row]:
    """Hessians of whole objectives against differences of gradients, products with random vectors, and their trace.

    Args:
        hessian: as `derivatives.hessian` is.
        mlp_hessian: as `derivatives.mlp_hessian` is.
    """
    rng = np.random.default_rng(7)
    rows = []
    for rule, loss, sizes, penalty in (
        ("mlp_hessian", "squared_error", (2, 3, 2), None),
        ("hessian", "softmax_cross_entropy", (3, 3, 3), l2(0.01)),
    ):
        params = networks._params(rng, sizes, bias=True)
        batch = (jnp.asarray(rng.normal(size=(8, sizes[0]))), networks._targets(rng, loss, (8, sizes[-1])))
        objective = Objective(partial(mlp.apply, activation=jnp.tanh), losses.TABLE[loss], penalty)
        f = partial(networks._value, objective, batch=batch)
        structured = partial(mlp_hessian, objective, batch=batch, activation=jnp.tanh)
        report = check_hessian(f, params, hessian=structured if rule == "mlp_hessian" else partial(hessian, f))
        how = f"{'-'.join(map(str, sizes))}, tanh, {loss}{', l2' if penalty else ''}"
        found = verdict_of(_finite(report.error), BY_DIFFERENCES, otherwise=report.why, passed=HOLDS)
        if not report.ok:
            found |= {"verdict": FAILED, "why": f"{report.verdict}: {report.why}"}
        rows.append(_row(rule, "differences of gradients", how, found))
        order = verdict_of(
            _finite(abs(report.slope - 2)), SLOPE, otherwise="their error does not fall as h²", passed=HOLDS
        )
        rows.append(_row(rule, "differences, as h²", f"{how}: error falls as h^{report.slope:.2f}", order))
        worst = max(report.product_error, report.trace_error, report.asymmetry)
        rows.append(_exact(rule, "products, trace, transpose", how, _finite(worst)))
    return rows


def certified(certify: Callable[..., Any]) -> list[Row]:
    """The verdicts on points whose nature is known.

    Args:
        certify: as `verify.certify` is.
    """
    rows = []
    for case in closed_forms.natures():
        found = certify(case.objective, case.params, case.batch, compiler_options=quick_to_compile())
        good = found.verdict == case.verdict
        apart = 0.0 if case.eigenvalue is None else abs(found.min_eigenvalue - case.eigenvalue)
        worst = float(apart / max(abs(found.max_eigenvalue), 1e-300))
        verdict = verdict_of(worst, EXACT, otherwise="the smallest eigenvalue is another one", passed=HOLDS)
        if not good:
            verdict |= {"verdict": FAILED, "why": f"the verdict is {found.verdict!r}: {found.reason}"}
        rows.append(_row("certify", case.verdict, case.name, verdict))
    return rows


def _apart(a: Any, b: Any, of: Any = None) -> Any:
    """The largest difference, of the largest entry of b or `of`; infinite for another shape, or not finite."""
    if jnp.shape(a) != jnp.shape(b):
        return jnp.asarray(jnp.inf)
    apart = jnp.abs(a - b).max() / jnp.abs(b if of is None else of).max()
    return jnp.where(jnp.isfinite(apart), apart, jnp.inf)


def _finite(number: float) -> float:
    """The number, infinite where it is none."""
    return float(number) if np.isfinite(number) else np.inf


def _exact(rule: str, reference: str, how: str, worst: float) -> Row:
    found = verdict_of(worst, EXACT, otherwise="the two differ by more than rounding")
    return _row(rule, reference, how, found)


def _row(rule: str, reference: str, mapping: str, found: dict[str, Any]) -> Row:
    return Row("hessian", rule, reference, mapping, 0, **found)
