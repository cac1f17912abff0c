"""The program in its envelope: the network's own outputs, on any number of rows; forged files are refused."""

import sys

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import export
from jaxnn.training import serialisation
from tests.export import tables
from tests.export.tables import AGREE, model, network, stored


def test_outputs_are_the_models(tmp_path):
    made = model("numbers", activation=["softplus"])
    program = stored(made, tmp_path)
    x = program.preprocessing.inputs(tables.rows())
    for n in (1, 2, 150):
        expected = made.outputs(tables.few(tables.rows(), slice(n)))
        outputs = program.outputs(np.float32(x[:n]))
        np.testing.assert_allclose(outputs, expected, rtol=AGREE, atol=AGREE)
    np.testing.assert_array_equal(program.preprocessing.numbers(expected), made.predict(tables.rows()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert program.config["sizes"] == made.config["sizes"]


def test_the_program_is_for_every_platform_it_names(tmp_path):
    made = network((3, 2), [])
    path = tmp_path / "tpu.stablehlo"
    path.write_bytes(export.stablehlo(made, platforms=("tpu",)))
    program = export.load_stablehlo(path)
    assert program.platforms == ("tpu",)
    with pytest.raises(ValueError, match="platform"):
        program.outputs(np.ones((1, 3), np.float32))  # on a processor


@pytest.mark.parametrize(
    ("platforms", "match"),
    [(("cpu", "gpu"), "Unknown platform 'gpu'"), ((), "must be names"), ("cpu", "must be names")],
)
def test_other_platforms_are_refused(platforms, match):
    with pytest.raises(ValueError, match=match):
        export.stablehlo(network((3, 2), []), platforms=platforms)


def forged(path, function, *, shape=("rows", 3), **changed):
    """A file whose digest is right and whose program is another."""
    spec, tensors = serialisation.read(path, "stablehlo")
    rows = jax.export.symbolic_shape("rows")[0]
    x = jax.ShapeDtypeStruct(tuple(rows if n == "rows" else n for n in shape), jnp.float32)
    program = jax.export.export(
        jax.jit(function),
        platforms=("cpu",),
        disabled_checks=[jax.export.DisabledSafetyCheck.custom_call(name) for name in ("lapack_sgetrf_ffi",)],
    )(x)
    tensors = {"program": np.frombuffer(program.serialize(), np.uint8)}
    serialisation.write(path, "stablehlo", spec | {"platforms": ["cpu"]} | changed, tensors)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.stablehlo"
    path.write_bytes(export.stablehlo(network((3, 4, 2))))
    return path


@pytest.mark.parametrize(
    ("function", "options", "match"),
    [
        (lambda x: x[:, :2], {}, None),
        (lambda x: x, {}, "other inputs and outputs"),
        (lambda x: x[:, :2], {"shape": ("rows", 4)}, "other inputs and outputs"),
        (lambda x: x[:, :2], {"shape": (7, 3)}, "other inputs and outputs"),
        (lambda x: x[:, :2], {"dtype": "float64"}, "other inputs and outputs"),
        (lambda x: (x[:, :2], x[:, :2]), {}, "other inputs and outputs"),
        (lambda x: jax.lax.linalg.lu(x)[0][:, :2], {}, "calls out of StableHLO"),
        (lambda x: x[:, :2], {"platforms": ["tpu"]}, "other platforms"),
        (lambda x: x[:, :2], {"more": 1}, "malformed"),
        (lambda x: x[:, :2], {"config": {"sizes": [3]}}, "at least two layer sizes"),
    ],
)
def test_forged_programs_are_refused(path, function, options, match):
    forged(path, function, **options)
    if match is None:
        np.testing.assert_array_equal(export.load_stablehlo(path).outputs(np.ones((2, 3), np.float32)), np.ones((2, 2)))
        return
    with pytest.raises(ValueError, match=rf"{path.name} is not a usable program: .*{match}"):
        export.load_stablehlo(path)


def test_bytes_that_are_no_program_are_refused(path):
    spec, tensors = serialisation.read(path, "stablehlo")
    whole = tensors["program"]
    for broken in (whole[:0], whole[:40], whole[::-1].copy(), np.zeros(100, np.uint8)):
        serialisation.write(path, "stablehlo", spec, {"program": broken})
        with pytest.raises(ValueError, match=r"is not a usable program: jax .* cannot read the program") as caught:
            export.load_stablehlo(path)
        assert "\n" not in str(caught.value)


def test_a_damaged_file_and_a_model_are_refused(path, tmp_path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256"):
        export.load_stablehlo(path)
    tables.training.save(tmp_path / "model.safetensors", network((3, 2), []))
    with pytest.raises(ValueError, match="contains a 'model', not a 'stablehlo'"):
        export.load_stablehlo(tmp_path / "model.safetensors")


def test_without_flatbuffers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ImportError, match=r"flatbuffers is needed to export to StableHLO .* '.\[stablehlo\]'"):
        export.stablehlo(network((3, 2), []))
