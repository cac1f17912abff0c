"""`jaxnn export` writes what the functions of `jaxnn.export` return, and refuses in one line."""

import shutil

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy

from jaxnn import data, export, training


def test_onnx_predicts_the_table(run, model, patients):
    result = run("export", model, "--to", "onnx", "--out", "stroke.onnx")
    assert (result.status, result.err) == (0, "")
    assert "outputs        prediction, probabilities\n" in result.out
    assert "wrote          stroke.onnx, " in result.out
    session = onnxruntime.InferenceSession("stroke.onnx")
    table = data.read_table(patients)
    feed = {each.name: np.asarray(table[each.name]) for each in session.get_inputs()}
    feed = {name: v.astype(object if v.dtype.kind in "OUT" else np.float64) for name, v in feed.items()}
    prediction, probabilities = session.run(None, feed)
    loaded = training.load(model)
    np.testing.assert_array_equal(prediction, loaded.predict(table))
    np.testing.assert_allclose(probabilities, loaded.predict_probabilities(table), rtol=1e-6)


@pytest.mark.parametrize("target", ["c", "onnx", "stablehlo", "torch"])
def test_the_file_is_what_python_writes(run, model, target):
    assert run("export", model, "--to", target, "--out", "file").status == 0
    loaded = training.load(model)
    with open("file", "rb") as file:
        content = file.read()
    if target == "torch":
        found = safetensors.numpy.load(content)
        expected = export.torch_state_dict(loaded)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in found)
    elif target == "stablehlo":
        assert export.load_stablehlo("file").config["sizes"] == loaded.config["sizes"]
    else:
        written = getattr(export, target)(loaded)
        assert content == (written if target == "onnx" else written.encode())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--to", "onx", "--out", "f"], "unknown target 'onx'. Did you mean 'onnx'?"),
        (["--out", "f"], "the following arguments are required: --to"),
        (["--to", "onnx"], "the following arguments are required: --out"),
        (["--to", "onnx", "--out", "f", "--opset", "999"], "Opset 999 is too new"),
        (["--to", "onnx", "--out", "f", "--opset", "1"], "Opset 1 is too old"),
        (["--to", "c", "--out", "f", "--opset", "17"], "--opset is for --to onnx, and c was asked for: leave it out."),
        (["--to", "c", "--out", "no/where"], "There is no such folder"),
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_told_in_one_line(refused, model, more, told):
    assert told in refused("export", model, *more)


def test_the_model_is_not_overwritten(refused, model, tmp_path):
    copy = shutil.copy(model, tmp_path / "copy.safetensors")
    told = refused("export", copy, "--to", "c", "--out", copy)
    assert "--out and MODEL are the same file" in told


def test_an_ensemble_is_refused_with_what_to_do(refused, ensemble):
    told = refused("export", ensemble, "--to", "onnx", "--out", "f")
    assert "An ensemble of 2 networks cannot be exported to ONNX, which takes one network: train one" in told


def test_without_the_extra_it_is_named(refused, model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert "pip install '.[onnx]'" in refused("export", model, "--to", "onnx", "--out", "f")
