"""Rows in chunks: every row is answered once, or counts once, whatever the size of a chunk."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import chunks

SIZES = [(1, 1), (7, 7), (8, 3), (9, 4), (10, 1), (3, 5)]


@pytest.mark.parametrize(
    ("rows", "most", "size"), [(10, 4, 4), (10, 3, 3), (9, 4, 3), (10, 10, 10), (10, 99, 10), (10, 0, 1), (1, 1, 1)]
)
def test_chunks_are_few_and_about_equally_long(rows, most, size):
    assert chunks.even(rows, most) == size


def test_the_last_chunk_is_filled_up_with_the_last_row_and_a_share_of_0():
    at = chunks.places(5, 2)
    np.testing.assert_array_equal(at, [[0, 1], [2, 3], [4, 4]])
    found = chunks.taken({"x": np.arange(10).reshape(5, 2), "y": jnp.arange(5)}, at)
    np.testing.assert_array_equal(found["x"][2], [[8, 9], [8, 9]])
    np.testing.assert_array_equal(found["y"], at)
    np.testing.assert_array_equal(chunks.shares(jnp.arange(1.0, 6.0), 2), [[1, 2], [3, 4], [5, 0]])


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_every_row_is_answered_once(rows, size):
    found = chunks.mapped(
        lambda part: {"twice": 2 * part[0], "sum": part[1].sum(1)}, (jnp.arange(rows), jnp.eye(rows)), size
    )
    np.testing.assert_array_equal(found["twice"], 2 * np.arange(rows))
    np.testing.assert_array_equal(found["sum"], np.ones(rows))


@pytest.mark.parametrize(("rows", "size"), SIZES)
def test_every_row_counts_once(rows, size):
    share = jnp.arange(1.0, rows + 1)
    seen = chunks.summed(lambda x, share: (share @ x, jnp.sum(share)), (jnp.eye(rows),), share, size)
    np.testing.assert_array_equal(seen[0], share)
    assert seen[1] == share.sum()
