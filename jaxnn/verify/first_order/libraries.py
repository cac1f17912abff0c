"""Other libraries' optimisers, driven along given gradients at a given rate, each in the loop intended by its library.

    follow("torch.Adam", {"eps": 1e-6}, rate, params, grads)

returns the parameters after each step, in the dtype of `params`. The libraries are imported when they are first asked
for; if one cannot be used, the reason is given as a sentence.
"""

import contextlib
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import checks
from jaxnn.types import OptimiserLike, Params, Schedule, Updates
from jaxnn.verify.compiling import compiler_options
from jaxnn.verify.first_order import given_gradients

Keywords = Mapping[str, Any]


class Library(NamedTuple):
    """A library that ours is compared with."""

    module: str
    package: str  # its name in the package index
    tabulated: str  # the release whose rules the table of twins states
    extra: str  # the extra that brings it
    follow: Callable[..., Params]


def follow(reference: str, keywords: Keywords, rate: Schedule, params: Params, grads: Updates) -> Params:
    """The parameters after each step of another library's optimiser.

    Args:
        reference: the library, a dot and its own name, as in "keras.Nadam"; or a name in `COMPOSED`.
        keywords: its own, beside the learning rate. `betas[0]` and `betas[1]` are the two of PyTorch's `betas`.
        rate: step, from 0 -> learning rate.
        params: a pytree of NumPy arrays, of one dtype.
        grads: like `params`, with a leading axis of steps.

    Raises:
        ValueError: an unknown library.
        ImportError: the library is not installed.
        AttributeError: it has no such optimiser.
    """
    library, _, name = reference.partition(".")
    return checks.one_of(library, LIBRARIES, "library").follow(name, keywords, rate, params, grads)


def missing(library: str) -> str | None:
    """Why a library can't be compared with here, or None if it can."""
    known = checks.one_of(library, LIBRARIES, "library")
    if importlib.util.find_spec(known.module) is None:
        return f"{library} is not installed: pip install '.[{known.extra}]' in the jaxnn repository"
    if library == "keras":
        if sys.modules.get("keras") is not None:
            backend = sys.modules["keras"].config.backend()
        else:
            backend = os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is first imported
        if backend != "jax":
            return f"Keras is set to run on {backend}: set KERAS_BACKEND=jax before it is imported"
    try:
        importlib.import_module(known.module)
    except Exception as error:  # a broken installation says whatever it likes; the other libraries can be checked
        return f"{library} is installed but fails to import: {' '.join(str(error).split())[:150]}"
    return None


def follow_each(
    calls: Sequence[tuple[str, Keywords]], rate: Schedule, params: Params, grads: Updates
) -> list[Params | Exception]:
    """`follow` for several optimisers, or what went wrong with one; those of optax as one program.

    Args:
        calls: each a reference and its keywords.
        rate: step, from 0 -> learning rate.
        params: a pytree of NumPy arrays, of one dtype.
        grads: like `params`, with a leading axis of steps.
    """
    makers = {
        i: functools.partial(optax_optimiser, reference.partition(".")[2], keywords, rate)
        for i, (reference, keywords) in enumerate(calls)
        if reference.startswith("optax.")
    }
    found = dict(zip(makers, given_gradients.follow_each(list(makers.values()), params, grads), strict=True))
    for i, (reference, keywords) in enumerate(calls):
        if i not in found:
            found[i] = given_gradients.outcome(functools.partial(follow, reference, keywords, rate, params, grads))
    return [found[i] for i in range(len(calls))]


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """The installed versions; where one is not the tabulated one, both."""
    found = {}
    for name in libraries:
        known = LIBRARIES[name]
        if importlib.util.find_spec(known.module) is not None:
            version = metadata.version(known.package)
            same = version.partition("+")[0] == known.tabulated
            found[known.package] = version if same else f"{version} (tabulated: {known.tabulated})"
    return found


@contextlib.contextmanager
def double(libraries: tuple[str, ...]) -> Iterator[None]:
    """Double precision for JAX and for those of the libraries that can be asked; as it was, afterwards."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.enable_x64(True))
        for name in libraries:
            if name in PRECISION and missing(name) is None:
                stack.enter_context(PRECISION[name]("float64"))
        yield


def optax_optimiser(name: str, keywords: Keywords, rate: Schedule) -> OptimiserLike:
    """The transformation of that name in optax, or the chain of it that `COMPOSED` describes."""
    optax = checks.require("optax", extra="verify", purpose="to compare with it")
    factory = COMPOSED[name](optax) if name in COMPOSED else getattr(optax, name)
    return factory(rate, **keywords)


def _optax(name: str, keywords: Keywords, rate: Schedule, params: Params, grads: Updates) -> Params:
    return given_gradients.follow(optax_optimiser(name, keywords, rate), params, grads)


# Rules that optax has only as a chain: a name for the table -> optax -> factory(rate, **keywords)
COMPOSED: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "chain(scale_by_learning_rate, trace)": lambda optax: (
        lambda rate, **keywords: optax.chain(optax.scale_by_learning_rate(rate), optax.trace(**keywords))
    ),
    "chain(scale_by_rms, trace, scale_by_learning_rate)": lambda optax: (
        lambda rate, momentum, **keywords: optax.chain(
            optax.scale_by_rms(**keywords), optax.trace(momentum), optax.scale_by_learning_rate(rate)
        )
    ),
    "chain(add_decayed_weights, adam)": lambda optax: (
        lambda rate, weight_decay, **keywords: optax.chain(
            optax.add_decayed_weights(weight_decay), optax.adam(rate, **keywords)
        )
    ),
    "chain(add_decayed_weights, sgd)": lambda optax: (
        lambda rate, weight_decay, **keywords: optax.chain(
            optax.add_decayed_weights(weight_decay), optax.sgd(rate, **keywords)
        )
    ),
    "chain(ema, scale_by_learning_rate)": lambda optax: (
        lambda rate, decay: optax.chain(optax.ema(decay, debias=False), optax.scale_by_learning_rate(rate))
    ),
    "adadelta()": lambda optax: lambda rate, **keywords: optax.adadelta(**keywords),  # no rate, as its default allows
}


def _torch(name: str, keywords: Keywords, rate: Schedule, params: Params, grads: Updates) -> Params:
    torch = checks.require("torch", extra="peers", purpose="to compare with it")
    keywords = dict(keywords)
    if "betas[0]" in keywords:
        keywords["betas"] = (keywords.pop("betas[0]"), keywords.pop("betas[1]"))

    def tensor(array: Any) -> Any:
        array = np.asarray(array)
        wide = array.astype(np.float64)  # NumPy's bfloat16 is not PyTorch's
        return torch.tensor(wide).to(getattr(torch, array.dtype.name))

    leaves, structure = jax.tree.flatten(jax.tree.map(tensor, params))
    gradients = jax.tree.leaves(jax.tree.map(tensor, grads))
    optimiser = getattr(torch.optim, name)(leaves, lr=1.0, **keywords)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    path = []
    for step in range(gradients[0].shape[0]):
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.grad = gradient[step]
        optimiser.step()
        scheduler.step()
        path.append([leaf.double().numpy().copy() for leaf in leaves])
    stacked = [np.stack(leaf) for leaf in zip(*path, strict=True)]
    return jax.tree.map(
        lambda a, like: a.astype(np.asarray(like).dtype), jax.tree.unflatten(structure, stacked), params
    )


@contextlib.contextmanager
def _torch_precision(name: str) -> Iterator[None]:
    """NAdam keeps its product of momenta in PyTorch's default dtype, whatever that of the parameters."""
    torch = checks.require("torch", extra="peers", purpose="to compare with it")
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _keras(name: str, keywords: Keywords, rate: Schedule, params: Params, grads: Updates) -> Params:
    keras = checks.require("keras", extra="peers", purpose="to compare with it")

    def scheduled(self: Any, step: Any) -> Any:
        del self
        return rate(keras.ops.cast(step, keras.config.floatx()))

    Rate = type("Rate", (keras.optimizers.schedules.LearningRateSchedule,), {"__call__": scheduled})
    leaves, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, params))
    optimiser = getattr(keras.optimizers, name)(Rate(), **keywords)
    optimiser.build([keras.Variable(leaf, dtype=leaf.dtype.name) for leaf in leaves])

    def step(carry: tuple[Any, Any], g: Any) -> tuple[tuple[Any, Any], Any]:
        leaves, state = optimiser.stateless_apply(carry[1], g, carry[0])
        return (leaves, state), leaves

    start = leaves, [variable.value for variable in optimiser.variables]
    run = jax.jit(lambda start, grads: jax.lax.scan(step, start, grads)[1], compiler_options=compiler_options(leaves))
    path = run(start, jax.tree.leaves(grads))
    return jax.tree.map(np.asarray, jax.tree.unflatten(structure, path))


@contextlib.contextmanager
def _keras_precision(name: str) -> Iterator[None]:
    keras = checks.require("keras", extra="peers", purpose="to compare with it")
    before = keras.config.floatx()
    keras.config.set_floatx(name)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _sklearn(name: str, keywords: Keywords, rate: Schedule, params: Params, grads: Updates) -> Params:
    own = checks.require("sklearn.neural_network._stochastic_optimizers", extra="sklearn", purpose="to compare with it")
    leaves, structure = jax.tree.flatten(params)
    leaves = [np.array(leaf) for leaf in leaves]
    optimiser = getattr(own, name)(leaves, **keywords)
    path = []
    for step in range(len(jax.tree.leaves(grads)[0])):
        optimiser.learning_rate = optimiser.learning_rate_init = rate(step)
        updates = optimiser._get_updates([g[step] for g in jax.tree.leaves(grads)])
        leaves = [leaf + update for leaf, update in zip(leaves, updates, strict=True)]
        path.append(leaves)
    return jax.tree.unflatten(structure, [np.stack(leaf) for leaf in zip(*path, strict=True)])


LIBRARIES: dict[str, Library] = {
    "optax": Library("optax", "optax", "0.2.8", "verify", _optax),
    "torch": Library("torch", "torch", "2.13.0", "peers", _torch),
    "keras": Library("keras", "keras", "3.15.1", "peers", _keras),
    "sklearn": Library("sklearn", "scikit-learn", "1.9.1", "sklearn", _sklearn),
}
PRECISION: dict[str, Any] = {"torch": _torch_precision, "keras": _keras_precision}
