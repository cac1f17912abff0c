"""Small tables with a law in them, and the command line run in this process."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import mlp, preprocessing, training
from jaxnn.cli import main

FAST = ("--hidden", "4", "--epochs", "3", "--batch-size", "16")


class Result(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*argv):
        capsys.readouterr()
        status = main([str(word) for word in argv])
        return Result(status, *capsys.readouterr())

    return command


@pytest.fixture
def refused(run):
    """Runs what must be refused with one line on standard error, and gives that line."""

    def command(*argv):
        result = run(*argv)
        assert result.status == 2, result
        assert result.err.startswith("jaxnn: ")
        assert result.err.count("\n") == 1
        assert "Traceback" not in result.err
        return result.err

    return command


def rows_of_patients(n=60):
    """Columns of every kind; `stroke` follows from pressure and smoking, `cost` from pressure."""
    rng = np.random.default_rng(7)
    pressure = rng.normal(140, 20, n).round(1)
    smoker = rng.choice(["yes", "no"], n)
    stroke = np.where(pressure + 20 * (smoker == "yes") > 150, "ill", "well")
    return {
        "id": [f"p{i:03d}" for i in range(n)],
        "pressure": pressure.tolist(),
        "smoker": smoker.tolist(),
        "always": ["7"] * n,
        "weight": rng.integers(1, 4, n).tolist(),
        "cost": (pressure * 3 + rng.normal(0, 1, n)).round(3).tolist(),
        "stroke": stroke.tolist(),
    }


def as_csv(columns, delimiter=",", newline="\n"):
    lines = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return newline.join(lines) + newline


@pytest.fixture(scope="session")
def patients(tmp_path_factory):
    """The table as a file."""
    path = tmp_path_factory.mktemp("patients") / "patients.csv"
    path.write_text(as_csv(rows_of_patients()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(patients, tmp_path_factory):
    """A network trained for a moment on the table."""
    path = tmp_path_factory.mktemp("model") / "stroke.safetensors"
    argv = ["train", patients, "--target", "stroke", "--drop", "id", "cost", "--out", path, "--quiet", *FAST]
    assert main([str(word) for word in argv]) == 0
    return path


@pytest.fixture(scope="session")
def ensemble(model, tmp_path_factory):
    """That network and a linear one with a preprocessing of its own, in one file."""
    path = tmp_path_factory.mktemp("ensemble") / "two.safetensors"
    first = training.load(model)
    rows = rows_of_patients()
    rng = np.random.default_rng(0)
    own = preprocessing.fit(rows, "stroke", drop=("id", "cost"), rows=np.arange(30))
    n_in = len(own.input_names)
    params = (mlp.Layer(jnp.asarray(rng.normal(size=(n_in, 2)), jnp.float32), jnp.zeros(2, jnp.float32)),)
    second = training.Model(params, {"sizes": [n_in, 2]}, own)
    whole = training.Ensemble((first, second), (3, 1), first.preprocessing, {"folds": 2, "seed": 0})
    training.save(path, whole)
    return path
