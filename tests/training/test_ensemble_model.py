"""An ensemble in one file predicts the weighted mean of its members, as one model."""

import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import safetensors
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from jaxnn import ensemble, mlp, preprocessing, training
from jaxnn.preprocessing import Preprocessing
from jaxnn.problems import PROBLEMS
from jaxnn.training import Ensemble, Model, load, named_arrays, save, serialisation

RNG = np.random.default_rng(1)
N = 60
TABLE = pd.DataFrame(
    {
        "age": RNG.uniform(20, 90, N),
        "smoker": RNG.uniform(size=N) < 0.5,
        "town": np.array(["Kiel", "Ulm", "Köln"] * 19 + ["Bonn"] * 3),
        "stroke": np.array(["no", "yes"] * (N // 2)),
        "cost": RNG.normal(1e4, 3e3, N),
    }
)
FOLDS = {"all": np.arange(N), "a": np.arange(40), "b": np.arange(N)[N // 3 :]}  # no row of fold a is in Bonn
X = RNG.normal(size=(20, 4))
TARGETS = {"classes": "stroke", "numbers": "cost"}
PAGE = Path(__file__).parents[2] / "docs" / "ensembles.md"


def network(sizes, *, seed=0, dtype=None, preprocessing=None, **config):
    params = mlp.init(jax.random.key(seed), sizes, dtype=dtype, b_init=jax.nn.initializers.normal(1.0))
    return Model(params, {"sizes": list(sizes), **config}, preprocessing)


def fitted(target, rows="all"):
    other = {"stroke": "cost", "cost": "stroke"}[target]
    return preprocessing.fit(TABLE, target, drop=other, rows=FOLDS[rows])


def of_folds(target, *, dtype=None, weights=(3, 1, 2), **config):
    """Networks of several architectures, two of them of one fold and one of another, and a preprocessing of all."""
    n_out = {"stroke": 2, "cost": 1}[target]
    models = []
    for seed, (fold, hidden) in enumerate((("a", (5,)), ("b", (3, 4)), ("a", ()))):
        own = fitted(target, fold)
        sizes = (len(own.input_names), *hidden, n_out)
        models.append(network(sizes, seed=seed, dtype=dtype, preprocessing=own, activation="tanh"))
    return Ensemble(tuple(models), weights, fitted(target), **config)


def of_arrays(problem=None, n_out=2, *, weights=(3, 1, 2), dtype=None):
    sizes = ((4, 5, n_out), (4, 3, 6, n_out), (4, n_out))
    return Ensemble(
        tuple(network(s, seed=k, dtype=dtype, problem=problem) for k, s in enumerate(sizes)), np.array(weights)
    )


# What it predicts


def test_probabilities_are_the_weighted_mean(dtype):
    whole = of_folds("stroke", dtype=dtype)
    each = [model.predict_probabilities(TABLE) for model in whole.models]
    expected = (3 * each[0] + each[1] + 2 * each[2]) / 6
    assert_allclose(whole.predict_probabilities(TABLE), expected, rtol=1e-13)  # in double precision, as each is
    assert_allclose(scipy.special.softmax(whole.outputs(TABLE), axis=1), expected, rtol=1e-13)
    assert_allclose(scipy.special.logsumexp(whole.outputs(TABLE), axis=1), 0, atol=1e-14)
    assert_array_equal(whole.predict(TABLE), np.array(["no", "yes"])[expected.argmax(axis=1)])
    assert set(whole.predict(TABLE)) == {"no", "yes"}
    assert_array_equal(whole.member_outputs(TABLE), each)
    assert_allclose(ensemble.mean(whole.member_outputs(TABLE), whole.weights), expected, rtol=1e-13)


def test_numbers_are_the_weighted_mean_in_the_targets_units(dtype):
    whole = of_folds("cost", dtype=dtype)
    assert len({model.preprocessing.target for model in whole.models}) == 2
    each = np.array([model.predict(TABLE) for model in whole.models])
    expected = (3 * each[0] + each[1] + 2 * each[2]) / 6
    assert_allclose(whole.predict(TABLE), expected, rtol=1e-13)
    cost = TABLE["cost"].to_numpy()
    assert_allclose(whole.outputs(TABLE)[:, 0] * cost.std() + cost.mean(), expected, rtol=1e-12)
    assert_array_equal(whole.member_outputs(TABLE), each[:, :, None])
    assert ensemble.spread(whole.member_outputs(TABLE)[:, :, 0], whole.weights).min() > 0


@pytest.mark.parametrize("target", TARGETS.values())
def test_what_takes_a_models_outputs_takes_an_ensembles(target):
    whole = of_folds(target)
    problem = PROBLEMS[whole.preprocessing.problem]
    targets = whole.preprocessing.targets(TABLE[target])
    scores = problem.scores(whole.preprocessing, whole.outputs(TABLE), targets, None)
    if target == "stroke":
        right = whole.predict_probabilities(TABLE)[np.arange(N), targets]
        assert scores["log loss"] == pytest.approx(-np.log(right).mean(), rel=1e-12)
    else:
        error = whole.predict(TABLE) - TABLE["cost"]
        assert scores["RMSE"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-12)
    assert problem.answers(whole.preprocessing, whole.outputs(TABLE)) == [
        value if target == "stroke" else repr(value) for value in whole.predict(TABLE).tolist()
    ]


@pytest.mark.parametrize("problem", [None, "classes", "numbers"])
def test_arrays_without_preprocessing(dtype, problem):
    whole = of_arrays(problem, n_out=2, dtype=dtype)
    raw = np.array([np.float64(model.outputs(X)) for model in whole.models])
    each = scipy.special.softmax(raw, axis=2) if problem == "classes" else raw
    expected = np.tensordot([1 / 2, 1 / 6, 1 / 3], each, axes=1)
    assert_allclose(whole.member_outputs(X), each, rtol=1e-13)
    found = whole.outputs(X)
    assert found.dtype == np.float64
    if problem == "classes":
        assert_allclose(np.exp(found), expected, rtol=1e-13)
        assert_array_equal(whole.predict(X), expected.argmax(axis=1))
        assert_allclose(whole.predict_probabilities(X), expected, rtol=1e-13)
    else:
        assert_allclose(found, expected, rtol=0, atol=1e-14)
        assert_array_equal(whole.predict(X), found)
        with pytest.raises(ValueError, match="does not predict classes"):
            whole.predict_probabilities(X)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("target", TARGETS.values())
def test_one_model_however_often_predicts_what_it_predicts(dtype, target, times):
    model = of_folds(target, dtype=dtype).models[0]
    whole = Ensemble((model,) * times, None, model.preprocessing)
    if target == "stroke":
        assert_array_equal(whole.predict(TABLE), model.predict(TABLE))
        assert_allclose(whole.predict_probabilities(TABLE), model.predict_probabilities(TABLE), rtol=1e-14)
    else:
        assert_allclose(whole.predict(TABLE), model.predict(TABLE), rtol=1e-14)
        assert_allclose(whole.outputs(TABLE), model.outputs(TABLE), rtol=0, atol=1e-14)


def test_neither_the_order_nor_a_weight_of_zero_nor_the_sum_of_the_weights_matters():
    whole = of_folds("stroke", weights=(3, 0, 2))
    expected = whole.outputs(TABLE)
    shuffled = whole._replace(models=whole.models[::-1], weights=(2, 0, 3))
    for other in (shuffled, whole._replace(weights=(0.6, 0.0, 0.4)), whole._replace(weights=[3e300, 0, 2e300])):
        assert_allclose(other.outputs(TABLE), expected, rtol=0, atol=1e-14)
    broken = whole.models[1]._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, whole.models[1].params))
    assert_array_equal(whole._replace(models=(whole.models[0], broken, whole.models[2])).outputs(TABLE), expected)


def test_probabilities_that_are_zero_in_every_member():
    """A sum of logarithms: the outputs stay finite where every probability is 0."""
    layer = mlp.Layer(jnp.array([[1e4, -1e4, 0.0]]), jnp.zeros(3))
    one = Model((layer,), {"sizes": [1, 3], "problem": "classes"})
    two = one._replace(params=(layer._replace(w=2 * layer.w),))
    whole = Ensemble((one, two))
    assert_array_equal(whole.outputs(np.ones((1, 1))), [[0.0, -2e4 + np.log(0.5), -1e4 + np.log(0.5)]])
    assert_array_equal(whole.predict_probabilities(np.ones((1, 1))), [[1.0, 0.0, 0.0]])
    assert_array_equal(whole.predict(np.array([[1.0], [-1.0]])), [0, 1])


def test_a_table_is_converted_once_for_each_different_preprocessing(monkeypatch):
    whole, calls, inputs = of_folds("stroke"), [], Preprocessing.inputs
    monkeypatch.setattr(Preprocessing, "inputs", lambda self, *a, **k: calls.append(self) or inputs(self, *a, **k))
    whole.outputs(TABLE)
    assert len(calls) == 3  # folds a, b and the ensemble's own; equal ones are distinct objects here
    assert set(calls) == {whole.preprocessing, *(model.preprocessing for model in whole.models)}
    calls.clear()
    whole._replace(preprocessing=fitted("stroke", "b")).member_outputs(TABLE)
    assert len(calls) == 2


def test_what_makes_predictions_doubtful_is_said_once():
    far = TABLE.assign(age=[1e3, *TABLE["age"][1:]])
    for ask in ("predict", "predict_probabilities"):
        with pytest.warns(UserWarning, match="far outside the training range") as told:
            getattr(of_folds("stroke"), ask)(far)
        assert len(told) == 1
    with pytest.warns(UserWarning, match="limited to that range"):
        clipped = of_folds("stroke").predict_probabilities(far, clip=True)
    assert_allclose(clipped[1:], of_folds("stroke").predict_probabilities(TABLE, clip=True)[1:], rtol=1e-6)  # float32


def test_a_table_must_have_what_the_ensembles_own_preprocessing_reads():
    whole = of_folds("stroke")
    without = preprocessing.fit(TABLE, "stroke", drop=("cost", "town"))
    narrow = network((len(without.input_names), 2), preprocessing=without)
    with pytest.raises(ValueError, match="lacks the columns 'town'"):
        whole._replace(models=(narrow,), weights=None).predict(TABLE.drop(columns="town"))


def test_outputs_that_overflow():
    huge = of_arrays("classes").models[0]
    huge = huge._replace(params=jax.tree.map(lambda leaf: leaf * 1e30, huge.params))
    with pytest.raises(ValueError, match=r"outputs overflow in row \d+"):
        Ensemble((huge, huge)).predict(X)


def test_config_has_what_a_reader_asks_for():
    whole = of_folds("stroke", about={"seed": 1})
    assert whole.config["problem"] == "classes"
    assert whole.config["about"] == {"seed": 1}
    assert [config["sizes"][1:] for config in whole.config["models"]] == [[5, 2], [3, 4, 2], [2]]
    with pytest.raises(AttributeError, match=r"ensemble of 3 networks has no parameters of its own.*models\[0\]"):
        whole.params  # noqa: B018


# What does not fit together

FOREIGN = of_arrays("classes")
REFUSED = [
    (lambda: Ensemble(()), "one or more"),
    (lambda: Ensemble(FOREIGN.models[0]), r"models\[0\] must be a training.Model"),
    (lambda: Ensemble((FOREIGN,)), r"models\[0\] must be a training.Model, got Ensemble"),
    (lambda: FOREIGN._replace(weights=(1, 2)), "must be 3 finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(weights=(1, -1, 2)), "finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(weights=(1, np.nan, 2)), "finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(weights=(1, np.inf, 2)), "finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(weights=(1e308, 1e308, 1e308)), "finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(weights=(0, 0, 0)), "not all 0"),
    (lambda: FOREIGN._replace(weights="abc"), "finite numbers ≥ 0"),
    (lambda: FOREIGN._replace(about=3), "about must be a mapping"),
    (lambda: Ensemble((FOREIGN.models[0], network((4, 3), problem="classes"))), r"models\[1\]: It has 3 outputs"),
    (lambda: Ensemble((FOREIGN.models[0], network((5, 2), problem="classes"))), r"models\[1\]: It has 5 inputs"),
    (lambda: Ensemble((FOREIGN.models[0], network((4, 2)))), r"models\[1\]: Its problem is None"),
    (lambda: FOREIGN._replace(preprocessing=fitted("stroke")), r"models\[0\]: It has no preprocessing"),
    (lambda: of_folds("stroke")._replace(preprocessing=None), "give the ensemble that of one of its models"),
    (lambda: of_folds("stroke")._replace(preprocessing=fitted("cost")), "The problem of its preprocessing"),
    (lambda: of_folds("stroke")._replace(preprocessing=renamed(name="ill")), "target name of its preprocessing"),
    (lambda: of_folds("stroke")._replace(preprocessing=renamed(class_names=("a", "b"))), "The class names of its"),
    (lambda: of_folds("stroke")._replace(preprocessing=renamed(classes=("yes", "no"))), "have other labels"),
    (lambda: Ensemble((network((4, 2), activation="rellu"),)), r"models\[0\]: Unknown activation"),
]


def renamed(**changes):
    own = fitted("stroke")
    return own._replace(target=own.target._replace(**changes))


@pytest.mark.parametrize(("make", "match"), REFUSED, ids=[match for _, match in REFUSED])
def test_members_that_do_not_fit_together(tmp_path, make, match):
    for use in (lambda whole: whole.predict(X), lambda whole: whole.config, lambda whole: save(tmp_path / "e", whole)):
        with pytest.raises(ValueError, match=match) as caught:
            use(make())
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "e").exists()


# The file


@pytest.mark.parametrize("target", [*TARGETS.values(), None])
def test_one_file_predicts_bit_for_bit_as_before(tmp_path, dtype, target):
    about = {"folds": 3, "Grüße": [None, True, 1 / 3]}
    whole = (of_arrays("classes", dtype=dtype) if target is None else of_folds(target, dtype=dtype))._replace(
        about=about
    )
    state = {"mu": whole.models[1].params, "step": jnp.int32(7)}
    whole = whole._replace(models=(whole.models[0], whole.models[1]._replace(state=state), whole.models[2]))
    save(tmp_path / "e", whole)
    loaded = load(tmp_path / "e")
    assert isinstance(loaded, Ensemble)
    assert loaded.weights == (3.0, 1.0, 2.0)
    assert loaded.about == about
    assert loaded.preprocessing == whole.preprocessing
    for new, old in zip(loaded.models, whole.models, strict=True):
        assert new.preprocessing == old.preprocessing
        assert jax.tree.structure(new.params) == jax.tree.structure(old.params)
        for a, b in zip(jax.tree.leaves(new.params), jax.tree.leaves(old.params), strict=True):
            assert a.dtype == b.dtype == dtype
            assert_array_equal(a, b)
    restored = named_arrays.unflatten(loaded.models[1].state, like=state)
    assert_array_equal(restored["mu"][0].w, state["mu"][0].w)
    table = X if target is None else TABLE
    assert_array_equal(loaded.outputs(table), whole.outputs(table))
    assert_array_equal(loaded.predict(table), whole.predict(table))
    save(tmp_path / "again", loaded)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "e").read_bytes()


def test_a_model_of_weight_zero_is_left_out(tmp_path):
    whole = of_folds("stroke", weights=(0.1, 0, 0.3))
    save(tmp_path / "e", whole)
    loaded = load(tmp_path / "e")
    assert loaded.weights == (0.1, 0.3)
    assert [model.config["sizes"] for model in loaded.models] == [whole.models[i].config["sizes"] for i in (0, 2)]
    assert_array_equal(loaded.outputs(TABLE), whole.outputs(TABLE))


def test_counts_of_the_greedy_selection_are_weights(tmp_path):
    whole = of_folds("stroke", weights=None)
    targets = whole.preprocessing.targets(TABLE["stroke"])
    counts = ensemble.greedy_selection(whole.member_outputs(TABLE), targets, "log_loss", size=7)
    chosen = whole._replace(weights=counts)
    save(tmp_path / "e", chosen)
    expected = ensemble.mean(whole.member_outputs(TABLE), counts)
    assert_allclose(load(tmp_path / "e").predict_probabilities(TABLE), expected, rtol=1e-13)


def test_every_preprocessing_is_stored_once_and_the_description_is_plain_to_read(tmp_path):
    save(tmp_path / "e", of_folds("stroke", weights=None))
    with safetensors.safe_open(tmp_path / "e", "np") as opened:
        described = json.loads(opened.metadata()["jaxnn"])
        names = set(opened.keys())
    assert described["kind"] == "ensemble"
    spec = described["spec"]
    assert len(spec["preprocessings"]) == 3
    assert (spec["preprocessing"], [one["preprocessing"] for one in spec["models"]]) == (0, [1, 2, 1])
    assert spec["weights"] == [1.0, 1.0, 1.0]
    assert {"0/params/0/w", "1/params/2/b", "2/params/0/w"} < names


def test_the_file_of_one_model_is_what_it_was(tmp_path):
    """Byte for byte what the format says, so files of earlier versions stay what they are."""
    model = of_folds("stroke").models[0]
    save(tmp_path / "m", model)
    config = {
        "network": "mlp",
        "sizes": model.config["sizes"],
        "activation": "tanh",
        "bias": True,
        "problem": "classes",
        "about": {},
    }
    spec = {"config": config, "preprocessing": model.preprocessing.to_spec()}
    serialisation.write(tmp_path / "x", "model", spec, named_arrays.flatten({"params": model.params, "state": None}))
    assert (tmp_path / "m").read_bytes() == (tmp_path / "x").read_bytes()
    assert isinstance(load(tmp_path / "x"), Model)


def test_double_precision_of_one_member_is_not_lost_in_silence(tmp_path, x64):
    save(tmp_path / "e", Ensemble((network((4, 2), dtype=jnp.float32), network((4, 2), dtype=jnp.float64))))
    assert [model.params[0].w.dtype for model in load(tmp_path / "e").models] == [jnp.float32, jnp.float64]
    with jax.enable_x64(False), pytest.warns(UserWarning, match="jax_enable_x64") as told:
        load(tmp_path / "e")
    assert len(told) == 1


def test_parameters_that_are_not_finite(tmp_path):
    whole = of_arrays()
    bad = whole.models[1]._replace(params=jax.tree.map(lambda leaf: leaf * jnp.inf, whole.models[1].params))
    with pytest.raises(ValueError, match=r"models\[1\]: The parameter 0/w has NaN or infinity"):
        save(tmp_path / "e", whole._replace(models=(whole.models[0], bad, whole.models[2])))
    path = forged(tmp_path, tensors={"1/params/0/b": np.array([np.nan, 1], np.float32)})
    with pytest.raises(ValueError, match=r"models\[1\]: The parameter 0/b has NaN or infinity"):
        load(path)
    assert np.isnan(load(path, allow_nonfinite=True).models[1].params[0].b[0])


# Files from others


def forged(tmp_path, *, tensors=None, without=(), **changes):
    """A file with a right SHA-256 of two networks 3-2, and whatever is changed about it."""
    one = {"config": {"sizes": [3, 2]}, "preprocessing": None}
    spec = {"models": [one, one], "weights": [1, 2.5], "preprocessing": None, "preprocessings": [], "about": {}}
    arrays = named_arrays.flatten([{"params": network((3, 2), seed=k, dtype=jnp.float32).params} for k in range(2)])
    kept = {name: array for name, array in arrays.items() if not name.startswith(without or ("none",))}
    serialisation.write(tmp_path / "forged", "ensemble", spec | changes, kept | (tensors or {}))
    return tmp_path / "forged"


def test_the_forger_makes_files_that_are_accepted(tmp_path):
    loaded = load(forged(tmp_path))
    assert loaded.weights == (1.0, 2.5)
    assert loaded.predict(np.ones((5, 3))).shape == (5, 2)


ONE = {"config": {"sizes": [3, 2]}, "preprocessing": None}
SPECS = [fitted("stroke").to_spec(), fitted("cost").to_spec()]
READ = {"config": {"sizes": [len(fitted("stroke").input_names), 2]}, "preprocessing": 0}
OF_COST = {"config": {"sizes": [len(fitted("cost").input_names), 1]}, "preprocessing": 1}


def arrays_of(*ends):
    """Arrays in place of those of the forger: the networks read the inputs of the table."""
    n_in = len(fitted("stroke").input_names)
    return {
        f"{k}/params/0/{name}": np.ones((n_in, n) if name == "w" else n, np.float32)
        for k, n in enumerate(ends)
        for name in "wb"
    }


FORGED = [
    ({"more": 1}, "description is malformed"),
    ({"without": ("1/",)}, r"models\[1\] of 2 has no arrays"),
    ({"without": ("1/params/0/b",)}, r"models\[1\]: The parameters lack '0/b'"),
    ({"models": [ONE]}, "an array 1/params/0/b, which is not part of its 1 models"),
    ({"models": [ONE] * 3}, r"models\[2\] of 3 has no arrays"),
    ({"models": [ONE] * 10_000}, r"models\[2\] of 10000 has no arrays"),
    ({"models": 10**9}, "models must be a list, got int"),
    ({"models": {"0": ONE, "1": ONE}}, "models must be a list"),
    ({"models": [], "weights": []}, "not part of its 0 models"),
    ({"models": [], "weights": [], "without": ("0/", "1/")}, "one or more"),
    ({"models": [ONE, 3]}, r"description of models\[1\] is malformed"),
    ({"models": [ONE, ONE | {"code": "os"}]}, r"description of models\[1\] is malformed"),
    ({"models": [ONE, ONE | {"config": []}]}, r"models\[1\]: config must be a mapping"),
    ({"models": [ONE, ONE | {"config": {"sizes": [3, 10**18]}}]}, r"models\[1\]: The parameter 0/w must be"),
    ({"models": [ONE, ONE | {"config": {"sizes": [3, 2], "problem": "classes"}}]}, "Its problem is 'classes'"),
    ({"tensors": {"2/params/0/w": np.ones(2)}}, "an array 2/params/0/w, which is not part of its 2 models"),
    ({"tensors": {f"{10**9}/params/0/w": np.ones(2)}}, "an array 1000000000/params/0/w"),
    ({"tensors": {"01/params/0/w": np.ones(2)}}, "an array 01/params/0/w"),
    ({"tensors": {"params/0/w": np.ones(2)}}, "an array params/0/w"),
    ({"tensors": {"1": np.ones(2)}}, r"models\[1\]: it has an array , which"),
    ({"tensors": {"1/params/1/w": np.ones(2)}}, r"models\[1\]: The parameters have an unexpected '1/w'"),
    ({"tensors": {"1/code/0/w": np.ones(2)}}, r"models\[1\]: it has an array code/0/w"),
    ({"tensors": {"1/params/0/w": np.ones((2, 3), np.float32)}}, r"models\[1\]: The parameter 0/w must be"),
    ({"weights": [1]}, "weights must be 2 finite"),
    ({"weights": [1, 2, 3]}, "weights must be 2 finite"),
    ({"weights": [1, -2]}, "weights must be numbers > 0"),
    ({"weights": [1, 0]}, "weights must be numbers > 0"),
    ({"weights": [1, True]}, "weights must be numbers > 0"),
    ({"weights": [1, None]}, "weights must be numbers > 0"),
    ({"weights": [1, "2"]}, "weights must be numbers > 0"),
    ({"weights": [[1, 2], [1, 2]]}, "weights must be numbers > 0"),
    ({"weights": [1e308, 1e308]}, "weights must be 2 finite"),
    ({"weights": None}, "weights must be a list"),
    ({"about": [1]}, "about must be a mapping"),
    ({"preprocessings": {}}, "preprocessings must be a list"),
    ({"preprocessings": [1]}, "stored preprocessing"),
    ({"preprocessing": 0}, "preprocessing 0 is none of the 0"),
    ({"preprocessings": SPECS, "preprocessing": -1}, "preprocessing -1 is none of the 2"),
    ({"preprocessings": SPECS, "preprocessing": True}, "preprocessing True is none of the 2"),
    ({"preprocessings": SPECS, "preprocessing": 0}, r"models\[0\]: It has no preprocessing"),
    ({"models": [ONE, ONE | {"preprocessing": 10**18}]}, r"models\[1\]: preprocessing 1000000000000000000 is none"),
    (
        {"preprocessings": SPECS, "models": [READ, OF_COST], "tensors": arrays_of(2, 1), "preprocessing": 0},
        r"models\[1\]: The problem of its preprocessing is 'numbers', that of the ensemble's 'classes'",
    ),
    (
        {"preprocessings": SPECS, "models": [READ, READ], "tensors": arrays_of(2, 2), "preprocessing": None},
        "the ensemble has none",
    ),
]


@pytest.mark.parametrize(("parts", "match"), FORGED, ids=[f"{k}-{match}" for k, (_, match) in enumerate(FORGED)])
def test_forged_ensembles(tmp_path, parts, match):
    path = forged(tmp_path, **parts)
    with pytest.raises(ValueError, match=match) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is not a usable ensemble: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_nan_in_the_weights_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        forged(tmp_path, weights=[1, float("nan")])
    content = forged(tmp_path, weights=[1, 222]).read_bytes().replace(b"222", b"NaN")
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length]
    with pytest.raises(ValueError, match="the number NaN"):
        serialisation.headers.checked(header, len(content), ("ensemble",))


def test_cut_or_flipped_anywhere(tmp_path):
    path = forged(tmp_path)
    content = path.read_bytes()
    for place in range(0, len(content), 41):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=re.escape(str(path))):
                load(path)


def test_another_kind_is_named(tmp_path):
    serialisation.write(tmp_path / "c", "checkpoint", {}, {})
    with pytest.raises(ValueError, match="contains a 'checkpoint', not a 'model' or an 'ensemble'"):
        load(tmp_path / "c")
    with pytest.raises(ValueError, match="contains an 'ensemble', not a 'model'; use a file that contains a model"):
        serialisation.read(forged(tmp_path), "model")


@pytest.mark.slow
def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    assert isinstance(training.load("digits.safetensors"), Ensemble)
