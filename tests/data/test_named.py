"""Named data sets: scikit-learn's as they are, generators against their formulae, IDX files good and bad."""

import gzip
import struct

import numpy as np
import pytest
import sklearn.datasets

from jaxnn import data
from jaxnn.data import fashion_mnist

BUNDLED = ["breast_cancer", "diabetes", "digits", "iris", "wine"]
GENERATED = ["spirals", "stroke_risk", "two_moons", "xor"]


def test_the_names():
    assert sorted(data.NAMES) == sorted([*BUNDLED, *GENERATED, "fashion_mnist"])


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_scikit_learns(name):
    words = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn.datasets, f"load_{name}")(**words)
    dataset = data.load(name)
    np.testing.assert_array_equal(dataset.x, bunch.data)
    np.testing.assert_array_equal(dataset.y, bunch.target)
    assert dataset.feature_names == tuple(bunch.feature_names)
    assert dataset.class_names == (() if name == "diabetes" else tuple(map(str, bunch.target_names)))


@pytest.mark.parametrize("name", [*BUNDLED, *GENERATED])
def test_every_set_is_complete(name):
    dataset = data.load(name)
    assert dataset.name == name
    assert dataset.x.shape == (len(dataset.y), len(dataset.feature_names))
    assert np.isfinite(dataset.x).all()
    assert all([dataset.description, dataset.source, dataset.target_name])
    if dataset.problem == "classes":
        assert dataset.y.dtype == np.int64
        assert set(dataset.y) == set(range(len(dataset.class_names)))
    else:
        assert dataset.class_names == ()
    if dataset.image_shape:
        assert np.prod(dataset.image_shape) == dataset.x.shape[1]


@pytest.mark.parametrize("name", GENERATED)
def test_generators_follow_their_seed(name):
    first, again, other = (data.load(name, n=101, seed=seed) for seed in (3, 3, 4))
    assert len(first.x) == 101
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.y, again.y)
    assert (first.x != other.x).any()


def test_moons_are_half_circles():
    x, y = data.load("two_moons", n=500, noise=0.0)[1:3]
    np.testing.assert_allclose(np.hypot(*x[y == 0].T), 1, rtol=1e-14)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, rtol=1e-14)
    assert (x[y == 0, 1] >= 0).all()
    assert (x[y == 1, 1] <= 0.5).all()


def test_spirals_wind_once_and_a_quarter_and_mirror_each_other():
    x, y = data.load("spirals", n=2000, noise=0.0)[1:3]
    radius, angle = np.hypot(*x.T), np.arctan2(*x.T[::-1])
    turned = angle - 3 * np.pi * radius - np.pi * (y == 1)
    np.testing.assert_allclose(np.cos(turned), 1, atol=1e-12)
    assert 1 / 6 <= radius.min() < 0.18
    assert 0.99 < radius.max() <= 1


def test_xor_is_the_product_of_signs():
    x, y = data.load("xor", n=100, noise=0.0)[1:3]
    np.testing.assert_array_equal(y == 1, x[:, 0] * x[:, 1] < 0)
    assert np.unique(x, axis=0).tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def test_noise_has_the_size_it_says():
    quiet, loud = (data.load("xor", n=4000, noise=noise).x for noise in (0.0, 0.5))
    assert abs((loud - quiet).std() - 0.5) < 0.02  # four standard errors of 8,000 numbers


def test_strokes_come_with_the_probability_that_is_stated():
    dataset = data.load("stroke_risk", n=200_000, seed=5)
    edges = np.quantile(dataset.risk, np.linspace(0, 1, 11))
    band = np.clip(np.searchsorted(edges, dataset.risk, side="right") - 1, 0, 9)
    for j in range(10):
        rows = band == j
        error = np.sqrt((dataset.risk[rows] * (1 - dataset.risk[rows])).sum()) / rows.sum()
        assert abs(dataset.y[rows].mean() - dataset.risk[rows].mean()) < 4 * error


def test_the_true_risk_is_a_function_of_the_columns():
    """The docstring's formula: the columns as they stand give the risk, U-shaped in the temperature."""
    dataset = data.load("stroke_risk", n=20_000)
    age, male, pressure, temperature, smoker, diabetes = dataset.x.T
    logit = np.log(dataset.risk / (1 - dataset.risk))
    terms = [
        np.ones_like(age),
        age - 60,
        pressure - 130,
        (temperature - 37) ** 2,
        smoker,
        diabetes,
        male,
        smoker * (pressure > 140),
        temperature,
    ]
    fitted = np.linalg.lstsq(np.stack(terms, axis=1), logit, rcond=None)[0]
    np.testing.assert_allclose(fitted, [-5.2, 0.06, 0.025, 1.2, 0.7, 0.8, 0.3, 0.5, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("irsi", {}, "Did you mean 'iris'"),
        ("iris", {"n": 5}, "takes no options"),
        ("xor", {"noize": 1}, "Did you mean 'noise'"),
        ("xor", {"n": 3}, "n must be"),
        ("xor", {"noise": -1.0}, "noise must be"),
        ("stroke_risk", {"seed": -1}, "seed must be"),
    ],
)
def test_refuses(name, options, told):
    with pytest.raises(ValueError, match=told):
        data.load(name, **options)


def write_idx(path, array):
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


@pytest.fixture
def fashion(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 12), ("t10k", 5)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (n, 28, 28), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, n).astype(np.uint8))
    return tmp_path


def test_fashion_mnist_reads_both_parts_in_order(fashion):
    dataset = data.load("fashion_mnist", folder=fashion)
    images = gzip.decompress((fashion / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert dataset.x.shape == (17, 784)
    assert dataset.x[12:].tobytes() == images[16:]
    assert dataset.y.shape == (17,)


def test_fashion_mnist_absent_names_the_package(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt install dataset-fashion-mnist"):
        data.load("fashion_mnist", folder=tmp_path)


def test_fashion_mnist_parts_must_fit(fashion):
    write_idx(fashion / "train-labels-idx1-ubyte.gz", np.zeros(11, np.uint8))
    with pytest.raises(ValueError, match="n labels"):
        data.load("fashion_mnist", folder=fashion)


GOOD = bytes((0, 0, 8, 1)) + struct.pack(">I", 3) + b"abc"
HOSTILE = {
    "empty": (b"", "not an IDX"),
    "short header": (GOOD[:6], "not an IDX"),
    "magic": (b"\1" + GOOD[1:], "not an IDX"),
    "type": (bytes((0, 0, 13, 1)) + GOOD[4:], "not an IDX"),
    "dimensions": (bytes((0, 0, 8, 3)) + struct.pack(">3I", 1, 1, 3) + b"abc", "not an IDX"),
    "too few": (GOOD[:-1], "holds 2"),
    "too many": (GOOD + b"d", "holds more"),
    "huge": (bytes((0, 0, 8, 1)) + struct.pack(">I", 2**32 - 1) + b"abc", "promises 4294967295 bytes"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_idx_refuses(case, tmp_path):
    content, told = HOSTILE[case]
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=told):
        fashion_mnist.read_idx(path, dimensions=1)


def test_idx_damaged_archives(tmp_path):
    path = tmp_path / "x.gz"
    whole = gzip.compress(GOOD)
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises((ValueError, OSError)):
            fashion_mnist.read_idx(path, dimensions=1)
    path.write_bytes(GOOD)
    with pytest.raises(OSError, match="gzip"):
        fashion_mnist.read_idx(path, dimensions=1)


def test_idx_promises_are_checked_before_memory_is_taken(tmp_path):
    import tracemalloc

    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 3)) + struct.pack(">3I", *[2**32 - 1] * 3)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="promises"):
        fashion_mnist.read_idx(path, dimensions=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
