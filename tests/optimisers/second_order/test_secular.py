"""The trust region's and the cubic model's minimisers, against eigenvectors and scipy's root finder."""

import jax
import numpy as np
import pytest
import scipy.optimize

from jaxnn.optimisers.second_order.subproblems import secular
from jaxnn.optimisers.second_order.subproblems.shifted import shifted_solve

N = 6
KINDS = ("definite", "indefinite", "hard", "nearly hard", "saddle", "interior", "badly scaled", "negative", "singular")


def rotation(rng):
    return np.linalg.qr(rng.normal(size=(N, N)))[0]


def case(kind, rng):
    """H, g and a radius."""
    v = rotation(rng)
    curvatures = {
        "definite": rng.uniform(0.1, 10, N),
        "interior": rng.uniform(0.1, 10, N),
        "badly scaled": np.geomspace(1e-6, 1e6, N) * rng.choice([-1, 1], N),
        "negative": -rng.uniform(0.1, 10, N),
        "singular": np.concatenate([np.zeros(2), rng.uniform(0.1, 10, N - 2)]),
    }.get(kind, rng.normal(size=N) * 3)
    curvatures = np.sort(curvatures)
    g = rng.normal(size=N) * 10.0 ** rng.uniform(-3, 3)
    radius = 10.0 ** rng.uniform(-6, 6)
    if kind in ("hard", "nearly hard"):
        curvatures[0] = -abs(curvatures[0]) - 0.1
        along = v.T @ g
        along[0] = 0.0 if kind == "hard" else 1e-9 * along[0]
        g = v @ along
        # beyond what the other directions take at the boundary of definiteness
        radius = 2 * np.linalg.norm(along[1:] / (curvatures[1:] - curvatures[0])) + 1e-3
    if kind == "saddle":
        curvatures[0], g = -1.0, np.zeros(N)
    if kind == "interior":
        radius = 3 * np.linalg.norm((v.T @ g) / curvatures)
    h = (v * curvatures) @ v.T
    return 0.5 * (h + h.T), g, radius


def best(h, g, length, cost):
    """The least of gᵀs + ½ sᵀHs + cost(|s|) over |s| = ℓ(λ), by eigenvectors and `brentq` in λ + min(0, λ_min)."""
    curvatures, v = np.linalg.eigh(h)
    c = v.T @ g
    floor = max(0.0, -curvatures[0])
    above = curvatures + floor  # exactly 0 for the lowest where H is indefinite

    def s(beyond):
        return np.where(c == 0, 0.0, -c / (above + beyond))

    def excess(beyond):
        return np.linalg.norm(s(beyond)) - length(floor + beyond)

    def model(x):
        return c @ x + 0.5 * x @ (curvatures * x) + cost(np.linalg.norm(x))

    if curvatures[0] > 0 and excess(0.0) <= 0:
        return model(s(0.0))
    top = max(np.abs(curvatures).max(), 1.0)
    while excess(top) > 0:
        top *= 2
    tried = top * np.geomspace(1e-40, 1.0, 400)
    if excess(tried[0]) <= 0:  # hard: filled up with the lowest eigenvector
        x = s(tried[0])
        x[0] = np.sqrt(max(length(floor) ** 2 - x[1:] @ x[1:], 0.0))
        return model(x)
    at = next(i for i, beyond in enumerate(tried) if excess(beyond) <= 0)
    return model(s(scipy.optimize.brentq(excess, tried[at - 1], tried[at], xtol=1e-300, rtol=1e-14)))


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(0)
    return [(kind, *case(kind, rng)) for kind in KINDS for _ in range(20)]


PROGRAMS = {solver: jax.jit(jax.vmap(solver)) for solver in (secular.trust_region, secular.cubic)}
each_solver = pytest.mark.parametrize("solver", PROGRAMS)
ROWS = 20 * len(KINDS)


def in_one_program(solver, cases):
    """All of them, filled up to the same number with the last one, so that one program serves every test."""
    filled = [*cases, *[cases[-1]] * (ROWS - len(cases))]
    h, g, region = (np.stack([c[i] for c in filled]) for i in (1, 2, 3))
    return jax.tree.map(lambda x: np.asarray(x)[: len(cases)], PROGRAMS[solver](h, g, region))


def model_of(h, g, s):
    return -(g @ s + 0.5 * s @ h @ s)


def test_the_trust_region_step_is_the_models_minimiser(x64, cases):
    found = in_one_program(secular.trust_region, cases)
    assert found.solved.all()
    assert found.factorisations.max() <= 25
    assert np.median(found.factorisations) <= 3
    for i, (kind, h, g, radius) in enumerate(cases):
        s, lam = found.step[i], found.shift[i]
        assert np.linalg.norm(s) <= radius * (1 + 1e-12), kind
        scale = np.abs(g) @ np.abs(s) + np.abs(s) @ np.abs(h) @ np.abs(s)
        assert found.predicted[i] == pytest.approx(model_of(h, g, s), rel=1e-12, abs=1e-13 * scale), kind
        least = -best(h, g, lambda lam: radius, lambda norm: 0.0)  # noqa: B023
        assert found.predicted[i] >= 0.9 * least - 1e-12 * scale, (kind, found.predicted[i], least)
        assert found.predicted[i] <= least * (1 + 1e-9) + 1e-12 * scale, kind
        assert lam >= 0
        assert np.linalg.eigvalsh(h)[0] + lam >= -1e-9 * np.abs(h).max()
        if kind == "interior":  # Newton's own step
            assert lam == 0
            np.testing.assert_allclose(s, np.linalg.solve(h, -g), rtol=1e-9)
        else:
            assert lam == 0 or np.linalg.norm(s) >= 0.89 * radius, kind


def test_the_cubic_step_is_the_models_minimiser(x64, cases):
    rng = np.random.default_rng(1)
    cases = [(kind, h, g, 10.0 ** rng.uniform(-4, 4)) for kind, h, g, _ in cases]
    found = in_one_program(secular.cubic, cases)
    assert found.solved.all()
    assert found.factorisations.max() <= 25
    assert np.median(found.factorisations) <= 5
    for i, (kind, h, g, sigma) in enumerate(cases):
        s = found.step[i]
        norm = np.linalg.norm(s)
        scale = np.abs(g) @ np.abs(s) + np.abs(s) @ np.abs(h) @ np.abs(s) + sigma * norm**3
        reduction = model_of(h, g, s) - sigma * norm**3 / 3
        assert found.predicted[i] == pytest.approx(reduction, rel=1e-12, abs=1e-13 * scale), kind
        least = -best(
            h,
            g,
            lambda lam: lam / sigma,  # noqa: B023
            lambda norm: sigma * norm**3 / 3,  # noqa: B023
        )
        assert found.predicted[i] >= 0.9 * least - 1e-12 * scale, (kind, found.predicted[i], least)
        assert found.predicted[i] <= least * (1 + 1e-9) + 1e-12 * scale, kind


def test_one_parameter(x64):
    h, g, s = np.array([2.0, 2.0, -2.0]), np.array([1.0, 8.0, 1.0]), [-0.5, -3.0, -3.0]
    found = PROGRAMS[secular.trust_region](h[:, None, None], g[:, None], np.full(3, 3.0))
    np.testing.assert_allclose(found.step[:, 0], s, rtol=1e-12)
    assert found.solved.all()


def test_float32_reaches_the_same_reductions(cases):
    """Well scaled ones: where |H| Δ² is 10²⁴, float32 has nothing to say."""
    chosen = [c for c in cases if c[0] in ("definite", "indefinite", "saddle", "interior") and 1e-3 < c[3] < 1e3]
    found = in_one_program(secular.trust_region, [(k, *(np.float32(x) for x in rest)) for k, *rest in chosen])
    assert found.step.dtype == np.float32
    for i, (kind, h, g, radius) in enumerate(chosen):
        scale = np.abs(g).max() * np.linalg.norm(found.step[i]) + np.abs(h).max() * np.linalg.norm(found.step[i]) ** 2
        least = -best(h, g, lambda lam: radius, lambda norm: 0.0)  # noqa: B023
        assert model_of(h, g, found.step[i].astype(float)) >= 0.9 * least - 1e-5 * scale, kind


@each_solver
def test_nothing_to_gain_is_no_step(x64, solver):
    nought = np.zeros(N)
    found = in_one_program(solver, [("flat", 0 * np.eye(N), nought, 1.0), ("bowl", np.eye(N), nought, 1.0)])
    assert not found.step.any()
    assert not found.predicted.any()


@each_solver
def test_what_is_not_finite_predicts_no_step(x64, solver):
    nans = [("H", np.full((N, N), np.nan), np.ones(N), 1.0), ("g", np.eye(N), np.full(N, np.nan), 1.0)]
    found = in_one_program(solver, nans)
    assert not (found.predicted >= 0).any()
    assert not found.step.any()
    assert not found.solved.any()


def test_the_shifted_system(x64):
    """τ is 0 where H is definite, else the first of the shifts that makes it so; d solves the shifted system."""
    rng = np.random.default_rng(2)
    drawn = [case(kind, rng) for kind in ("definite", "indefinite", "negative", "badly scaled") for _ in range(10)]
    drawn += [(np.zeros((N, N)), np.ones(N), 1.0), (np.full((N, N), np.nan), np.ones(N), 1.0)]
    h, g = np.stack([c[0] for c in drawn]), np.stack([c[1] for c in drawn])
    d, tau, count = (np.asarray(x) for x in jax.jit(jax.vmap(shifted_solve))(h, g))
    assert np.isnan(d[-1]).all()  # of a Hessian of NaN
    np.testing.assert_allclose(d[-2], -1e3)  # of one of 0
    h, g, d, tau, count = (x[:-2] for x in (h, g, d, tau, count))
    lowest = np.linalg.eigvalsh(h)[:, 0]
    beta = 1e-3 * np.abs(h).max(axis=(1, 2))
    np.testing.assert_array_equal(tau == 0, lowest > 0)
    assert (lowest + tau > 0).all()
    assert (tau <= np.maximum(2 * np.abs(lowest), beta) + beta).all()  # no more than twice what is needed
    assert (count >= 1).all()
    residual = np.einsum("bij,bj->bi", h + tau[:, None, None] * np.eye(N), d) + g
    np.testing.assert_allclose(residual, 0, atol=1e-9 * np.abs(g).max())
