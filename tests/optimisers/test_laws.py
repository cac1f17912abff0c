"""The laws of tests/laws.py, over every optimiser and its variants."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import optimisers
from tests import laws
from tests.laws import CASES, DECAYING

pytestmark = pytest.mark.rounding(quickly=True)

every = pytest.mark.parametrize(  # the variants of a rule are slow
    "make",
    [pytest.param(make, id=name, marks=[pytest.mark.slow] * (name in laws.VARIANTS)) for name, make in CASES.items()],
)
every_rule = pytest.mark.parametrize("make", optimisers.TABLE.values(), ids=list(optimisers.TABLE))


@every
def test_eager_jit_and_scan_agree(make):
    laws.eager_jit_and_scan_agree(make)


@every
def test_training_is_differentiable(make, x64):
    laws.training_is_differentiable(make)


@every
def test_derivatives_at_a_zero_gradient_are_finite(make):
    laws.derivatives_at_a_zero_gradient_are_finite(make)


@pytest.mark.by_default("*-bfloat16")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@every
def test_structure_and_dtypes_are_kept(make, dtype):
    laws.structure_and_dtypes_are_kept(make, dtype)


@pytest.mark.by_default("*-float64")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
@every_rule
def test_structure_and_dtypes_are_kept_under_x64(make, dtype, x64):
    laws.structure_and_dtypes_are_kept(make, dtype)


@pytest.mark.by_default("*-bfloat16")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@every_rule
def test_narrow_parameters_move_as_wide_ones(make, dtype):
    laws.narrow_parameters_move_as_wide_ones(make, dtype)


@pytest.mark.slow  # one by one; all at once further down
@pytest.mark.parametrize("name", sorted(set(CASES) - DECAYING))
def test_a_zero_gradient_is_no_step(name):
    laws.a_zero_gradient_is_no_step(CASES[name])


@pytest.mark.parametrize("name", laws.DECOUPLED_RULES)
def test_a_zero_gradient_leaves_decoupled_decay(name):
    p = laws.params()
    optimiser = optimisers.get(name)(0.5, weight_decay=0.25)
    zeros = jax.tree.map(jnp.zeros_like, p)
    updates, _ = optimiser.update(zeros, optimiser.init(p), p)
    laws.equal(updates, jax.tree.map(lambda p: -0.125 * p, p))


@every
def test_extremes_stay_finite(make):
    laws.extremes_stay_finite(make)


@every
def test_a_spike_is_survived(make):
    laws.a_spike_is_survived(make)


@every
def test_counters_saturate(make):
    laws.counters_saturate(make)


@every
def test_the_first_rate_is_that_of_step_0(make):
    laws.the_first_rate_is_that_of_step_0(make)


@every
def test_maximising_mirrors(make):
    laws.maximising_mirrors(make)


@pytest.mark.by_default("*-float32")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@every
def test_strict_promotion_passes(make, dtype):
    laws.strict_promotion_passes(make, dtype)


@every_rule
def test_strict_promotion_passes_under_x64(make, x64):
    laws.strict_promotion_passes(make, jnp.float32)


@every_rule
def test_the_words_of_a_loop_are_taken(make):
    laws.the_words_of_a_loop_are_taken(make)


@every_rule
def test_runs_in_optaxs_chain(make):
    p = laws.params()
    theirs = optax.chain(optax.clip(0.5), optax.GradientTransformationExtraArgs(*make(1e-2)))
    ours = optimisers.chain(optimisers.clip_by_value(0.5), make(1e-2))
    run = jax.jit(lambda p, g, o: laws.scanned(o, p, g)[0], static_argnums=2)
    laws.equal(run(p, laws.gradients(p), theirs), run(p, laws.gradients(p), ours))


@every_rule
def test_bad_hyperparameters_are_named(make):
    with pytest.raises(ValueError, match="learning_rate must be ≥ 0"):
        make(-1.0)
    with pytest.raises(ValueError, match="weight_decay must be ≥ 0"):
        make(1e-3, weight_decay=-1.0)


def test_decay_needs_the_parameters():
    g = np.ones(2, np.float32)
    for name in sorted(set(optimisers.TABLE)):
        optimiser = optimisers.get(name)(0.1, weight_decay=0.1)
        with pytest.raises(ValueError, match="needs the parameters"):
            optimiser.update(g, optimiser.init(g))


# Presets are made of the rules, whose laws are asked by default; theirs are slow.
zoos = pytest.mark.parametrize(
    "zoo",
    [
        pytest.param(zoo, id=name, marks=[pytest.mark.slow] * (name in laws.LIBRARIES))
        for name, zoo in laws.ZOOS.items()
    ],
)
forms = pytest.mark.parametrize(
    ("zoo", "jitted"),
    [
        pytest.param(zoo, jitted, id=f"{name}-{form}", marks=[pytest.mark.slow] * (name in laws.LIBRARIES))
        for name, zoo in laws.ZOOS.items()
        for form, jitted in (("jitted", True), ("eager", False))
    ],
)

LAWS = [
    laws.turning_the_gradient_turns_the_steps,
    laws.at_rate_zero_nothing_moves,
    laws.updates_are_proportional_to_the_rate,
    laws.rates_are_used_in_their_turn,
    laws.without_decay_the_parameters_do_not_matter,
    laws.no_gradient_is_no_step,
    laws.counters_of_all_links_saturate,
]
LAWS_OF_ONE_FORM = [
    laws.every_size_of_gradient_is_survived,
    laws.jitted_and_eager_agree,
    laws.order_and_parts_do_not_matter,
    laws.batched_is_one_by_one,
    laws.one_program_serves_all_rates_and_steps,
    laws.narrow_leaves_keep_their_dtypes_and_wide_states,
]


@pytest.mark.by_default("rules-*")
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@forms
def test_jitted_and_not(law, zoo, jitted):
    assert law(zoo, jitted) == []


@pytest.mark.by_default("rules-*")
@pytest.mark.parametrize("law", LAWS_OF_ONE_FORM, ids=lambda law: law.__name__)
@zoos
def test_in_one_form(law, zoo):
    assert law(zoo) == []


@zoos
def test_a_run_goes_on_from_every_step(zoo, tmp_path):
    assert laws.a_run_goes_on_from_every_step(zoo, tmp_path) == []


@pytest.mark.parametrize(
    "name", ["rules", *(pytest.param(n, marks=pytest.mark.slow) for n in laws.ZOOS if n != "rules")]
)
def test_insertion_order_does_not_matter(name):
    assert laws.insertion_order_does_not_matter(laws.ZOOS[name]) == []


@pytest.mark.slow
def test_torchs_maximize_mirrors():
    """The decay still shrinks."""
    p, grads, paths = laws.usual(laws.ZOOS["torch"], True)
    climbing = laws.Zoo({name: partial(optimisers.preset, name, maximize=True) for name in paths})
    turned = climbing.follow(p, laws.scale(grads, -1), moving=False)
    assert laws.breaking({n: laws.is_same(path.updates, turned[n].updates) for n, path in paths.items()}) == []
