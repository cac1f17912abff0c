"""Every first-order rule once more, straight from its paper or book: the witness that ours are held against.

    for theta in ORACLES["adam"](theta, gradients, rates, b1=mpf(0.9), …): …

An oracle is a generator: it takes the first parameters, the gradient and the learning rate of each step, and gives the
parameters after each step. Its keywords and their defaults are those of our rule of that name, so it follows any
configuration of ours. Nothing is imported from jaxnn, not even a helper, and the formulae are the published ones: no
rearrangement for the sake of rounding. That is left to the numbers, which may be of any kind that NumPy's functions
take; `exactly` turns hyperparameters into them:

    mpmath.mpf in arrays of objects    at 60 digits nothing that cancels below matters
    np.longdouble                      80 bits, fast: 1 - βᵗ is wrong by 5e-20 / (1 - βᵗ) of itself, 5e-15 for
                                       β = 0.99999 at t = 1, and RAdam's length by 1e-9 of itself there

Where a denominator is 0 (ε = 0 and no gradient yet) the papers say nothing, and neither do the oracles.

Letters: θ parameters, g gradient, η learning rate, t = 1, 2, … the step, λ weight decay, ε the small constant.
"""

import inspect
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np


def exactly(oracle: Callable[..., Any], keywords: Mapping[str, Any], number: Callable[[Any], Any]) -> dict[str, Any]:
    """All keywords of an oracle, its defaults included, each number made exact: `number(0.999)` and not 999/1000."""
    parameters = inspect.signature(oracle).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def exact(value: Any) -> Any:
        return value if isinstance(value, bool) or not isinstance(value, numbers.Real) else number(value)

    return {name: exact(value) for name, value in {**defaults, **keywords}.items()}


def _descended(g: Any, theta: Any, weight_decay: Any, maximise: bool) -> Any:
    """The gradient of what is minimised: of J, or of -J where J is maximised, and of the L2 penalty λ‖θ‖²/2."""
    return (-g if maximise else g) + weight_decay * theta


def sgd(
    theta: Any, gradients: Iterable[Any], rates: Iterable[Any], *, weight_decay: Any = 0.0, maximise: bool = False
) -> Iterator[Any]:
    """Robbins & Monro 1951; Goodfellow, Bengio & Courville 2016, algorithm 8.1."""
    for g, eta in zip(gradients, rates, strict=True):
        theta = theta - eta * _descended(g, theta, weight_decay, maximise)
        yield theta


def momentum(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    momentum: Any = 0.9,
    dampening: Any = 0.0,
    learning_rate_inside: bool = True,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Polyak 1964; Goodfellow's algorithm 8.2; with the learning rate outside, the box of torch.optim.SGD."""
    v = 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        if t > 1:
            g = (1 - dampening) * g
        if learning_rate_inside:
            v = momentum * v - eta * g
            theta = theta + v
        else:
            v = momentum * v + g
            theta = theta - eta * v
        yield theta


def nesterov(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    momentum: Any = 0.9,
    learning_rate_inside: bool = True,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Sutskever et al. 2013, equations 3 and 4; with the learning rate outside, the box of torch.optim.SGD.

    The variable is Θ = θ + αv, the point at which those equations take the gradient.
    """
    v = 0 * theta
    for g, eta in zip(gradients, rates, strict=True):
        g = _descended(g, theta, weight_decay, maximise)
        if learning_rate_inside:
            before, v = v, momentum * v - eta * g
            theta = (theta - momentum * before) + v + momentum * v
        else:
            v = momentum * v + g
            theta = theta - eta * (g + momentum * v)
        yield theta


def adagrad(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    eps: Any = 1e-7,
    eps_inside: bool = False,
    initial_accumulator: Any = 0.0,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Duchi, Hazan & Singer 2011, with diagonal matrices; Goodfellow's algorithm 8.4.

    ε under the root is how optax and Keras keep it from 0.
    """
    r = initial_accumulator
    for g, eta in zip(gradients, rates, strict=True):
        g = _descended(g, theta, weight_decay, maximise)
        r = r + g * g
        theta = theta - eta / (np.sqrt(eps + r) if eps_inside else eps + np.sqrt(r)) * g
        yield theta


def rmsprop(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    decay: Any = 0.9,
    eps: Any = 1e-6,
    eps_inside: bool = True,
    centred: bool = False,
    momentum: Any = 0.0,
    learning_rate_inside: bool = True,
    initial_mean_square: Any = 0.0,
    bias_correction: bool = False,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Hinton's lecture 6e, 2012; Goodfellow's algorithm 8.5; centred and with momentum, Graves 2013, equations 38-41.

    The rest is in the documentation of optax.rmsprop (averages corrected for their start) and torch.optim.RMSprop (ε
    beside the root, the rate outside the velocity).
    """
    r, c, v = initial_mean_square, 0 * theta, 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        r = decay * r + (1 - decay) * g * g
        c = decay * c + (1 - decay) * g
        mean_square, mean = (r / (1 - decay**t), c / (1 - decay**t)) if bias_correction else (r, c)
        # a variance: where it is 0, as after a first gradient, rounding must not make it less
        n = np.maximum(mean_square - mean * mean, 0) if centred else mean_square
        step = g / (np.sqrt(n + eps) if eps_inside else np.sqrt(n) + eps)
        if learning_rate_inside:
            v = momentum * v - eta * step
            theta = theta + v
        else:
            v = momentum * v + step
            theta = theta - eta * v
        yield theta


def adadelta(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Zeiler 2012, algorithm 1, its Δx multiplied by η."""
    mean_square_gradient = mean_square_step = 0 * theta
    for g, eta in zip(gradients, rates, strict=True):
        g = _descended(g, theta, weight_decay, maximise)
        mean_square_gradient = rho * mean_square_gradient + (1 - rho) * g * g
        step = -np.sqrt(mean_square_step + eps) / np.sqrt(mean_square_gradient + eps) * g
        mean_square_step = rho * mean_square_step + (1 - rho) * step * step
        theta = theta + eta * step
        yield theta


def adam(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_hat: bool = False,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Kingma & Ba 2015, algorithm 1; with ε̂, the order of computation at the end of section 2. Goodfellow's 8.7.

    The second constant under the root is optax's: a part of v̂, wherever ε stands.
    """
    m = v = 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        if eps_hat:
            alpha = eta * np.sqrt(1 - b2**t) / (1 - b1**t)
            theta = theta - alpha * m / (np.sqrt(v + (1 - b2**t) * eps_root) + eps)
        else:
            m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
            theta = theta - eta * m_hat / (np.sqrt(v_hat + eps_root) + eps)
        yield theta


def adamw(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_hat: bool = False,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-2,
    maximise: bool = False,
) -> Iterator[Any]:
    """Loshchilov & Hutter 2019, algorithm 2, line 12, with their α = 1 and ηₜ = η.

    That is θ ← θ - η (m̂ / (√v̂ + ε) + λθ); whether J is minimised or maximised, the decay shrinks. ε̂ as in `adam`.
    """
    m = v = 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = -g if maximise else g
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        epsilon = eps / np.sqrt(1 - b2**t) if eps_hat else eps
        theta = theta - eta * (m_hat / (np.sqrt(v_hat + eps_root) + epsilon) + weight_decay * theta)
        yield theta


def adamax(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_inside: bool = True,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Kingma & Ba 2015, algorithm 2, which has no ε: it joins |g| in PyTorch and optax, and u in Keras."""
    m = u = 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + eps if eps_inside else np.abs(g))
        theta = theta - eta / (1 - b1**t) * m / (u if eps_inside else u + eps)
        yield theta


def amsgrad(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_hat: bool = False,
    eps_root: Any = 0.0,
    maximum: str = "corrected",
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Reddi, Kale & Kumar 2018, algorithm 2 ("paper"); the box of torch.optim.Adam ("raw"); optax's ("corrected").

    ε̂ stands beside the root of a second moment before its correction, which the paper's never has.
    """
    m = v = u = 0 * theta
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat, epsilon = m / (1 - b1**t), eps / np.sqrt(1 - b2**t) if eps_hat else eps
        if maximum == "paper":
            u = np.maximum(u, v)
            theta = theta - eta * m / (np.sqrt(u + eps_root) + eps)
        elif maximum == "raw":
            u = np.maximum(u, v)
            theta = theta - eta * m_hat / (np.sqrt(u / (1 - b2**t) + eps_root) + epsilon)
        else:
            u = np.maximum(u, v / (1 - b2**t))
            theta = theta - eta * m_hat / (np.sqrt(u + eps_root) + epsilon)
        yield theta


def nadam(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    momentum_decay: Any = 0.004,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Dozat 2016, Nadam, with the schedule of μ that the report's experiments and torch.optim.NAdam have.

    The schedule's 0.96 is the double nearest to it. Where 0.96^ψᵗ has vanished the momentum is β₁, as in optax.
    """

    def mu(t: int) -> Any:
        return b1 * (1 - 0.96 ** (t * momentum_decay) / 2)

    m = v = 0 * theta
    product = mu(1)  # Πₜ = μ₁ … μₜ
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        following = product * mu(t + 1)
        m_bar = mu(t + 1) * m / (1 - following) + (1 - mu(t)) * g / (1 - product)
        theta = theta - eta * m_bar / (np.sqrt(v / (1 - b2**t) + eps_root) + eps)
        product = following
        yield theta


def radam(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_hat: bool = False,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Liu et al. 2020, algorithm 2, whose threshold is 4 and which has no ε: that stands as in `adam`."""
    m = v = 0 * theta
    longest = 2 / (1 - b2) - 1
    for t, (g, eta) in enumerate(zip(gradients, rates, strict=True), start=1):
        g = _descended(g, theta, weight_decay, maximise)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        m_hat = m / (1 - b1**t)
        length = longest - 2 * t * b2**t / (1 - b2**t)
        if length > threshold:
            r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            epsilon = eps / np.sqrt(1 - b2**t) if eps_hat else eps
            theta = theta - eta * r * m_hat / (np.sqrt(v / (1 - b2**t) + eps_root) + epsilon)
        else:
            theta = theta - eta * m_hat
        yield theta


def lion(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    b1: Any = 0.9,
    b2: Any = 0.99,
    weight_decay: Any = 0.0,
    maximise: bool = False,
) -> Iterator[Any]:
    """Chen et al. 2023, algorithm 2."""
    m = 0 * theta
    for g, eta in zip(gradients, rates, strict=True):
        g = -g if maximise else g
        c = b1 * m + (1 - b1) * g
        theta = theta - eta * (np.sign(c) + weight_decay * theta)
        m = b2 * m + (1 - b2) * g
        yield theta


ORACLES: MappingProxyType[str, Callable[..., Iterator[Any]]] = MappingProxyType(
    {
        "sgd": sgd,
        "momentum": momentum,
        "nesterov": nesterov,
        "adagrad": adagrad,
        "rmsprop": rmsprop,
        "adadelta": adadelta,
        "adam": adam,
        "adamw": adamw,
        "adamax": adamax,
        "amsgrad": amsgrad,
        "nadam": nadam,
        "radam": radam,
        "lion": lion,
    }
)


def box_8_1(theta: Any, gradients: Iterable[Any], rates: Iterable[Any]) -> Iterator[Any]:
    """Goodfellow, Bengio & Courville 2016, algorithm 8.1: stochastic gradient descent."""
    for g, epsilon in zip(gradients, rates, strict=True):
        theta = theta - epsilon * g
        yield theta


def box_8_2(theta: Any, gradients: Iterable[Any], rates: Iterable[Any], *, alpha: Any = 0.9) -> Iterator[Any]:
    """Algorithm 8.2: momentum."""
    v = 0 * theta
    for g, epsilon in zip(gradients, rates, strict=True):
        v = alpha * v - epsilon * g
        theta = theta + v
        yield theta


def box_8_3(look_ahead: Any, gradients: Iterable[Any], rates: Iterable[Any], *, alpha: Any = 0.9) -> Iterator[Any]:
    """Algorithm 8.3: Nesterov momentum. The gradients are those at the look-ahead point θ + αv, which is yielded."""
    theta, v = look_ahead, 0 * look_ahead
    for g, epsilon in zip(gradients, rates, strict=True):
        v = alpha * v - epsilon * g
        theta = theta + v
        yield theta + alpha * v


def box_8_4(theta: Any, gradients: Iterable[Any], rates: Iterable[Any], *, delta: Any = 1e-7) -> Iterator[Any]:
    """Algorithm 8.4: AdaGrad."""
    r = 0 * theta
    for g, epsilon in zip(gradients, rates, strict=True):
        r = r + g * g
        theta = theta - epsilon / (delta + np.sqrt(r)) * g
        yield theta


def box_8_5(
    theta: Any, gradients: Iterable[Any], rates: Iterable[Any], *, rho: Any = 0.9, delta: Any = 1e-6
) -> Iterator[Any]:
    """Algorithm 8.5: RMSProp."""
    r = 0 * theta
    for g, epsilon in zip(gradients, rates, strict=True):
        r = rho * r + (1 - rho) * g * g
        theta = theta - epsilon / np.sqrt(delta + r) * g
        yield theta


def box_8_6(
    look_ahead: Any, gradients: Iterable[Any], rates: Iterable[Any], *, rho: Any = 0.9, alpha: Any = 0.9
) -> Iterator[Any]:
    """Algorithm 8.6: RMSProp with Nesterov momentum. The gradients are those at θ + αv, which is yielded."""
    theta, r, v = look_ahead, 0 * look_ahead, 0 * look_ahead
    for g, epsilon in zip(gradients, rates, strict=True):
        r = rho * r + (1 - rho) * g * g
        v = alpha * v - epsilon / np.sqrt(r) * g
        theta = theta + v
        yield theta + alpha * v


def box_8_7(
    theta: Any,
    gradients: Iterable[Any],
    rates: Iterable[Any],
    *,
    rho1: Any = 0.9,
    rho2: Any = 0.999,
    delta: Any = 1e-8,
) -> Iterator[Any]:
    """Algorithm 8.7: Adam."""
    s = r = 0 * theta
    for t, (g, epsilon) in enumerate(zip(gradients, rates, strict=True), start=1):
        s = rho1 * s + (1 - rho1) * g
        r = rho2 * r + (1 - rho2) * g * g
        s_hat, r_hat = s / (1 - rho1**t), r / (1 - rho2**t)
        theta = theta - epsilon * s_hat / (np.sqrt(r_hat) + delta)
        yield theta


BOXES: MappingProxyType[str, Callable[..., Iterator[Any]]] = MappingProxyType(
    {
        "goodfellow.sgd": box_8_1,
        "goodfellow.momentum": box_8_2,
        "goodfellow.nesterov": box_8_3,
        "goodfellow.adagrad": box_8_4,
        "goodfellow.rmsprop": box_8_5,
        "goodfellow.rmsprop_nesterov": box_8_6,
        "goodfellow.adam": box_8_7,
    }
)
