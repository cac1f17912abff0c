"""`jaxnn curvature` against the dense Hessian of the loaded model, by jax.hessian."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxnn import data, mlp, training
from jaxnn.cli import main
from jaxnn.derivatives import budget
from tests.cli.conftest import FAST, as_csv, rows_of_patients


def log_loss(outputs, y):
    return -jnp.mean(jax.nn.log_softmax(outputs)[jnp.arange(len(y)), y])


def squared_error(outputs, y):
    return jnp.mean((outputs[:, 0] - y) ** 2)


def expected(path, table, loss):
    """Loss, gradient norm and Hessian of a saved model on a table, in double precision."""
    with jax.enable_x64(True):
        model = training.load(path)
        rows = data.read_table(table)
        x = jnp.asarray(model.preprocessing.inputs(rows))
        y = jnp.asarray(model.preprocessing.targets(rows[model.preprocessing.target_name]))
        flat, back = ravel_pytree(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model.params))

        def value(vector):
            return loss(mlp.apply(back(vector), x), y)

        found, gradient, hessian = jax.jit(lambda p: (*jax.value_and_grad(value)(p), jax.hessian(value)(p)))(flat)
        return float(found), float(np.linalg.norm(gradient)), np.asarray(hessian)


@pytest.fixture(scope="module")
def costs(patients, tmp_path_factory):
    """A network for a number, without noise from the identifier."""
    path = tmp_path_factory.mktemp("costs") / "cost.safetensors"
    argv = ["train", patients, "--target", "cost", "--drop", "id", "stroke", "--out", path, "--quiet", *FAST]
    assert main([str(word) for word in argv]) == 0
    return path


@pytest.mark.parametrize(
    ("which", "loss"), [("model", log_loss), pytest.param("costs", squared_error, marks=pytest.mark.slow)]
)
def test_every_number_is_the_dense_hessians(run, patients, request, which, loss):
    path = request.getfixturevalue(which)
    result = run("curvature", path, patients, "--json", "c.json", "--density", "--eigenvalues", "2")
    assert (result.status, result.err) == (0, "")
    told = json.loads(Path("c.json").read_text(encoding="utf-8"))
    value, norm, h = expected(path, patients, loss)
    w = np.linalg.eigvalsh(h)
    scale = np.abs(w).max()
    assert told["parameters"] == len(w)
    np.testing.assert_allclose([told["loss"], told["gradient_norm"]], [value, norm], rtol=1e-10)
    np.testing.assert_allclose(told["eigenvalues"]["largest"]["values"], w[::-1][:2], atol=1e-10 * scale)
    np.testing.assert_allclose(told["eigenvalues"]["smallest"]["values"], w[:2], atol=1e-10 * scale)
    # So few parameters that the trace is exact.
    np.testing.assert_allclose(told["trace"]["value"], w.sum(), atol=1e-10 * scale)
    assert told["trace"]["standard_error"] == 0
    assert told["condition"] is None  # dead units and softmax's shift: no definite Hessian
    grid, density = (np.array(told["density"][name]) for name in ("eigenvalue", "density"))
    np.testing.assert_allclose(np.trapezoid(density, grid), 1, atol=1e-6)
    start = 0
    for layer in told["layers"]:
        block = h[start : start + layer["parameters"], start : start + layer["parameters"]]
        ends = np.linalg.eigvalsh(block)[[0, -1]]
        np.testing.assert_allclose([layer["smallest"], layer["largest"]], ends, atol=1e-10 * scale)
        np.testing.assert_allclose(layer["trace"], np.trace(block), atol=1e-10 * scale)
        start += layer["parameters"]
    assert start == len(w)
    lines = result.out.splitlines()
    assert f" {len(w)} parameters " in " ".join(result.out.split())  # a long path takes the first line for itself
    assert "condition      undefined: the Hessian is not positive definite" in lines
    assert f"{w[-1]:.6g}" in result.out
    assert any(line.startswith("hidden 1 ") for line in lines)
    shares = [float(line.split()[-2]) for line in lines if line.endswith(" %") and "λ" in line]
    assert sum(shares) == pytest.approx(100, abs=0.1)
    assert lines[-1] == "wrote c.json"


@pytest.mark.slow
def test_a_picture_of_some_rows(run, model, patients):
    argv = ("curvature", model, patients, "--plot", "c.png", "--json", "c.json", "--rows", "20", "--extent", "0.5")
    result = run(*argv, "--directions", "eigen")
    assert (result.status, result.err) == (0, "")
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(Path("c.json").read_text(encoding="utf-8"))
    assert told["rows"] == 20
    values = np.array(told["plane"]["loss"])
    assert values.shape == (41, 41)
    assert (told["plane"]["xs"][0], told["plane"]["ys"][-1]) == (-0.5, 0.5)
    assert values[20, 20] == pytest.approx(told["loss"], rel=1e-12)


def test_what_is_wrong_is_told_in_one_line(refused, model, patients, tmp_path, monkeypatch):
    def table(name, **changed):
        columns = {key: values for key, values in (rows_of_patients() | changed).items() if values is not None}
        (tmp_path / name).write_text(as_csv(columns), encoding="utf-8")
        return name

    assert "No such file" in refused("curvature", "none.safetensors", patients)
    assert "There is no file or data set named" in refused("curvature", model, "patients.csv")
    assert "lacks the columns 'pressure'" in refused("curvature", model, table("a.csv", pressure=None))
    told = refused("curvature", model, table("b.csv", stroke=None))
    assert "The loss needs 'stroke', the target of" in told
    assert "'stroke'" in told
    assert "'species'" in refused("curvature", model, "iris")
    assert "unknown" in refused("curvature", model, table("c.csv", stroke=["unknown"] * 60))
    assert "--json and MODEL are the same file" in refused("curvature", model, patients, "--json", model)
    assert "must end in" in refused("curvature", model, patients, "--plot", "c.txt")
    assert "Did you mean 'eigen'" in refused("curvature", model, patients, "--directions", "eigne")
    assert "≥ 1" in refused("curvature", model, patients, "--rows", "0")
    bare = training.load(model)._replace(preprocessing=None)
    training.save("bare.safetensors", bare)
    assert "was saved without preprocessing, so it cannot" in refused("curvature", "bare.safetensors", patients)
    with jax.enable_x64(True):
        wild = training.load(model)
        params = jax.tree.map(lambda leaf: 1e300 * leaf.astype(jnp.float64), wild.params)
        training.save("wild.safetensors", wild._replace(params=params))
    assert "is not finite" in refused("curvature", "wild.safetensors", patients)
    monkeypatch.setattr(budget, "machine_memory", lambda: 10**5)
    assert "use a smaller model" in refused("curvature", model, patients)
    monkeypatch.setattr(budget, "machine_memory", lambda: 180_000)
    assert "give --rows " in refused("curvature", model, patients)


def test_an_ensemble_has_no_curvature(refused, ensemble, patients):
    told = refused("curvature", ensemble, patients)
    assert f"{ensemble} holds an ensemble of 2 networks; curvature takes one: write one of its models" in told
