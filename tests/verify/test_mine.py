"""A user's optimiser that cannot be compared is told so in one line; one that can is found, made and followed."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import optimisers
from jaxnn.verify.first_order import given_gradients
from jaxnn.verify.recognition import mine

PLAIN = """
import jax
from jaxnn.optimisers import sgd, adam
class Kept:
    @staticmethod
    def factory(learning_rate):
        return sgd(learning_rate)
number, text = 3, "adam"
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory, and a path and modules that are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in sys.modules[name].__file__:
            del sys.modules[name]


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    assert 10 < len(text) < 700
    return text


def test_a_name_is_found_here_and_among_the_installed(here):
    (here / "rules_of_mine.py").write_text(PLAIN)
    (here / "bundle").mkdir()
    (here / "bundle" / "inner.py").write_text("from rules_of_mine import adam as factory\n")
    assert mine.load("rules_of_mine:sgd") is optimisers.sgd
    assert mine.load("rules_of_mine:Kept.factory")(0.1).update is not None
    assert mine.load("bundle.inner:factory") is optimisers.adam
    assert mine.load("optax:adam") is optax.adam


@pytest.mark.parametrize(
    ("source", "spec", "kind", "told"),
    [
        (PLAIN, "rules_a", ValueError, "'package.module:factory'"),
        (PLAIN, "rules_a:", ValueError, "'package.module:factory'"),
        (PLAIN, ":adam", ValueError, "'package.module:factory'"),
        (PLAIN, "rules_a.py:adam", ImportError, "no module 'rules_a.py'"),
        (PLAIN, "./rules_a:adam", ValueError, "cannot be imported"),
        (PLAIN, "nowhere_at_all:adam", ImportError, "no module 'nowhere_at_all'"),
        (PLAIN, "rules_a:adm", ValueError, "Did you mean 'adam'?"),
        (PLAIN, "rules_a:Kept.factry", ValueError, "rules_a.Kept has no 'factry'. Did you mean 'factory'?"),
        (PLAIN, "rules_a:number", ValueError, "is an int: neither an optimiser"),
        (PLAIN, "rules_a:text", ValueError, "is a str: neither an optimiser"),
        ("import no_such_library\n", "rules_a:f", ValueError, "ModuleNotFoundError: No module named 'no_such_library'"),
        ("def f(:\n", "rules_a:f", ValueError, "fails to import: SyntaxError"),
        ("raise RuntimeError('two\\nlines')", "rules_a:f", ValueError, "fails to import: RuntimeError: two lines"),
        ("import sys; sys.exit(3)", "rules_a:f", ValueError, "fails to import: SystemExit: 3"),
        ("def __getattr__(name): raise OSError('shut')", "rules_a:f", ValueError, "rules_a.f raises OSError: shut"),
    ],
)
def test_what_cannot_be_loaded(source, spec, kind, told, here):
    (here / "rules_a.py").write_text(source)
    with pytest.raises(kind) as error:
        mine.load(spec)
    assert told in one_line(error)
    assert type(error.value) is kind  # a ModuleNotFoundError would be taken for a broken installation


def test_an_interrupt_passes(here):
    (here / "rules_b.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        mine.load("rules_b:f")


def transformation(update, init=lambda params: ()):
    return optimisers.Optimiser(init, update)


def gradients(g, s, p):
    return jax.tree.map(lambda g: -0.1 * g, g), s


def counted():
    calls = []

    def update(g, s, p):
        calls.append(1)
        return jax.tree.map(lambda g: -0.1 * g / len(calls), g), s

    return transformation(update)


def leaking():
    kept = {}

    def update(g, s, p):
        m = jax.tree.map(lambda m, g: 0.9 * m + g, kept.get("m", g), g)
        kept["m"] = m
        return m, s

    return transformation(update)


def raising(error):
    def update(g, s, p):
        raise error

    return transformation(update)


def needing(g, s, p, *, curvature):
    return gradients(g, s, p)


BAD = {
    "a number": (lambda: 3, "is an int: neither an optimiser"),
    "makes nothing": (lambda: lambda rate: None, "mine makes None, not an optimiser"),
    "makes a function": (lambda: lambda: abs, "not an optimiser"),
    "a further argument": (lambda: lambda rate, warmup, *, k: None, "needs more than a learning rate: warmup, k."),
    "its factory raises": (lambda: lambda rate: 1 / 0, "raises ZeroDivisionError: division by zero"),
    "exits": (lambda: lambda: sys.exit("no"), "raises SystemExit: no"),
    "its init raises": (lambda: transformation(gradients, lambda p: p["weights"]), "init raises KeyError: 'weights'"),
    "its update raises": (lambda: raising(OSError("line\nline")), "raises OSError: line line"),
    "two arguments": (lambda: transformation(lambda g, s: (g, s)), "takes 2 positional arguments"),
    "further words": (lambda: transformation(needing), "keyword-only argument: 'curvature'"),
    "no pair": (lambda: transformation(lambda g, s, p: g), "must return a pair, (updates, state), but returns a dict"),
    "a triple": (lambda: transformation(lambda g, s, p: (g, s, 1)), "but returns a tuple of 3"),
    "a list": (
        lambda: transformation(lambda g, s, p: (jax.tree.leaves(g), s)),
        "updates must be like the gradients: the structure is",
    ),
    "a leaf's shape": (
        lambda: transformation(lambda g, s, p: (jax.tree.map(jnp.ravel, g), s)),
        "updates must be like the gradients: ['empty'] is float32[0] instead of float32[0, 2]",
    ),
    "single precision": (
        lambda: transformation(lambda g, s, p: (jax.tree.map(lambda g: g.astype("float32"), g), s)),
        "is float32[0, 2] instead of float64[0, 2]",
    ),
    "half precision": (
        lambda: transformation(lambda g, s, p: (jax.tree.map(lambda g: g.astype("float16"), g), s)),
        "is float16[0, 2] instead of float32[0, 2]",
    ),
    "a growing state": (
        lambda: transformation(lambda g, s, p: (g, (*s, 1.0))),
        "state must keep its structure from step to step, because loops are compiled: the structure is",
    ),
    "a state's dtype": (
        lambda: transformation(lambda g, s, p: (g, s + 0.5), lambda p: jnp.zeros((), "int32")),
        "its only leaf is float32[] instead of int32[]",
    ),
    "NumPy": (
        lambda: transformation(lambda g, s, p: (jax.tree.map(np.asarray, g), s)),
        "cannot be compiled; use jax.numpy and jnp.where in place of NumPy and `if`",
    ),
    "a branch": (
        lambda: transformation(lambda g, s, p: (g, s) if g["layers"][1]["b"] > 0 else (p, s)),
        "cannot be compiled; use jax.numpy and jnp.where in place of NumPy and `if`",
    ),
    "a counter outside": (counted, "not a pure function: traced twice, it gives two different programs"),
    "a state outside": (leaking, "not a pure function: traced twice, it gives two different programs"),
    "chance": (
        lambda: transformation(lambda g, s, p: (jax.tree.map(lambda g: g * np.random.rand(), g), s)),  # noqa: NPY002
        "not a pure function",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_compared(case):
    make, told = BAD[case]
    with pytest.raises(ValueError) as error:  # noqa: PT011 the message is looked at below
        mine.prepared(make())
    assert told in one_line(error)
    assert error.value.__context__ is None or error.value.__suppress_context__  # the traceback is not the message


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lambda step, g: jnp.where(step == 6, jnp.nan, g), "first at step 7, in ['layers'][0]['w']"),
        (lambda step, g: jnp.where((step == 2) & (g.ndim == 0), jnp.inf, g), "first at step 3, in ['layers'][1]['b']"),
    ],
)
def test_what_is_not_finite(bad, told, x64):
    optimiser = transformation(lambda g, s, p: (jax.tree.map(lambda g: bad(s, g), g), s + 1), lambda p: jnp.zeros(()))
    with pytest.raises(ValueError, match="NaN or inf on ordinary gradients") as error:
        mine.path(optimiser, "mine", *given_gradients.problem(0))
    assert told in one_line(error)


def by_keyword(*, decay=0.9, learning_rate):
    return optax.rmsprop(learning_rate, decay)


def numbers_only(rate):
    return transformation(lambda g, s, p: (jax.tree.map(lambda g: -rate * g, g), s))


class Rule:
    """An optimiser as a class, whose functions are there before it is made."""

    def __init__(self, lr):
        self.lr = lr

    def init(self, params):
        return jnp.zeros((), "int32")

    def update(self, grads, state, params=None):
        return jax.tree.map(lambda g: -self.lr(state) * g, grads), state + 1


@pytest.mark.parametrize(
    ("thing", "rate"),
    [
        (optimisers.adam, given_gradients.rate),
        (optax.inject_hyperparams(optax.adam), given_gradients.rate),
        (by_keyword, given_gradients.rate),
        (Rule, given_gradients.rate),
        (lambda *given: optax.sgd(*given), given_gradients.rate),
        (numbers_only, mine.CONSTANT),
        (lambda: optax.adam(0.1), None),
        (optax.scale_by_adam, None),  # its first argument is b1
        (optax.adam(0.1), None),
    ],
)
def test_how_a_rule_takes_its_learning_rate(thing, rate):
    assert mine.prepared(thing).rate is rate


def test_a_path_is_the_sum_of_the_updates(x64):
    params, grads = given_gradients.problem(3, steps=20)
    path = mine.path(optax.sgd(0.1), "mine", params, grads)
    jax.tree.map(lambda p, g: np.testing.assert_allclose(p, -0.1 * np.cumsum(g, axis=0), rtol=1e-12), path, grads)
