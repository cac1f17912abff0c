"""The exact curvature of the penalty, added to that of the losses."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn.derivatives import dense
from jaxnn.objective import L2
from jaxnn.types import Params

Penalty = Callable[[Params], Any] | None

_ASKED = 2**63  # whether a matrix of that size may be made was asked before


def added_to_matrix(penalty: Penalty, params: Params, matrix: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """The matrix, plus the penalty's."""
    if penalty is None:
        return matrix
    if isinstance(penalty, L2):
        at = jnp.arange(len(matrix))
        return matrix.at[at, at].add(penalty.strength)
    return matrix + dense.hessian(penalty, params, memory_bytes=_ASKED)


def added_to_blocks(
    penalty: Penalty, params: Params, blocks: tuple[Float[Array, "_ _"], ...]
) -> tuple[Float[Array, "_ _"], ...]:
    """The blocks of the layers, plus the penalty's."""
    if penalty is None:
        return blocks
    if isinstance(penalty, L2):
        return tuple(added_to_matrix(penalty, params, block) for block in blocks)
    more = dense.hessian_blocks(penalty, params, memory_bytes=_ASKED)
    return tuple(block + added for block, added in zip(blocks, more, strict=True))


def added_to_diagonal(penalty: Penalty, params: Params, diagonal: Float[Array, " n"]) -> Float[Array, " n"]:
    """The diagonal, plus the penalty's."""
    if penalty is None:
        return diagonal
    if isinstance(penalty, L2):
        return diagonal + penalty.strength
    return diagonal + dense.hessian_diagonal(penalty, params)
