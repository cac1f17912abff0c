"""A model predicts the same before and after the file; a file that does not fit together is refused."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
import safetensors.numpy
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

from jaxnn import activations, mlp, optimisers, preprocessing, schedules
from jaxnn.training import evaluation, named_arrays, serialisation
from jaxnn.training.model import Model
from jaxnn.training.model_files import load, save

RNG = np.random.default_rng(0)


def network(sizes, *, seed=0, bias=True, dtype=None, **config):
    bias_init = {"b_init": jax.nn.initializers.normal(1.0) if bias else None}
    params = mlp.init(jax.random.key(seed), sizes, dtype=dtype, **bias_init)
    return Model(params, {"sizes": list(sizes), "bias": bias, **config})


def by_hand(model, x):
    """tanh or ReLU networks in numpy's double precision."""
    sigma = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}[model.config.get("activation", "relu")]
    h = np.asarray(x, np.float64)
    for k, layer in enumerate(model.params):
        z = h @ np.asarray(layer.w, np.float64) + (0 if layer.b is None else np.asarray(layer.b, np.float64))
        h = sigma(z) if k < len(model.params) - 1 else z
    return h


def leaves_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        assert_array_equal(np.asarray(a), np.asarray(b))


# Predictions


@pytest.mark.by_default("float32-*")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_are_the_networks(activation, bias, dtype):
    model = network((4, 7, 5, 3), bias=bias, activation=activation)
    x = RNG.normal(size=(50, 4))
    outputs = model.predict(x)
    assert outputs.dtype == dtype
    # Three layers of sums of at most 7 terms of order 1.
    assert_allclose(outputs, by_hand(model, x), rtol=0, atol=100 * np.finfo(dtype).eps)


def test_one_activation_per_layer():
    model = network((4, 7, 5, 3), activation=["tanh", "relu"])
    x = RNG.normal(size=(20, 4))
    (w0, b0), (w1, b1), (w2, b2) = model.params
    expected = np.maximum(np.tanh(x @ w0 + b0) @ w1 + b1, 0) @ w2 + b2
    assert_allclose(model.predict(x), expected, rtol=0, atol=1e-5)  # float32, order 1


def test_classes_and_their_probabilities():
    model = network((4, 8, 3), problem="classes")
    x = RNG.normal(size=(40, 4))
    expected = scipy.special.softmax(by_hand(model, x), axis=1)
    probabilities = model.predict_probabilities(x)
    assert probabilities.dtype == np.float64
    assert_allclose(probabilities, expected, rtol=0, atol=1e-5)  # outputs in float32
    assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=4e-16)
    assert_array_equal(model.predict(x), expected.argmax(axis=1))


def test_probabilities_of_large_outputs_do_not_overflow():
    model = Model((mlp.Layer(jnp.array([[1e4, -1e4]]), jnp.zeros(2)),), {"sizes": [1, 2], "problem": "classes"})
    assert_array_equal(model.predict_probabilities(np.array([[1.0], [-1.0], [0.0]])), [[1, 0], [0, 1], [0.5, 0.5]])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 16, 17, 100])
def test_calls_for_some_of_the_rows_do_not_show(monkeypatch, n):
    model = network((3, 6, 2))
    x = RNG.normal(size=(n, 3))
    whole = model.predict(x)
    monkeypatch.setattr(evaluation, "ROWS_AT_ONCE", 8)
    assert whole.shape == (n, 2)
    # XLA may order a product's sum by the shape of its operands: a few units in the last place.
    np.testing.assert_allclose(model.predict(x), whole, rtol=1e-5, atol=1e-6)


def test_calls_bound_the_rows_and_the_compilations(monkeypatch):
    traced = []

    def counted(params, x, *, activation):
        traced.append(x.shape)
        return apply(params, x, activation=activation)

    apply = mlp.apply
    evaluation._evaluate.clear_cache()
    monkeypatch.setattr(mlp, "apply", counted)
    monkeypatch.setattr(evaluation, "ENTRIES_AT_ONCE", 2**12)
    model = network((5, 64, 2))
    for n in (10_000, 9_999, 65):
        assert model.predict(RNG.normal(size=(n, 5))).shape == (n, 2)
    assert traced == [(64, 5)]
    model.predict(RNG.normal(size=(10, 5)))
    assert traced == [(64, 5), (16, 5)]


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (np.ones((2, 7)), "the table has 7 columns, but the model was trained on 8"),
        (np.ones(8), r"\(n, 8\), got float64 \(8,\)"),
        (np.array([["a"] * 8]), "array of numbers"),
        ({"a": [1, 2]}, "named columns"),
        (np.array([[0.0] * 8, [np.nan] + [0] * 7]), "row 2"),
        (np.array([[1e300] + [0.0] * 7]), "not finite in float32 in row 1"),
        (np.full((1, 8), 3e38), "outputs overflow in row 1"),
        (np.ones((2, 8), complex), "array of numbers"),
    ],
)
def test_tables_that_do_not_fit(table, match):
    with pytest.raises(ValueError, match=re.compile(match, re.IGNORECASE)):
        network((8, 4, 2), problem="classes").predict(table)


def test_probabilities_are_for_classes():
    with pytest.raises(ValueError, match="use predict"):
        network((2, 3), problem="numbers").predict_probabilities(np.ones((1, 2)))


# Raw tables

TABLE = pd.DataFrame(
    {
        "age": RNG.uniform(20, 90, 60),
        "smoker": RNG.uniform(size=60) < 0.5,
        "town": RNG.choice(["Kiel", "Ulm", "Köln"], 60),
        "stroke": RNG.choice(["no", "yes"], 60),
        "cost": RNG.normal(1e4, 3e3, 60),
    }
)


def on_table(target, *sizes, **config):
    drop = {"stroke": ("cost",), "cost": ("stroke",)}[target]
    fitted = preprocessing.fit(TABLE, target, drop=drop)
    return network((len(fitted.input_names), *sizes), **config)._replace(preprocessing=fitted)


def test_labels_for_a_raw_table(tmp_path):
    model = on_table("stroke", 6, 2)
    inputs = model.preprocessing.inputs(TABLE)
    expected = np.array(["no", "yes"])[by_hand(model, inputs).argmax(axis=1)]
    assert_array_equal(model.predict(TABLE), expected)
    assert set(expected) == {"no", "yes"}
    save(tmp_path / "m", model)
    loaded = load(tmp_path / "m")
    assert loaded.config["problem"] == "classes"
    assert loaded.preprocessing == model.preprocessing
    mapping = {name: TABLE[name].to_numpy() for name in TABLE}
    assert_array_equal(loaded.predict(mapping), expected)
    assert_array_equal(loaded.predict_probabilities(TABLE), model.predict_probabilities(TABLE))


def test_numbers_in_their_own_units(tmp_path):
    model = on_table("cost", 6, 1)
    inputs = model.preprocessing.inputs(TABLE)
    cost = TABLE["cost"].to_numpy()
    expected = by_hand(model, inputs)[:, 0] * cost.std() + cost.mean()
    assert_allclose(model.predict(TABLE), expected, rtol=1e-5)  # outputs in float32
    save(tmp_path / "m", model)
    assert_array_equal(load(tmp_path / "m").predict(TABLE), model.predict(TABLE))


# The file


@pytest.mark.by_default("float32-*")
@pytest.mark.parametrize("bias", [True, False])
def test_everything_comes_back(tmp_path, dtype, bias):
    about = {"optimiser": "adam", "epochs": 3, "accuracy": 1 / 3, "Grüße": [None, True]}
    model = network((3, 5, 2), bias=bias, activation=["silu"], problem="classes", about=about)
    state = {"mu": model.params, "step": jnp.int32(7), "key": jax.random.key(3), "best": jnp.asarray(jnp.inf)}
    save(tmp_path / "m.safetensors", model._replace(state=state))
    loaded = load(tmp_path / "m.safetensors")
    leaves_equal(loaded.params, model.params)
    assert loaded.config == {"network": "mlp", **model.config}
    assert loaded.preprocessing is None
    restored = named_arrays.unflatten(loaded.state, like=state)
    assert_array_equal(jax.random.key_data(restored.pop("key")), jax.random.key_data(state.pop("key")))
    leaves_equal(restored, state)
    save(tmp_path / "again", loaded)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m.safetensors").read_bytes()
    assert_array_equal(safetensors.numpy.load_file(tmp_path / "again")["params/1/w"], model.params[1].w)


@pytest.mark.parametrize("given", ["itself", "its description"])
def test_an_optimiser_comes_back_by_name_and_numbers(tmp_path, given):
    optimiser = optimisers.chain(
        optimisers.clip_by_value(1.0), optimisers.adam(schedules.cosine(0.1, steps=50), b2=0.99)
    )
    as_given = optimiser if given == "itself" else optimisers.spec(optimiser)
    save(tmp_path / "m.safetensors", network((3, 4, 2), optimiser=as_given))
    assert optimisers.from_spec(load(tmp_path / "m.safetensors").config["optimiser"]) == optimiser


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"adom": {}}, "Did you mean 'adam'"),
        ({"adam": {}}, "is not an optimiser of jaxnn"),
        ({"adam": {"learning_rate": "much"}}, "is not an optimiser of jaxnn"),
        (optax.adam(0.1), "Only optimisers and schedules of jaxnn"),
    ],
)
def test_what_is_no_optimiser_is_not_saved(tmp_path, given, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "m.safetensors", network((3, 4, 2), optimiser=given))


def test_without_a_state_there_is_none(tmp_path):
    save(tmp_path / "m", network((3, 2)))
    assert load(tmp_path / "m").state is None


def test_half_precision(tmp_path):
    model = network((3, 5, 2), dtype=jnp.bfloat16)
    save(tmp_path / "m", model)
    leaves_equal(load(tmp_path / "m").params, model.params)
    x = RNG.normal(size=(10, 3))
    # bfloat16 has 8 bits; the inputs are rounded to it as well.
    assert_allclose(model.predict(x).astype(float), by_hand(model, x), rtol=0, atol=0.1)


def test_double_precision_is_not_lost_in_silence(tmp_path, x64):
    model = network((3, 2))
    save(tmp_path / "m", model)
    with jax.enable_x64(False), pytest.warns(UserWarning, match="jax_enable_x64"):
        params = load(tmp_path / "m").params
    assert_array_equal(params[0].w, np.asarray(model.params[0].w, np.float32))


@pytest.mark.by_default("relu", "softmax")
@pytest.mark.parametrize("name", activations.TABLE)
def test_every_activation_can_be_saved(tmp_path, name):
    model = network((3, 4, 2), activation=name)
    x = RNG.normal(size=(5, 3)).astype(np.float32)
    save(tmp_path / "m", model)
    expected = mlp.apply(model.params, jnp.asarray(x), activation=activations.TABLE[name])
    assert_allclose(load(tmp_path / "m").predict(x), expected, rtol=1e-5, atol=1e-6)  # fused differently under jit


BAD_CONFIGS = [
    ({"sizes": None}, "list of at least two"),
    ({"sizes": [3]}, "list of at least two"),
    ({"sizes": "3, 2"}, "list of at least two"),
    ({"sizes": [3, 0, 2]}, r"sizes'\]\[1\] must be a whole number"),
    ({"sizes": [3, 4.0, 2]}, "whole number"),
    ({"sizes": [3, True, 2]}, "whole number"),
    ({"sizes": [3, 10**18, 2]}, r"0/w must be float32 \(3, 1000000000000000000\)"),
    ({"sizes": [3, 4, 4, 2]}, "lack '2/b'"),
    ({"sizes": [3, 2]}, "have an unexpected '1/b'"),
    ({"sizes": [3, 4, 5]}, "1/w must be"),
    ({"bias": False}, "unexpected '0/b'"),
    ({"bias": 1}, "true or false"),
    ({"activation": "rellu"}, "Did you mean 'relu'"),
    ({"activation": "os.system"}, "Unknown activation"),
    ({"activation": ["relu", "relu"]}, "1 hidden layers, got 2"),
    ({"activation": [["relu"]]}, "must be a name"),
    ({"activation": None}, "must be a name"),
    ({"network": "torch.nn.Linear"}, "Unknown network"),
    ({"problem": "class"}, "Did you mean 'classes'"),
    ({"activatoin": "relu"}, "Did you mean 'activation'"),
]


@pytest.mark.parametrize(("changes", "match"), BAD_CONFIGS, ids=str)
def test_configurations_that_are_none(tmp_path, changes, match):
    """Refused when saved, when predicted with, and when read from a file that somebody else made."""
    model = network((3, 4, 2))
    config = model.config | changes
    broken = model._replace(config=config)
    with pytest.raises((ValueError, TypeError), match=match):
        save(tmp_path / "m", broken)
    assert not (tmp_path / "m").exists()
    with pytest.raises((ValueError, TypeError), match=match):
        broken.predict(np.ones((1, 3)))
    tensors = named_arrays.flatten({"params": model.params})
    serialisation.write(tmp_path / "m", "model", {"config": config, "preprocessing": None}, tensors)
    with pytest.raises(ValueError, match=match) as caught:
        load(tmp_path / "m")
    assert str(tmp_path / "m") in str(caught.value)
    assert len(str(caught.value)) < 400


def test_functions_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="because no code is stored"):
        save(tmp_path / "m", network((3, 4, 2), activation=jax.nn.relu))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, bad):
    model = network((3, 4, 2))
    broken = model._replace(params=(model.params[0], model.params[1]._replace(b=jnp.array([0, bad]))))
    with pytest.raises(ValueError, match="1/b has NaN or infinity"):
        save(tmp_path / "m", broken)
    spec = {"config": dict(model.config), "preprocessing": None}
    serialisation.write(tmp_path / "m", "model", spec, named_arrays.flatten({"params": broken.params}))
    with pytest.raises(ValueError, match="1/b has NaN or infinity"):
        load(tmp_path / "m")
    leaves_equal(load(tmp_path / "m", allow_nonfinite=True).params, broken.params)


@pytest.mark.parametrize(
    ("target", "sizes", "config", "match"),
    [
        ("stroke", (6, 3), {}, "expects 2 outputs, but the network has 3"),
        ("stroke", (6, 1), {}, "expects 2 outputs, but the network has 1"),
        ("cost", (6, 2), {}, "expects 1 outputs, but the network has 2"),
        ("cost", (6, 1), {"problem": "classes"}, "the preprocessing is for 'numbers'"),
    ],
)
def test_preprocessing_that_does_not_fit(tmp_path, target, sizes, config, match):
    with pytest.raises(ValueError, match=match):
        save(tmp_path / "m", on_table(target, *sizes, **config))


def test_preprocessing_of_another_width(tmp_path):
    model = network((3, 4, 2))._replace(preprocessing=on_table("stroke", 6, 2).preprocessing)
    with pytest.raises(ValueError, match=r"makes 5 inputs, but the network takes 3"):
        save(tmp_path / "m", model)


def test_one_output_is_no_choice():
    with pytest.raises(ValueError, match="two for yes or no"):
        network((3, 4, 1), problem="classes").predict(np.ones((1, 3)))


def forged(tmp_path, *, spec=None, tensors=None):
    model = network((3, 4, 2))
    whole = {"config": dict(model.config), "preprocessing": None}
    arrays = named_arrays.flatten({"params": model.params}) | (tensors or {})
    path = tmp_path / "forged"
    serialisation.write(path, "model", whole if spec is None else spec, arrays)
    return path


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"spec": {}}, "malformed"),
        ({"spec": {"config": {"sizes": [3, 4, 2]}}}, "malformed"),
        ({"spec": {"config": [], "preprocessing": None}}, "must be a mapping"),
        ({"spec": {"config": {"sizes": [3, 4, 2]}, "preprocessing": 1}}, "stored preprocessing"),
        ({"spec": {"config": {"sizes": [3, 4, 2]}, "preprocessing": None, "class": "os"}}, "malformed"),
        ({"tensors": {"other/w": np.ones(2)}}, "which is not part of a model"),
        ({"tensors": {"params": np.ones(2)}}, "have an unexpected ''"),
        ({"tensors": {"params/2/w": np.ones(2)}}, "unexpected '2/w'"),
        ({"tensors": {"params/0/w": np.ones((3, 4), np.int32)}}, "floating-point"),
        ({"tensors": {"params/0/w": np.ones((4, 3), np.float32)}}, "0/w must be"),
        ({"tensors": {"params/0/b": np.ones(4, np.float16)}}, "0/b must be float32"),
    ],
    ids=str,
)
def test_forged_models(tmp_path, parts, match):
    path = forged(tmp_path, **parts)
    with pytest.raises(ValueError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_checkpoint_is_no_model(tmp_path):
    serialisation.write(tmp_path / "c", "checkpoint", {}, {})
    with pytest.raises(ValueError, match="contains a 'checkpoint'"):
        load(tmp_path / "c")


def test_notes_must_be_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save(tmp_path / "m", network((3, 2), about={"when": object()}))


def test_the_description_is_plain_to_read(tmp_path):
    save(tmp_path / "m", network((3, 2), about={"seed": 5}))
    with safetensors.safe_open(tmp_path / "m", "np") as opened:
        described = json.loads(opened.metadata()["jaxnn"])["spec"]["config"]
    assert described["sizes"] == [3, 2]
    assert described["about"] == {"seed": 5}
