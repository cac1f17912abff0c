"""Hyperparameters are data: what factories make are pytrees of numbers, and new numbers compile nothing."""

import copy
import functools
import inspect
import os
import pickle
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import factories, losses, mlp, optimisers, schedules, structure, training
from jaxnn.objective import Objective, l2
from jaxnn.types import ABSENT_AT_0, COUNT, DECAYS

X, Y = jnp.linspace(-1.0, 1.0, 36).reshape(12, 3), jnp.arange(12) % 2
PARAMS = mlp.init(jax.random.key(0), (3, 4, 2))


def kinds(annotation):
    return factories._kinds(annotation)


def arguments_of(factory, which):
    """Every number that a factory takes, in the first or the second of two versions, both in range."""
    given = {}
    for name, parameter in inspect.signature(factory).parameters.items():
        marks, default = kinds(parameter.annotation), parameter.default
        if default is inspect.Parameter.empty:
            default = 0.1
        if isinstance(default, bool) or marks in ([int], [bool], [str]):
            continue
        if isinstance(default, tuple) and DECAYS in marks:
            given[name] = tuple(rate * (1, 0.97)[which] for rate in default)
        elif isinstance(default, int | float):
            if default == 0:
                default = 0.02 if ABSENT_AT_0 in marks else (0.0, 0.04)[which]
            given[name] = default * (1, 0.97)[which]
        elif default is None and DECAYS in marks:
            given[name] = (0.9, 0.8)[which]
    return given


def rule(factory, which):
    given = arguments_of(factory, which)
    if "nesterov" in inspect.signature(factory).parameters and "dampening" in given:
        del given["dampening"]
    return factory(**given)


RULES = {
    **optimisers.TABLE,
    **optimisers.PRESETS,
    "clip": optimisers.clip_by_global_norm,
    "value": optimisers.clip_by_value,
}
SCHEDULES = {
    "constant": lambda k: schedules.constant((0.1, 0.2)[k]),
    "exponential_decay": lambda k: schedules.exponential_decay((0.1, 0.2)[k], rate=(0.5, 0.6)[k], steps=(7, 9)[k]),
    "step_decay": lambda k: schedules.step_decay((0.1, 0.2)[k], rate=(0.5, 0.6)[k], steps=(2, 3)[k]),
    "inverse_time": lambda k: schedules.inverse_time((0.1, 0.2)[k], decay=(0.5, 0.6)[k]),
    "cosine": lambda k: schedules.cosine((0.1, 0.2)[k], steps=(7, 9)[k], final=(0.0, 0.01)[k]),
    "warmup_cosine": lambda k: schedules.warmup_cosine((0.1, 0.2)[k], warmup=(1, 2)[k], steps=(7, 9)[k]),
    "piecewise": lambda k: schedules.piecewise([(0.1, 0.2)[k], 0.05], boundaries=[(2, 3)[k]]),
}


def test_every_schedule_is_asked_for():
    assert set(SCHEDULES) == set(schedules.TABLE)


class Traces:
    """How often a function was traced."""

    def __init__(self, function):
        self.count = 0

        @jax.jit
        def counted(*arguments):
            self.count += 1
            return function(*arguments)

        self.function = counted

    def __call__(self, *arguments):
        return self.function(*arguments)


@pytest.mark.by_default("sgd", "nadam", "rmsprop", "torch.AdamW", "optax.adam")
@pytest.mark.parametrize("name", RULES)
def test_a_rule_with_other_numbers_is_the_same_program(name):
    """And gives there what it gives by itself."""
    params, grads = {"w": jnp.array([1.0, -2.0])}, {"w": jnp.array([0.3, 0.5])}

    def steps(optimiser, params, grads):
        state = optimiser.init(params)
        for _ in range(2):
            updates, state = optimiser.update(grads, state, params)
        return updates, state

    traced = Traces(steps)
    for which in (0, 1):
        optimiser = rule(RULES[name], which)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-9),
            traced(optimiser, params, grads),
            steps(optimiser, params, grads),
        )
    assert traced.count == 1
    assert rule(RULES[name], 0) != rule(RULES[name], 1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_with_other_numbers_is_the_same_program(name):
    traced = Traces(
        lambda optimiser, step: optimiser.update(jnp.ones(2), optimiser.init(jnp.ones(2))._replace(step=step))
    )
    for which in (0, 1):
        schedule = SCHEDULES[name](which)
        for step in (0, 1, 2, 5, 20):
            updates, _ = traced(optimisers.sgd(schedule), jnp.asarray(step))
            np.testing.assert_allclose(updates, -jnp.asarray(schedule(jnp.asarray(step))) * jnp.ones(2), rtol=2e-6)
    assert traced.count == 1


def objective(dropout, strength, activation=jnp.tanh):
    predict = functools.partial(mlp.apply, activation=activation, dropout=dropout)
    return Objective(predict, losses.softmax_cross_entropy, l2(strength))


def fit(rate, **others):
    settings = {"dropout": 0.2, "strength": 1e-4, "b2": 0.999, "steps": 100, "clip": 1.0, "patience": 5} | others
    optimiser = optimisers.chain(
        optimisers.clip_by_global_norm(settings["clip"]),
        optimisers.adam(schedules.cosine(rate, steps=settings["steps"]), b2=settings["b2"], weight_decay=rate / 10),
    )
    return training.fit(
        objective(settings["dropout"], settings["strength"]),
        optimiser,
        PARAMS,
        (X, Y),
        epochs=2,
        batch_size=5,
        key=jax.random.key(1),
        validation=(X, Y),
        patience=settings["patience"],
        min_delta=rate / 1000,
        progress=False,
    )


def test_fit_with_other_numbers_compiles_nothing(compilations):
    first = fit(0.01)
    before = compilations()
    assert before > 0
    second = fit(0.02, dropout=0.3, strength=1e-3, b2=0.99, steps=50, clip=2.0, patience=7)
    assert compilations() == before
    assert first.history.loss[-1] != second.history.loss[-1]


def test_fit_with_another_structure_compiles(compilations):
    fit(0.01)
    before = compilations()
    fit(0.01, dropout=0.0)
    assert compilations() > before


def test_minimise_with_other_numbers_compiles_nothing(compilations):
    def solve(scale):
        return training.minimise(
            objective(0.0, 1e-3 * scale),
            PARAMS,
            (X, Y),
            optimisers.adam(0.01 * scale),
            max_steps=5,
            gradient_tolerance=1e-9 * scale,
            goal=0.01 * scale,
        )

    solve(1.0)
    before = compilations()
    solve(2.0)
    assert compilations() == before


def test_run_and_step_take_them_as_arguments():
    rows = jnp.arange(12).reshape(4, 3)
    run = Traces(lambda *given: training.run(*given, PARAMS, (X, Y), rows)[1].loss)
    step = Traces(lambda J, rule, state: training.step(J, rule)(state, (X, Y))[1].loss)
    for rate, dropout in ((0.1, 0.2), (0.2, 0.3)):
        run(objective(dropout, rate), optimisers.adamw(rate))
        step(objective(dropout, rate), optimisers.adamw(rate), training.init(optimisers.adamw(rate), PARAMS))
    assert (run.count, step.count) == (1, 1)


METHODS = {
    **optimisers.METHODS,
    **{
        f"newton {method}": functools.partial(optimisers.newton, method=method)
        for method in ("pure", "line_search", "cubic")
    },
}


@pytest.mark.by_default("newton", "lbfgs", "levenberg_marquardt")
@pytest.mark.parametrize("name", METHODS)
def test_a_method_with_other_numbers_is_the_same_program(name):
    """Traced, not compiled: what is compiled is a function of what was traced."""
    predict = functools.partial(mlp.apply, activation=jnp.tanh)

    def squares(strength):
        penalty = None if name == "bayesian_regularisation" else l2(strength)  # which it chooses itself
        return Objective(predict, losses.squared_error, penalty)

    targets = jnp.stack([Y, -Y], axis=1).astype(jnp.float32)
    traced = Traces(lambda *given: training.minimise(given[0], PARAMS, (X, targets), given[1], max_steps=3))
    for which in (0, 1):
        traced.function.eval_shape(squares(0.1 + which), rule(METHODS[name], which))
    assert traced.count == 1


SCRIPT = """
import sys, jax
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
from tests.test_factories import fit
fit(float(sys.argv[1]), b2=float(sys.argv[2]))
count = lambda name: sum(event == f"/jax/compilation_cache/{name}" for event in events)
print(count("cache_hits"), count("cache_misses"))
"""


@pytest.mark.slow
@pytest.mark.skipif(jax.__version_info__ < (0, 10, 2), reason="jaxlib before 0.10.2 may wait for ever in its cache")
def test_another_process_finds_the_program_of_another_rate_in_the_cache(tmp_path):
    def run(*arguments):
        settings = {
            "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
            "JAX_ENABLE_COMPILATION_CACHE": "true",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        found = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments],
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=True,
        )
        return [int(number) for number in found.stdout.split()[-2:]]

    hits, misses = run("0.01", "0.999")
    assert misses > 0
    assert run("0.03", "0.95") == [hits + misses, 0]


class TestPytrees:
    def test_leaves_are_the_numbers_in_their_order(self):
        leaves = jax.tree.leaves(optimisers.adam(1e-3, eps=1e-7))
        assert leaves[0] == 1e-3
        assert 1e-7 in leaves
        assert jax.tree.leaves(optimisers.sgd(0.5)) == [0.5]

    def test_a_map_over_them_makes_another_one(self):
        assert jax.tree.map(lambda rate: 2 * rate, optimisers.sgd(0.1)) == optimisers.sgd(0.2)

    def test_many_are_one_with_a_leading_axis(self):
        rows = jnp.arange(12).reshape(4, 3)
        last = lambda rule: training.run(objective(0.0, 1e-3), rule, PARAMS, (X, Y), rows)[1].loss[-1]
        rates, decays = [0.01, 0.1, 1.0], [0.0, 0.1, 0.2]
        several = optimisers.stack(optimisers.adamw, learning_rate=rates, weight_decay=decays, b2=0.99)
        alone = [last(optimisers.adamw(r, weight_decay=d, b2=0.99)) for r, d in zip(rates, decays, strict=True)]
        np.testing.assert_allclose(jax.vmap(last)(several), alone, rtol=1e-5)
        by_hand = jax.tree.map(lambda *x: jnp.stack(jnp.asarray(x)), *(optimisers.adam(rate) for rate in rates))
        np.testing.assert_allclose(jax.vmap(last)(by_hand), [last(optimisers.adam(r)) for r in rates], rtol=1e-5)

    @pytest.mark.by_default("sgd", "radam")
    @pytest.mark.parametrize("name", optimisers.TABLE)
    def test_a_stack_keeps_the_dtypes_of_narrow_parameters(self, name, x64):
        """In double precision its numbers are float64 arrays, and the parameters may be float32."""
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), PARAMS)
        data = (X.astype(jnp.float32), Y)
        several = optimisers.stack(optimisers.TABLE[name], learning_rate=[0.01, 0.02])
        run = lambda rule: training.run(objective(0.0, 1e-3), rule, params, data, jnp.arange(12).reshape(4, 3))[0]
        state = jax.eval_shape(jax.vmap(run), several)
        assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype(jnp.float32)}

    @pytest.mark.parametrize(
        ("factory", "arguments"),
        [
            (optimisers.momentum, {"learning_rate": 0.1, "momentum": [0, 0.5, 0.9]}),
            (optimisers.adam, {"learning_rate": 0.1, "b1": [0.9, 0.0]}),
            (optimisers.rmsprop, {"learning_rate": 0.1, "momentum": [0.0, 0.9]}),
        ],
    )
    def test_a_decay_rate_of_zero_is_one_of_a_stack(self, factory, arguments):
        several = optimisers.stack(factory, **arguments)
        first = jax.vmap(lambda rule: rule.update(jnp.ones(2), rule.init(jnp.ones(2)))[0])(several)
        name, rates = next((n, v) for n, v in arguments.items() if isinstance(v, list))
        for rate, updates in zip(rates, first, strict=True):
            alone = factory(**arguments | {name: rate})
            np.testing.assert_allclose(updates, alone.update(jnp.ones(2), alone.init(jnp.ones(2)))[0], rtol=1e-6)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: optimisers.radam(0.1, b2=jnp.asarray(0.999)),
            lambda: jax.tree.map(jnp.asarray, optimisers.adam(schedules.warmup_cosine(0.1, warmup=2, steps=9))),
        ],
    )
    def test_what_is_first_used_within_a_program_can_be_used_outside(self, make):
        rule = make()
        within = jax.jit(lambda grads: rule.update(grads, rule.init(grads))[0])(jnp.ones(2))
        outside = rule.update(jnp.ones(2), rule.init(jnp.ones(2)))[0]
        np.testing.assert_allclose(within, outside, rtol=1e-6)

    def test_a_donated_state_does_not_take_the_rate_with_it(self):
        rule = optimisers.sgd(schedules.constant(jnp.asarray(0.1)))
        jax.jit(lambda state: state, donate_argnums=0)(rule.init(jnp.ones(2)))
        assert float(rule.init(jnp.ones(2)).learning_rate) == pytest.approx(0.1)

    def test_numbers_of_numpy_are_numbers(self):
        zeros = [optimisers.sgd(0.1, weight_decay=zero) for zero in (0, 0.0, np.float32(0), np.float64(0))]
        assert all(rule == zeros[0] for rule in zeros)
        assert zeros[2].update(jnp.ones(2), zeros[2].init(jnp.ones(2)))[0].shape == (2,)

    def test_a_leaf_that_has_become_zero_stays_a_leaf(self):
        rule = jax.tree.map(lambda leaf: 0 * leaf, optimisers.sgd(0.1, weight_decay=0.1))
        assert pickle.loads(pickle.dumps(rule)) == rule
        assert copy.deepcopy(rule) == rule

    @pytest.mark.parametrize("arguments", [{}, {"learning_rate": 0.1}, {"learning_rate": [1, 2], "b1": [0.1]}])
    def test_a_stack_needs_lists_of_one_length(self, arguments):
        with pytest.raises(ValueError, match="lists of the same length"):
            optimisers.stack(optimisers.adam, **arguments)

    def test_gradients_with_respect_to_them_are_those_of_the_arguments(self):
        rows = jnp.arange(12).reshape(4, 3)
        last = lambda rule: training.run(objective(0.0, 1e-3), rule, PARAMS, (X, Y), rows)[1].loss[-1]
        slopes = jax.tree.leaves(jax.grad(last)(optimisers.momentum(0.1, momentum=0.9)))
        direct = jax.grad(lambda rate, momentum: last(optimisers.momentum(rate, momentum=momentum)), argnums=(0, 1))
        rate, momentum = direct(0.1, 0.9)
        assert float(slopes[0]) == pytest.approx(float(rate), rel=1e-3)
        assert float(slopes[1]) == pytest.approx(-float(momentum), rel=1e-3)  # of the complement

    def test_optax_takes_ours_and_our_loops_take_optax(self, compilations):
        ours = optax.GradientTransformationExtraArgs(*optimisers.adam(0.1))
        updates, _ = ours.update(jnp.ones(2), ours.init(jnp.ones(2)), jnp.ones(2))
        np.testing.assert_allclose(updates, -0.1, rtol=1e-6)
        theirs = optax.adam(0.1)
        solve = lambda: training.minimise(objective(0.0, 1e-3), PARAMS, (X, Y), theirs, max_steps=3)
        solve()
        before = compilations()
        solve()
        assert compilations() == before

    @pytest.mark.parametrize(
        "made",
        [
            optimisers.adam(1e-3),
            optimisers.chain(optimisers.clip_by_value(1.0), optimisers.lion(schedules.cosine(0.1, steps=10))),
            optimisers.preset("torch.Adam", betas=(0.8, 0.99)),
            optimisers.nadam(0.1, momentum_decay=1),
            optimisers.accumulate(optimisers.sgd(0.1), steps=4),
        ],
        ids=str,
    )
    def test_can_be_kept(self, made):
        """Pickled, written by name and numbers, and compared."""
        assert pickle.loads(pickle.dumps(made)) == made
        assert optimisers.from_spec(optimisers.spec(made)) == made
        assert hash(pickle.loads(pickle.dumps(made))) == hash(made)

    def test_prints_as_it_was_called(self):
        assert repr(optimisers.sgd(0.1)) == "sgd(learning_rate=0.1, weight_decay=0.0, maximise=False)"
        schedule = schedules.cosine(0.1, steps=10)
        assert repr(schedule) == "cosine(learning_rate=0.1, steps=10, final=0.0)"
        assert repr(optimisers.chain(optimisers.set_to_zero())) == "chain(set_to_zero())"
        assert "cosine(" in repr(optimisers.adam(schedule))
        assert "b2=0.999" in repr(jax.tree.map(lambda leaf: leaf, optimisers.adam(0.1)))
        assert "b1=[0.9, 0.9]" in repr(optimisers.stack(optimisers.adam, learning_rate=[0.1, 0.2]))
        third = jax.tree.map(lambda leaf: leaf, optimisers.momentum(0.1, momentum=1 / 3))
        assert optimisers.from_spec(optimisers.spec(third)) == third
        assert repr(optimisers.inject(optimisers.sgd, learning_rate=0.1)) == "inject(factory=sgd, learning_rate=0.1)"

    @pytest.mark.parametrize(
        ("description", "message"),
        [
            ({"adom": {}}, "Did you mean 'adam'"),
            ({"adam": {"lr": 1}}, "argument of adam"),
            ({"adam": {"learning_rate": -1}}, "learning_rate must be ≥ 0"),
            ({"adam": 3}, "must be an object"),
            ({}, "spec must be like"),
        ],
    )
    def test_a_wrong_description_is_refused(self, description, message):
        with pytest.raises(ValueError, match=message):
            optimisers.from_spec(description)

    def test_what_has_no_name_is_not_written(self):
        with pytest.raises(ValueError, match="Only optimisers and schedules of jaxnn"):
            optimisers.spec(optimisers.chain(optax.sgd(0.1)))


class TestStructure:
    def test_equal_partials_are_one_structure(self):
        one, two = (structure.split(functools.partial(mlp.apply, activation=jnp.tanh, dropout=d)) for d in (0.1, 0.2))
        assert jax.tree.structure(one) == jax.tree.structure(two)
        assert jax.tree.leaves(one) == [0.1]
        other = structure.split(functools.partial(mlp.apply, activation=jax.nn.relu, dropout=0.1))
        assert jax.tree.structure(one) != jax.tree.structure(other)

    def test_other_peoples_numbers_may_be_switches(self):
        """Only jax's own partials make data of them."""
        assert jax.tree.leaves(structure.split(functools.partial(jnp.sum, axis=0))) == []
        assert jax.tree.leaves(structure.split(jax.tree_util.Partial(jnp.sum, 2.0))) == [2.0]
        assert len(jax.tree.leaves(structure.split(functools.partial(jnp.dot, jnp.ones(2))))) == 1

    @pytest.mark.parametrize("value", [1, True, 1.0, "1", None, (1, "a"), [1, {"b": len}], np.array([True, False])])
    def test_restores_what_it_split(self, value):
        found = structure.restore(structure.split(value))
        assert type(found) is type(value)
        assert repr(found) == repr(value)

    def test_true_is_not_one(self):
        assert structure.Static(True) != structure.Static(1)
        assert structure.Static([1]) != structure.Static([1])  # no hash: each is its own

    def test_a_lambda_made_anew_is_told_once(self):
        solve = lambda J: training.minimise(J, jnp.ones(2), None, optimisers.sgd(0.1), max_steps=2)
        made = [lambda p, _: jnp.sum(p**2) for _ in range(4)]
        solve(made[0])
        solve(made[0])
        solve(made[1])
        with pytest.warns(structure.RecompilationWarning, match="A lambda in line .* created 3 times"):
            solve(made[2])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            solve(made[3])


def test_a_factory_names_what_is_data():
    """Every hyperparameter of a rule is a number by its annotation, never `Any`."""
    for name, factory in optimisers.TABLE.items():
        for parameter in inspect.signature(factory).parameters.values():
            marks = kinds(parameter.annotation)
            assert marks != [inspect.Parameter.empty], (name, parameter)
            assert COUNT not in marks, (name, parameter)
