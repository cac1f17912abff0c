"""A rule is recognised by what it does: the known ones as themselves, an own one as none of them."""

import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import optimisers
from jaxnn.verify import recognition
from jaxnn.verify.first_order import given_gradients
from jaxnn.verify.recognition import findings, fits, known, mine
from jaxnn.verify.recognition.clipping import CLIPS, least
from jaxnn.verify.table import EQUAL, UNEQUAL

COMMON = {
    "b1": (0.5, 0.8, 0.95),
    "b2": (0.95, 0.99, 0.9999),
    "decay": (0.8, 0.95, 0.99),
    "momentum": (0.5, 0.8, 0.95),
    "eps": (1e-7, 1e-6, 1e-4),
    "l2": (1e-3, 1e-2),
    "decoupled": (1e-2, 0.1),
    "initial": (0.1, 1.0),
}
pytestmark = pytest.mark.timeout(600)  # most of these compile every known rule: a minute on a busy core
SPELLINGS = [(form, spelling) for form in known.FORMS for spelling in form.spellings]


def equal(table):
    """The rules that it is equal to, by name, with their arguments."""
    return {row.reference: row.mapping for row in table if row.verdict == EQUAL}


def drawn(form, spelling):
    """Common hyperparameters for a spelling: of its roles those that have common values, else its defaults."""
    rng = np.random.default_rng(zlib.crc32(repr((spelling, dict(form.fixed))).encode()))
    values = {role: float(rng.choice(COMMON.get(role, [0.0]))) for role in form.roles}
    values = {role: value if role in spelling.roles() else 0.0 for role, value in values.items()}
    if "l2" in spelling.roles() and "decoupled" in values:
        values["decoupled"] = 0.0
    return values


def made(form, spelling, values):
    keywords = spelling.keywords({**values, **form.fixed})
    return functools.partial(known.FACTORIES[spelling.name], **keywords)


def first_spelling(name):
    return next((form, each) for form, each in SPELLINGS if each.name == name)


@pytest.mark.by_default("lion")
@pytest.mark.parametrize("name", ["adamw", *dict.fromkeys(form.spellings[0].name for form in known.FORMS)])
def test_every_known_form_is_recognised(name):
    """By the first of its names; that the others do the same is asked further down."""
    form, spelling = first_spelling(name)
    values = drawn(form, spelling)
    factory = made(form, spelling, values)
    table = recognition.identify(factory)
    found = equal(table)
    twins = {each.name for each in form.spellings_of({**values, "scale": 1.0})}
    assert name in found or set(found) & twins, str(table)
    for row in table:
        assert (row.group, row.rule, row.steps) == ("mine", "mine", 200)
        assert (row.worst <= 1e-12) == (row.verdict == EQUAL)
        assert row.verdict in (EQUAL, UNEQUAL)
        assert bool(row.why) == (row.verdict == UNEQUAL)
    worst = [row.worst for row in table if row.verdict == UNEQUAL]
    assert worst == sorted(worst)


@pytest.fixture
def among(monkeypatch):
    """Limits `identify` to one family of forms, where the others have no part in what is asked."""

    def only(family):
        monkeypatch.setattr(findings, "FORMS", tuple(form for form in known.FORMS if form.family == family))

    return only


@pytest.mark.slow
@pytest.mark.parametrize(("form", "spelling"), SPELLINGS, ids=lambda each: getattr(each, "name", ""))
def test_every_spelling_is_what_its_form_computes(form, spelling, x64):
    """The named factory with its own keywords goes the way of the compiled form with the same roles."""
    values = drawn(form, spelling) | {"scale": 1.0}
    params, grads = given_gradients.problem(0)
    path = mine.path(made(form, spelling, values)(given_gradients.rate), spelling.name, params, grads)
    rates = np.array([given_gradients.rate(step) for step in range(given_gradients.STEPS)])
    flat = [findings.flattened(tree, axes) for tree, axes in ((params, 0), (grads, 1), (path, 1))]
    fit = fits.at(form, values, fits.Case(flat[0], flat[1], rates, flat[2]))
    assert fit.worst < 1e-12


def test_every_rule_and_preset_has_a_spelling():
    assert {spelling.name for _, spelling in SPELLINGS} == set(optimisers.TABLE) | set(optimisers.PRESETS)


@pytest.mark.slow
def test_uncommon_hyperparameters_are_found():
    table = recognition.identify(
        lambda rate: optax.chain(optax.rmsprop(rate, decay=0.97, momentum=0.83), optax.scale(0.1))
    )
    assert equal(table)["optax.rmsprop"] == "decay=0.97, momentum=0.83, 0.1 × the rate"
    assert "0.1 times the one given" in " ".join(table.remarks)


@pytest.mark.slow
def test_an_object_has_a_rate_of_its_own():
    table = recognition.identify(optax.adamw(3e-4, b1=0.93, weight_decay=0.037), name="ours")
    assert equal(table)["optax.adamw"] == "b1=0.93, weight_decay=0.037, rate 0.0003"
    assert "optax.adam" not in equal(table)
    assert table.remarks[0].startswith("ours is adamw(b1=0.93, weight_decay=0.037) to ")
    assert "decoupled" in " ".join(table.remarks)


@pytest.mark.slow
def test_adam_with_another_b1():
    table = recognition.identify(lambda rate: optax.adam(rate, b1=0.95))
    assert equal(table) == {
        "adam": "b1=0.95",
        "optax.adam": "b1=0.95",
        "torch.Adam": "betas=(0.95, 0.999)",
        "goodfellow.adam": "rho1=0.95",
    }
    assert table.ok


@pytest.mark.slow
@pytest.mark.parametrize(
    ("link", "said"),
    [
        (optax.clip_by_global_norm(0.7), "its gradients clipped by their global norm to 0.7"),
        pytest.param(optax.clip(0.3), "its gradients clipped by value to 0.3", marks=pytest.mark.slow),
    ],
)
def test_clipping_is_told(among, link, said):
    among("adam")
    table = recognition.identify(lambda rate: optax.chain(link, optax.adam(rate, b1=0.8)))
    assert equal(table)["optax.adam"] == f"b1=0.8, {said}"
    assert said in table.remarks[0]


@pytest.mark.slow
def test_what_ascends_is_told():
    table = recognition.identify(lambda: optax.adadelta())  # without a rate, its sign is never turned
    assert equal(table)["optax.adadelta"] == "its defaults, rate 1, ascending"
    assert any("It ascends" in remark for remark in table.remarks)
    assert not any("It ascends" in remark for remark in recognition.identify(lambda rate: optax.adadelta(rate)).remarks)


def velocity_inside(rate):
    return optax.chain(optax.scale_by_learning_rate(rate), optax.trace(0.9))


@pytest.mark.slow
def test_the_conventions_of_momentum_are_told_apart():
    outside, inside = recognition.identify(lambda rate: optax.sgd(rate, 0.9)), recognition.identify(velocity_inside)
    assert {"optax.sgd", "torch.SGD"} <= set(equal(outside))
    assert "keras.SGD" not in equal(outside)
    assert {"keras.SGD", "goodfellow.momentum"} <= set(equal(inside))
    assert "optax.sgd" not in equal(inside)
    assert "The learning rate is outside its velocity." in outside.remarks
    assert "The learning rate is inside its velocity." in inside.remarks
    parting = {row.reference: row.why for row in outside if row.verdict == UNEQUAL}
    assert parting["momentum"].startswith("equal for 1 step, differs from step 2 on")  # where the rate changes first


@pytest.mark.slow
def test_a_rule_that_ignores_the_schedule(among):
    among("adam")
    table = recognition.identify(lambda rate: optax.adam(rate(0) if callable(rate) else rate, b2=0.99))
    assert any("It ignores the schedule: its rate stays at 0.004." in remark for remark in table.remarks)
    assert "b2=0.99" in equal(table)["optax.adam"]


@pytest.mark.slow
def test_a_rule_that_takes_no_schedule():
    def numbers_only(rate):
        return optax.GradientTransformation(
            lambda params: (), lambda g, s, p=None: (jax.tree.map(lambda g: -rate * g, g), s)
        )

    table = recognition.identify(numbers_only)
    assert equal(table)["sgd"] == "its defaults"
    assert any("accepts no schedule" in remark for remark in table.remarks)


def scheduled_velocity(rate):
    """Momentum whose velocity shrinks as the rate falls: nobody's convention, and everyone's at a constant rate."""

    def init(params):
        return jnp.zeros((), "int32"), jax.tree.map(jnp.zeros_like, params)

    def update(grads, state, params=None):
        step, velocity = state
        eta = rate(step) if callable(rate) else rate
        before = rate(jnp.maximum(step - 1, 0)) if callable(rate) else rate
        velocity = jax.tree.map(lambda v, g: 0.9 * (eta / before) ** 2 * v - eta * g, velocity, grads)
        return velocity, (step + 1, velocity)

    return optax.GradientTransformation(init, update)


@pytest.mark.slow
def test_a_rule_that_is_known_at_a_constant_rate_only(among):
    among("momentum")
    table = recognition.identify(scheduled_velocity)
    assert "a constant rate of 0.004" in equal(table)["optax.sgd"]
    assert any(
        "only while the learning rate is constant; at a changing one they part at step 2" in r for r in table.remarks
    )


def squared_momentum(rate):
    def init(params):
        return jnp.zeros((), "int32"), jax.tree.map(jnp.zeros_like, params)

    def update(grads, state, params=None):
        step, m = state
        m = jax.tree.map(lambda m, g: 0.9 * m + g, m, grads)
        return jax.tree.map(lambda m: -rate(step) * jnp.sign(m) * m**2, m), (step + 1, m)

    return optax.GradientTransformation(init, update)


@pytest.mark.slow
def test_an_own_rule_is_called_equal_to_nothing():
    table = recognition.identify(squared_momentum)
    assert not equal(table)
    assert len(table) >= 3
    assert table.remarks[0].startswith("No known rule: the nearest to mine is ")
    assert table.ok  # to be another rule is no failure


@pytest.mark.slow
def test_single_precision_is_no_equality(among):
    among("adam")

    def rounded(rate):
        inner = optax.adam(rate)

        def update(grads, state, params=None):
            updates, state = inner.update(grads, state, params)
            return jax.tree.map(lambda u: u.astype("float32").astype(u.dtype), updates), state

        return optax.GradientTransformation(inner.init, update)

    table = recognition.identify(rounded)
    assert not equal(table)
    assert any("single precision" in remark for remark in table.remarks)


def test_what_takes_no_step():
    table = recognition.identify(optax.set_to_zero())
    assert len(table) == 0
    assert table.remarks == ("mine takes no step at all.",)


@pytest.mark.slow
def test_double_precision_stays_inside():
    recognition.identify(optax.sgd(0.1))
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("how", "clip"),
    [
        ("clipped by their global norm", optax.clip_by_global_norm(0.6)),
        ("clipped by value", optax.clip(0.6)),
        ("clipped by each leaf's norm", optimisers.preset("keras.SGD", 1.0, clipnorm=0.6)),
    ],
)
def test_clipping_is_the_libraries_own(how, clip, x64):
    _, grads = given_gradients.problem(1, steps=5)
    for step in range(5):
        one = jax.tree.map(lambda leaf, step=step: jnp.asarray(leaf[step]), grads)
        theirs, _ = clip.update(one, clip.init(one), one)
        ours = jax.tree.map(lambda leaf, step=step: leaf[step], CLIPS[how](grads, 0.6))
        if "leaf" in how:  # the preset takes a step of it, too
            ours = jax.tree.map(np.negative, ours)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), ours, theirs)


@pytest.mark.parametrize("size", [0.013, 0.7, 3.3, 42.0])
def test_the_least_of_a_function_with_a_corner(size):
    assert least(lambda x: abs(x - size)) == pytest.approx(size, rel=1e-12)


@pytest.mark.slow
def test_uncommon_decay_is_found_at_a_changing_rate(among):
    among("adam")
    table = recognition.identify(lambda rate: optax.chain(optax.add_decayed_weights(0.023), optax.adam(rate)))
    assert "adam(weight_decay=0.023)" in table.remarks[0]
    assert not any("step 0" in remark for remark in table.remarks)
