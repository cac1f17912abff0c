"""A table with columns of every kind that travels, models of it, and the same rows as ONNX and C take them."""

import ctypes
import shutil
import subprocess
from functools import cache

import jax
import numpy as np
import onnxruntime
import pytest

from jaxnn import export, mlp, preprocessing, training

FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-shared", "-fPIC")
AGREE = 1e-6  # relative: sums of float32 in another order differ by some 1e-7


@cache
def rows(n=150):
    """Columns of every kind; a number far from 0, of which float32 would lose the digits."""
    rng = np.random.default_rng(5)

    def some(values, gone, share=0.2):
        return np.where(rng.random(n) < share, gone, values)

    text = np.array(["north", "south", "größe", "a 'b' \"c\""], object)
    return {
        "time": rng.normal(1e6, 3, n),
        "pressure": some(rng.normal(0.1, 2, n), np.nan),
        "sensor": some(rng.normal(5, 1, n), -999.0),
        "flag": rng.random(n) < 0.4,
        "perhaps": some(rng.random(n) < 0.6, None).astype(object),
        "town": rng.choice(text, n),
        "ward": some(rng.choice(text, n), None).astype(object),
        "lot": some(rng.choice(text[:2], n), "?", 0.1).astype(object),
        "street": np.array(
            [f"s{j % 3 if j < 45 else j}" for j in range(n)], object
        ),  # more than 100, three of them frequent
        "constant": some(np.full(n, 7.0), np.nan),
    }


TARGETS = {
    "text": lambda x: np.where(x > 1e6, "ill", "well").astype(object),
    "whole": lambda x: np.digitize(x, [1e6 - 1, 1e6 + 1]),
    "boolean": lambda x: x > 1e6,
    "fractions": lambda x: (np.digitize(x, [1e6]) + 0.5).astype(float),
    "numbers": lambda x: 40 + 3 * (x - 1e6),
    "counts": lambda x: np.floor(np.abs(x - 1e6) * 4),
}


@cache
def fitted(target="text"):
    problem = {"numbers": "numbers", "counts": "counts"}.get(target, "classes")
    table = rows() | {"y": TARGETS[target](rows()["time"])}
    made = preprocessing.fit(table, "y", problem=problem, category=["street"], missing=["-999", "?"])
    kinds = {(column.kind, column.missing, column.other) for column in made.columns}
    assert {kind for kind, _, _ in kinds} == {"number", "boolean", "category", "unused"}
    assert {("category", "marked", False), ("category", "refused", True)} <= kinds
    return made


def network(sizes, activation="tanh", *, fitted=None, dtype=None, seed=0, **config):
    """A network with biases that are not 0."""
    normal = jax.nn.initializers.normal(0.5)
    params = mlp.init(jax.random.key(seed), sizes, b_init=None if config.get("bias") is False else normal, dtype=dtype)
    return training.Model(params, {"sizes": list(sizes), "activation": activation, **config}, fitted)


def model(target="text", **options):
    made = fitted(target)
    n_out = len(made.class_names) or 1
    return network((len(made.input_names), 9, n_out), fitted=made, **options)


def few(table, chosen):
    """Some of the rows."""
    return {name: values[chosen] for name, values in table.items()}


def fed(session, table):
    """The rows as the inputs of an ONNX graph."""
    feed = {}
    for each in session.get_inputs():
        values = table[each.name]
        if each.type == "tensor(string)":
            feed[each.name] = np.array(["" if value is None else str(value) for value in values], object)
        else:
            feed[each.name] = np.array([np.nan if value is None else value for value in values], np.float64)
    return feed


def run(content, table):
    """The outputs of an ONNX graph by name, for a table or an array."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    if isinstance(table, dict):
        feed = fed(session, table)
    else:
        kind = np.float32 if session.get_inputs()[0].type == "tensor(float)" else np.float64
        feed = {"x": np.asarray(table, kind)}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, feed), strict=True))


def coded(fitted, table):
    """The rows as C takes them."""

    def code(column, value):
        if value is None:
            return np.nan
        if column.kind != "category":
            return float(value)
        absent = value in (*fitted.missing, *column.absent)  # C has codes in place of texts
        return np.nan if absent else column.categories.index(value) if value in column.categories else -1.0

    used = [column for column in fitted.columns if column.needed]
    columns = [[code(column, value) for value in table[column.name]] for column in used]
    return np.array(columns, np.float64).T.copy()


@pytest.fixture
def compiled(tmp_path):
    """Compiles C source without a warning; gives the library."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler, cc, on this machine")

    def build(source):
        (tmp_path / "model.c").write_text(source, encoding="utf-8")
        subprocess.run([compiler, *FLAGS, "model.c", "-o", "model.so", "-lm"], check=True, cwd=tmp_path, timeout=60)
        return ctypes.CDLL(str(tmp_path / "model.so"))

    return build


def pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def c_outputs(library, x, n_out):
    """Whether each row is accepted, and the raw outputs."""
    outputs = np.full((len(x), n_out), np.nan)
    taken = [library.model_outputs(pointer(row), pointer(to)) for row, to in zip(x, outputs, strict=True)]
    return np.array(taken, bool), outputs


def c_classes(library, x, n_out):
    """Codes and probabilities."""
    p = np.full((len(x), n_out), np.nan)
    codes = [library.model_predict(pointer(row), pointer(to)) for row, to in zip(x, p, strict=True)]
    return np.array(codes), p


def c_numbers(library, x):
    library.model_predict.restype = ctypes.c_double
    return np.array([library.model_predict(pointer(row)) for row in x])


def bad_rows():
    """Rows of which one value each is refused by `Model.predict`, by what is wrong."""
    good = few(rows(), slice(3, 4))
    wrong = {
        "missing number": ("time", np.nan),
        "infinite number": ("time", np.inf),
        "number too far": ("time", 1e300),
        "missing boolean": ("flag", np.nan),
        "neither 0 nor 1": ("flag", 0.5),
        "infinite boolean": ("flag", -np.inf),
        "missing category": ("town", None),
    }
    made = {}
    for what, (name, value) in wrong.items():
        made[what] = good | {name: np.array([value], object if name == "town" else float)}
    return made


def stored(model, tmp_path):
    """The file of a StableHLO export, and the program that is read from it."""
    path = tmp_path / "model.stablehlo"
    path.write_bytes(export.stablehlo(model))
    return export.load_stablehlo(path)
