"""The laws of tests/laws.py, over every optimiser and its variants."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import optimisers
from tests import laws

VARIANTS = {
    "momentum, rate outside, damped": ("momentum", {"learning_rate_inside": False, "dampening": 0.5}),
    "nesterov, rate outside": ("nesterov", {"learning_rate_inside": False}),
    "adagrad, eps inside": ("adagrad", {"eps_inside": True, "initial_accumulator": 0.1}),
    "adagrad, no eps": ("adagrad", {"eps": 0.0}),
    "rmsprop, eps outside": ("rmsprop", {"eps_inside": False, "momentum": 0.9}),
    "rmsprop, no eps": ("rmsprop", {"eps": 0.0}),
    "rmsprop, centred": ("rmsprop", {"centred": True, "momentum": 0.9, "learning_rate_inside": False}),
    # ε well above rounding: the variance of the first gradient alone is 0
    "rmsprop, corrected": ("rmsprop", {"centred": True, "bias_correction": True, "eps": 1e-2}),
    "adam, eps_hat": ("adam", {"eps_hat": True}),
    "adam, no eps": ("adam", {"eps": 0.0}),
    "adam, eps_root": ("adam", {"eps_root": 1e-8}),
    "adam, L2": ("adam", {"weight_decay": 0.1}),
    "adamax, eps outside": ("adamax", {"eps_inside": False}),
    "adamax, no eps": ("adamax", {"eps": 0.0}),
    "amsgrad, raw": ("amsgrad", {"maximum": "raw"}),
    "amsgrad, paper": ("amsgrad", {"maximum": "paper"}),
    "nadam, constant momentum": ("nadam", {"momentum_decay": math.inf}),
    "nadam, no momentum": ("nadam", {"b1": 0.0}),
    "radam, eps_hat": ("radam", {"eps_hat": True, "b2": 0.9}),
    "lion, decayed": ("lion", {"weight_decay": 0.1}),
}
CASES = {name: factory for name, factory in optimisers.TABLE.items()} | {
    name: partial(optimisers.get(rule), **keywords) for name, (rule, keywords) in VARIANTS.items()
}
DECAYING = {"adamw", "adam, L2", "lion, decayed"}

every = pytest.mark.parametrize("make", CASES.values(), ids=list(CASES))
every_rule = pytest.mark.parametrize("make", optimisers.TABLE.values(), ids=list(optimisers.TABLE))


@every
def test_eager_jit_and_scan_agree(make):
    laws.eager_jit_and_scan_agree(make)


@every
def test_vmap_is_one_by_one(make):
    laws.vmap_is_one_by_one(make)


@every
def test_buffers_may_be_donated(make):
    laws.buffers_may_be_donated(make)


@every
def test_training_is_differentiable(make, x64):
    laws.training_is_differentiable(make)


@every
def test_derivatives_at_a_zero_gradient_are_finite(make):
    laws.derivatives_at_a_zero_gradient_are_finite(make)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@every
def test_structure_and_dtypes_are_kept(make, dtype):
    laws.structure_and_dtypes_are_kept(make, dtype)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32, jnp.float64])
@every_rule
def test_structure_and_dtypes_are_kept_under_x64(make, dtype, x64):
    laws.structure_and_dtypes_are_kept(make, dtype)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@every_rule
def test_narrow_parameters_move_as_wide_ones(make, dtype):
    laws.narrow_parameters_move_as_wide_ones(make, dtype)


@every_rule
def test_one_trace_serves_all_steps(make):
    laws.one_trace_serves_all_steps(make)


@pytest.mark.parametrize("name", sorted(set(CASES) - DECAYING))
def test_a_zero_gradient_is_no_step(name):
    laws.a_zero_gradient_is_no_step(CASES[name])


@pytest.mark.parametrize("name", ["adamw", "lion"])
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
def test_counters_saturate(make):
    laws.counters_saturate(make)


@every
def test_the_first_rate_is_that_of_step_0(make):
    laws.the_first_rate_is_that_of_step_0(make)


@every
def test_maximising_mirrors(make):
    laws.maximising_mirrors(make)


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
