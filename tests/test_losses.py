"""Losses: values and gradients against closed forms and scikit-learn, no overflow, and targets that are refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from scipy import special

from jaxnn import losses
from tests.targets import BATCH, LABELS, OUTPUTS, RAW, TARGETS

RNG = np.random.default_rng(1)


def softmax_cross_entropy(o, y):
    y = y if y.ndim == 2 else np.eye(OUTPUTS)[y]
    return -y * special.log_softmax(o, axis=1), special.softmax(o, axis=1) * y.sum(axis=1, keepdims=True) - y


def sigmoid_cross_entropy(o, y):
    return -y * special.log_expit(o) - (1 - y) * special.log_expit(-o), special.expit(o) - y


def poisson(o, y):
    return -scipy.stats.poisson.logpmf(y, np.exp(o)) - special.gammaln(y + 1), np.exp(o) - y


# Loss and slope of each output, in double precision.
CLOSED_FORMS = {
    "squared_error": lambda o, y: (np.square(o - y), 2 * (o - y)),
    "absolute_error": lambda o, y: (np.abs(o - y), np.sign(o - y)),
    "huber": lambda o, y: (special.huber(1.0, o - y), np.clip(o - y, -1, 1)),
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "poisson": poisson,
}


def test_every_loss_has_a_case():
    assert {case.partition(" ")[0] for case in TARGETS} == set(CLOSED_FORMS) == set(losses.TABLE)


@pytest.mark.by_default("float64-*", "float32-soft*")
@pytest.mark.parametrize("case", TARGETS)
def test_values_and_gradients_equal_the_closed_form(case, dtype):
    name, targets = case.partition(" ")[0], TARGETS[case]
    loss = losses.get(name)
    whole = np.issubdtype(targets.dtype, np.integer)
    targets = jnp.asarray(targets, jnp.int32 if whole else dtype)
    outputs = jnp.asarray(RAW, dtype)
    values, slopes = CLOSED_FORMS[name](
        np.asarray(outputs, np.float64), np.asarray(targets, np.int64 if whole else np.float64)
    )
    ours = jax.jit(loss)(outputs, targets)
    assert ours.shape == (BATCH,)
    assert ours.dtype == dtype
    tolerance = {"rtol": 16 * jnp.finfo(dtype).eps, "atol": 16 * jnp.finfo(dtype).eps}
    np.testing.assert_allclose(ours, values.sum(axis=1), **tolerance)
    np.testing.assert_allclose(jax.grad(lambda o: loss(o, targets).sum())(outputs), slopes, **tolerance)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber", "sigmoid_cross_entropy", "poisson"])
def test_outputs_of_shape_batch_are_one_column(name, dtype):
    targets = jnp.asarray(TARGETS[name][:, :1], dtype)
    outputs = jnp.asarray(RAW[:, :1], dtype)
    one_axis, two_axes = losses.get(name)(outputs[:, 0], targets[:, 0]), losses.get(name)(outputs, targets)
    np.testing.assert_allclose(one_axis, two_axes, atol=16 * jnp.finfo(dtype).eps)  # XLA's exp differs by shape


def test_means_equal_scikit_learn(x64):
    y = RNG.normal(size=RAW.shape)
    squared = sklearn.metrics.mean_squared_error(y, RAW, multioutput="raw_values").sum()
    np.testing.assert_allclose(losses.squared_error(jnp.asarray(RAW), y).mean(), squared, rtol=1e-14)
    log_loss = sklearn.metrics.log_loss(LABELS, np.asarray(jax.nn.softmax(jnp.asarray(RAW))))
    np.testing.assert_allclose(losses.softmax_cross_entropy(jnp.asarray(RAW), LABELS).mean(), log_loss, rtol=1e-14)


def test_page_37_of_the_course(x64):
    """One output 0.17 for the target 0.75: loss 0.3364 and gradient -1.16."""
    value, slope = jax.value_and_grad(lambda o: losses.squared_error(o, jnp.array([0.75]))[0])(jnp.array([0.17]))
    assert float(value) == pytest.approx(0.3364, abs=1e-15)
    assert float(slope[0]) == pytest.approx(-1.16, abs=1e-15)


class TestHuber:
    @pytest.mark.parametrize("delta", [0.1, 1.0, 5.0])
    def test_its_width(self, delta, x64):
        y = RNG.normal(size=RAW.shape)
        expected = special.huber(delta, RAW - y).sum(axis=1)
        np.testing.assert_allclose(losses.huber(jnp.asarray(RAW), y, delta=delta), expected, rtol=1e-14)

    @pytest.mark.parametrize("delta", [0.0, -1.0, math.inf, math.nan])
    def test_refuses_a_width_that_is_not_positive(self, delta):
        with pytest.raises(ValueError, match=r"delta must be "):
            losses.huber(jnp.ones(2), jnp.ones(2), delta=delta)


class TestFarOut:
    @pytest.mark.parametrize("size", [1e4, -1e4])
    @pytest.mark.parametrize("target", [0.0, 1.0])
    def test_sigmoid_cross_entropy_is_finite(self, size, target, dtype):
        loss, slope = jax.value_and_grad(lambda o: losses.sigmoid_cross_entropy(o, jnp.array([target], dtype))[0])(
            jnp.array([size], dtype)
        )
        assert loss == (1e4 if (size > 0) != (target == 1) else 0)
        assert slope[0] == (size > 0) - target

    @pytest.mark.parametrize("target", [0, 1])
    def test_softmax_cross_entropy_is_finite(self, target, dtype):
        loss, slope = jax.value_and_grad(lambda o: losses.softmax_cross_entropy(o, jnp.array([target]))[0])(
            jnp.array([[1e4, -1e4]], dtype)
        )
        assert loss == 2e4 * target
        np.testing.assert_array_equal(slope, [[target, -target]])

    def test_sigmoid_cross_entropy_of_a_confident_output_does_not_cancel(self):
        """In float32 log(1 + e²⁰) - 20 is 0."""
        loss = losses.sigmoid_cross_entropy(jnp.array([20.0, -20.0]), jnp.array([1.0, 0.0]))
        np.testing.assert_allclose(loss, math.log1p(math.exp(-20)), rtol=1e-6)

    def test_softmax_cross_entropy_of_large_outputs_does_not_cancel(self):
        """In float32 neighbours at 10,000 are 0.001 apart."""
        loss = losses.softmax_cross_entropy(jnp.array([[1e4, 1e4 + 1]]), jnp.array([0]))
        np.testing.assert_allclose(loss, math.log1p(math.e), rtol=1e-6)


@pytest.mark.parametrize("name", losses.TABLE)
def test_nan_stays_in_its_row(name):
    targets = LABELS if name == "softmax_cross_entropy" else TARGETS[name]
    outputs = jnp.asarray(RAW).at[2, 1].set(math.nan)
    assert np.isnan(losses.get(name)(outputs, targets)).tolist() == [row == 2 for row in range(BATCH)]


class TestShapes:
    ELEMENTWISE = tuple(set(losses.TABLE) - {"softmax_cross_entropy"})

    @pytest.mark.parametrize("name", sorted(ELEMENTWISE))
    @pytest.mark.parametrize(("outputs", "targets"), [((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 2)), ((4,), (5,))])
    def test_must_agree(self, name, outputs, targets):
        with pytest.raises(ValueError, match=r"must have the same shape") as raised:
            losses.get(name)(jnp.zeros(outputs), jnp.zeros(targets))
        assert f"{outputs} and {targets}" in str(raised.value)
        assert ("reshape" in str(raised.value)) == (outputs == (4, 1) and targets == (4,))

    @pytest.mark.parametrize("name", sorted(ELEMENTWISE))
    @pytest.mark.parametrize("shape", [(), (2, 3, 4)])
    def test_are_of_one_or_two_axes(self, name, shape):
        with pytest.raises(ValueError, match=r"\(batch,\) or \(batch, k\)"):
            losses.get(name)(jnp.zeros(shape), jnp.zeros(shape))

    def test_disagreement_is_seen_under_jit_too(self):
        with pytest.raises(ValueError, match=r"must have the same shape"):
            jax.jit(losses.squared_error)(jnp.zeros((4, 1)), jnp.zeros(4))

    @pytest.mark.parametrize("shape", [(5,), (4, 1), (4, 2), ()])
    def test_of_class_labels(self, shape):
        with pytest.raises(ValueError, match=r"needs targets of shape \(4,\) \(integers\) or \(4, 3\)"):
            losses.softmax_cross_entropy(jnp.zeros((4, 3)), jnp.zeros(shape, int))

    def test_softmax_needs_one_output_per_class(self):
        with pytest.raises(ValueError, match=r"needs outputs of shape \(batch, classes\), got \(4,\)"):
            losses.softmax_cross_entropy(jnp.zeros(4), jnp.zeros(4, int))


class TestLabels:
    @pytest.mark.parametrize("label", [-1, 3, 255, 2**32, -(2**32)])
    @pytest.mark.parametrize("traced_outputs", [False, True])
    def test_out_of_range_are_refused_wherever_they_are_known(self, label, traced_outputs):
        """2³² would be 0 in int32: the range is checked before the conversion."""
        labels = np.array([0, label, 1])
        loss = lambda outputs: losses.softmax_cross_entropy(outputs, labels)
        with pytest.raises(ValueError, match=rf"The label {label} in row 1 is outside \[0, 3\)"):
            (jax.jit(loss) if traced_outputs else loss)(jnp.zeros((3, 3)))

    @pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64])
    def test_of_every_integer_kind(self, kind):
        loss = losses.softmax_cross_entropy(jnp.asarray(RAW), LABELS.astype(kind))
        np.testing.assert_array_equal(loss, losses.softmax_cross_entropy(jnp.asarray(RAW), jnp.asarray(LABELS)))

    @pytest.mark.parametrize("kind", [np.float32, bool])
    def test_of_another_kind_are_refused(self, kind):
        with pytest.raises(TypeError, match=r"needs integer class labels, got .*; convert with targets.astype\(int\)"):
            losses.softmax_cross_entropy(jnp.asarray(RAW), LABELS.astype(kind))

    def test_of_no_examples(self):
        assert losses.softmax_cross_entropy(jnp.zeros((0, 3)), jnp.zeros(0, int)).shape == (0,)


class TestTargets:
    @pytest.mark.parametrize("target", [-0.1, 1.5, 2.0])
    def test_sigmoid_cross_entropy_needs_probabilities(self, target):
        with pytest.raises(ValueError, match=rf"targets in \[0, 1\], got {target} in row 1"):
            losses.sigmoid_cross_entropy(jnp.zeros((3, 2)), np.array([[0, 0], [1, target], [0, 0]]))

    def test_sigmoid_cross_entropy_takes_booleans(self):
        yes = np.array([True, False])
        np.testing.assert_array_equal(
            losses.sigmoid_cross_entropy(jnp.array([1.0, 2.0]), yes),
            losses.sigmoid_cross_entropy(jnp.array([1.0, 2.0]), yes.astype(np.float32)),
        )

    def test_poisson_needs_counts(self):
        with pytest.raises(ValueError, match=r"poisson needs counts ≥ 0 as targets, got -1.0 in row 0"):
            losses.poisson(jnp.zeros(2), np.array([-1, 0]))

    def test_poisson_is_the_likelihood_up_to_a_constant(self, x64):
        """Least where eᵒ is the mean count."""
        counts = np.array([0.0, 2.0, 7.0])
        slope = jax.grad(lambda o: losses.poisson(jnp.full(3, o), counts).sum())(math.log(3.0))
        assert abs(float(slope)) < 1e-14

    def test_whole_outputs_do_not_cut_the_targets(self):
        np.testing.assert_array_equal(losses.squared_error(jnp.array([1, 2]), np.array([0.5, 1.5])), [0.25, 0.25])

    @pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16, jnp.float32])
    @pytest.mark.parametrize("name", losses.TABLE)
    def test_the_loss_has_the_dtype_of_the_outputs(self, name, kind, x64):
        targets = np.eye(OUTPUTS)[LABELS]  # float64
        assert losses.get(name)(jnp.asarray(RAW, kind), targets).dtype == kind


def test_unknown_names_offer_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown loss 'squared_eror'. Did you mean 'squared_error'"):
        losses.get("squared_eror")
    assert losses.get(losses.huber) is losses.huber
