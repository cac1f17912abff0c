"""The order of rows: a permutation, a pure function of (key, epoch), and fair."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import training

KEY = jax.random.key(3)


@pytest.mark.parametrize("n", [1, 2, 3, 31, 1347, 4096, 4097, 5000])
def test_every_row_is_visited_once(n):
    assert sorted(np.asarray(training.order(KEY, 0, n)).tolist()) == list(range(n))


@pytest.mark.parametrize("n", [100, 5000])
def test_a_pure_function_of_key_and_epoch(n):
    again = jax.jit(lambda epoch: training.order(KEY, epoch, n))
    np.testing.assert_array_equal(training.order(KEY, 2, n), again(2))
    assert (training.order(KEY, 2, n) != training.order(KEY, 3, n)).any()
    assert (training.order(KEY, 2, n) != training.order(jax.random.key(4), 2, n)).any()


def test_the_order_is_the_one_that_runs_were_begun_with():
    """As it was first released: another one, however fair, would let checkpoints go on with other rows."""
    np.testing.assert_array_equal(training.order(jax.random.key(3), 2, 10), [5, 4, 8, 1, 6, 2, 3, 9, 7, 0])


@pytest.mark.by_default("16")
@pytest.mark.parametrize("n", [16, 4096 + 64])
def test_each_row_is_as_likely_in_each_place(n):
    epochs = 4000
    orders = jax.vmap(lambda epoch: training.order(KEY, epoch, n)[:16])(jnp.arange(epochs))
    mean = np.asarray(orders, np.float64).mean(axis=0)  # by place
    standard_error = np.sqrt((n**2 - 1) / 12 / epochs)
    assert np.abs(mean - (n - 1) / 2).max() < 4.5 * standard_error


def test_sorted_labels_do_not_stay_sorted():
    # Rows sorted by class must give mixed batches, also where ties between random words could keep row order.
    classes = np.repeat(np.arange(10), 6000)
    batches = classes[np.asarray(training.batches(KEY, 0, len(classes), 32))]
    distinct = np.array([len(set(batch)) for batch in batches])
    expected = 10 * (1 - 0.9**32)  # 9.66 classes among 32 independent draws
    assert abs(distinct.mean() - expected) < 0.1


def test_batches_leave_out_only_the_last_short_one():
    rows = np.asarray(training.batches(KEY, 5, 103, 10))
    assert rows.shape == (10, 10)
    np.testing.assert_array_equal(rows.ravel(), np.asarray(training.order(KEY, 5, 103))[:100])


@pytest.mark.parametrize("batch_size", [0, 11, -1])
def test_an_impossible_batch_is_refused(batch_size):
    with pytest.raises(ValueError, match=r"batch_size must be in \[1, 10\]"):
        training.batches(KEY, 0, 10, batch_size)


@pytest.mark.parametrize("over", ["epochs", "keys"])
def test_all_permutations_are_equally_likely(over):
    draws = jnp.arange(60_000)
    if over == "epochs":
        orders = jax.vmap(lambda epoch: training.order(KEY, epoch, 5))(draws)
    else:
        orders = jax.vmap(lambda seed: training.order(jax.random.key(seed), 0, 5))(draws)
    _, counts = np.unique(np.asarray(orders), axis=0, return_counts=True)
    assert len(counts) == 120
    chi_square = ((counts - 500) ** 2 / 500).sum()
    assert 119 - 4 * np.sqrt(238) < chi_square < 119 + 4 * np.sqrt(238)  # mean and variance of χ² with 119 degrees


def test_the_next_epoch_is_unrelated():
    orders = jax.vmap(lambda epoch: training.order(KEY, epoch, 1000))(jnp.arange(100))
    places = np.argsort(np.asarray(orders), axis=1)
    correlations = [np.corrcoef(now, following)[0, 1] for now, following in itertools.pairwise(places)]
    assert abs(np.mean(correlations)) < 4 / np.sqrt(1000 * 99)
