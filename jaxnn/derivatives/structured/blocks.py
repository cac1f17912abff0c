"""The blocks of the Hessian: sums over examples of products of what the recursion gives.

With the parameters of layer l in the order of its matrix [W_l; b_l], read row by row, the entry between parameter
(j, i) of layer m and parameter (p, k) of layer l ≤ m is

    H[(j,i)_m, (p,k)_l] = Σ (R_m G_{m,l})_{ik} ã_{m,j} ã_{l,p}  +  Σ δ_{m,i} E_{m,l,jk} ã_{l,p}

The second term is for m > l, and not for biases: it is the part of ã_m that depends on layer l. Each kind of block is
summed in the form that has the fewest numbers to make before the matrix product over the examples:

    m = l        symmetric in i ↔ k and in j ↔ p separately: only a triangle of either, a quarter of the products
    m = l + 1    pairs (ik) against pairs (jp); E = D_l is diagonal, so the second term has only (i, k) against p
    m > l + 1    both terms share ã_l: added first, (jik) against p

`add` puts a block into its place among all parameters, and its transpose opposite; so H is exactly symmetric.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn import mlp
from jaxnn.derivatives.structured.recursion import Curvature, Forward, curvatures, diagonal, diagonal_below, pulled_back


class Sums(NamedTuple):
    """Every block as it is summed: not all of its entries, each of them once."""

    diagonal: tuple[Float[Array, "_ _"], ...]  # of every layer
    neighbours: tuple[tuple[Array, Array], ...]  # (d_m d_l, n_m n_l) and (n_m n_l, d_l) for m = l + 1
    distant: tuple[Float[Array, "d_m_n_m_n_l d_l"], ...]  # for m > l + 1, in the order of `distant_pairs`


def distant_pairs(depth: int) -> list[tuple[int, int]]:
    """The pairs (m, l) with m > l + 1."""
    return [(m, l) for m in range(depth) for l in reversed(range(m - 1))]


def diagonal_sums(params: mlp.Params, passed: Forward, last: Curvature) -> tuple[Float[Array, "_ _"], ...]:
    """The blocks of one layer each, Σ R_{l,ik} ã_{l,j} ã_{l,p} for j ≤ p and i ≤ k."""
    return _diagonal_sums(passed, curvatures(params, passed, last))


def entry_sums(params: mlp.Params, passed: Forward, last: Curvature) -> tuple[Float[Array, "_ _"], ...]:
    """The entries on the diagonal, Σ R_{l,ii} ã²_{l,j}: of the first layer, R's diagonal is all that is needed."""
    curved = curvatures(params, passed, last, lowest=1)
    diagonals = [jnp.einsum("iin->in", r) for _, r in curved]
    if len(params) > 1:
        diagonals.insert(0, diagonal_below(curved[0], params[1].w, passed.slopes[0], passed.bends[0]))
    return tuple(_over_examples(a**2, r) for a, r in zip(passed.inputs, diagonals, strict=True))


def all_sums(params: mlp.Params, passed: Forward, last: Curvature) -> Sums:
    """All blocks with m ≥ l."""
    curved = curvatures(params, passed, last)
    neighbours, distant = [], []
    for m in range(1, len(params)):
        a_m, delta = passed.inputs[m], curved[m].gradient
        rg = curved[m].matrix  # R_m G_{m,m}: from here on (R_m G_{m,l})ᵀ, one layer down at a time
        e = diagonal(passed.slopes[m - 1])  # E_{m,m-1} = D_{m-1}: likewise E_{m,l}ᵀ
        for l in reversed(range(m)):
            a, slope, w = passed.inputs[l], passed.slopes[l], params[l + 1].w
            rg = pulled_back(w, slope, rg)  # (n_l, n_m, examples)
            if l == m - 1:
                neighbours.append(_neighbour_sums(rg, a_m, a, delta, slope))
            else:
                e = pulled_back(w, slope, e)  # (n_l, n_{m-1}, examples)
                distant.append(_distant_sums(rg, e, a_m, a, delta))
    return Sums(_diagonal_sums(passed, curved), tuple(neighbours), tuple(distant))


def _diagonal_sums(passed: Forward, curved: list[Curvature]) -> tuple[Array, ...]:
    found = []
    for a, (_, r) in zip(passed.inputs, curved, strict=True):
        (j, p), (i, k) = np.triu_indices(len(a)), np.triu_indices(len(r))
        found.append(_over_examples(a[j] * a[p], r[i, k]))
    return tuple(found)


def _neighbour_sums(rg: Array, a_m: Array, a: Array, delta: Array, slope: Array) -> tuple[Array, Array]:
    """Σ (R G)_{ik} ã_{m,j} ã_{l,p} as (jp, ik), and Σ δ_i φ'_k ã_{l,p} as (ik, p), of which j = k is meant."""
    first = _over_examples(_flat(a_m[:, None] * a), _flat(rg.swapaxes(0, 1)))
    return first, _over_examples(_flat(delta[:, None] * slope), a)


def _distant_sums(rg: Array, e: Array, a_m: Array, a: Array, delta: Array) -> Array:
    """Σ ((R G)_{ik} ã_{m,j} + δ_i E_{jk}) ã_{l,p} as (jik, p)."""
    e = _with_zero_row(e.swapaxes(0, 1), len(a_m))
    return _over_examples(_flat(a_m[:, None, None] * rg.swapaxes(0, 1) + delta[:, None] * e[:, None]), a)


def matrix(params: mlp.Params, sums: Sums) -> Float[Array, "n n"]:
    """The whole Hessian, block by block into one array."""
    widths = [(rows(layer), layer.w.shape[1]) for layer in params]
    starts = np.cumsum([0, *(d * n for d, n in widths)])
    h = jnp.zeros((starts[-1], starts[-1]), sums.diagonal[0].dtype)

    def put(h: Array, m: int, l: int, block: Array) -> Array:
        return h.at[starts[m] : starts[m + 1], starts[l] : starts[l + 1]].set(block)

    def put_both(h: Array, m: int, l: int, block: Array) -> Array:
        return put(put(h, m, l, block), l, m, block.T)

    for l, summed in enumerate(sums.diagonal):
        h = put(h, l, l, diagonal_block(summed, *widths[l]))
    for l, (first, second) in enumerate(sums.neighbours):
        (d_m, n_m), (d, n) = widths[l + 1], widths[l]
        block = first.reshape(d_m, d, n_m, n).transpose(0, 2, 1, 3)  # (j, i, p, k)
        unit = jnp.eye(d_m, n, dtype=h.dtype)  # E is diagonal, and has no row for the bias
        block += unit[:, None, None] * second.reshape(n_m, n, d).swapaxes(1, 2)
        h = put_both(h, l + 1, l, block.reshape(d_m * n_m, d * n))
    for (m, l), summed in zip(distant_pairs(len(params)), sums.distant, strict=True):
        (d_m, n_m), (d, n) = widths[m], widths[l]
        block = summed.reshape(d_m * n_m, n, d).swapaxes(1, 2)  # (ji, p, k)
        h = put_both(h, m, l, block.reshape(d_m * n_m, d * n))
    return h


def diagonal_block(summed: Float[Array, "pairs_d pairs_n"], d: int, n: int) -> Float[Array, "dn dn"]:
    """The block (j, i), (p, k) of one layer from its triangles."""
    square = summed[_places(d)][:, :, _places(n)]  # (j, p, i, k)
    return square.transpose(0, 2, 1, 3).reshape(d * n, d * n)


def rows(layer: mlp.Layer) -> int:
    """d_l, the rows of [W; b]."""
    return layer.w.shape[0] + (layer.b is not None)


def _over_examples(x: Float[Array, "a examples"], y: Float[Array, "b examples"]) -> Float[Array, "a b"]:
    """Σ x yᵀ over the examples: where nearly all the arithmetic is."""
    return x @ y.T


def _flat(x: Float[Array, "*shape examples"]) -> Float[Array, "entries examples"]:
    return x.reshape(-1, x.shape[-1])


def _with_zero_row(e: Float[Array, "n ..."], length: int) -> Float[Array, "d ..."]:
    """E as ã has its rows: none of the layers below moves the 1 of the bias."""
    return e if len(e) == length else jnp.concatenate([e, jnp.zeros_like(e[:1])])


def _places(n: int) -> np.ndarray:
    """Where entry (i, k) of a symmetric matrix stands among the entries of its upper triangle."""
    places = np.zeros((n, n), int)
    places[np.triu_indices(n)] = np.arange(n * (n + 1) // 2)
    return np.maximum(places, places.T)
