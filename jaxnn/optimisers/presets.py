"""Other people's optimisers, by their own names: one short function per row, its signature their keywords and defaults.

    preset("torch.RMSprop", 1e-2, alpha=0.9, momentum=0.9, centered=True)

follows `torch.optim.RMSprop` step for step, under a changing learning rate too. Each body says in our rules' terms what
that library does; the formulae stand beside the rules. Where the libraries part ways:

    momentum, learning rate inside the velocity     keras, goodfellow, sklearn; optax and keras in RMSProp
    momentum, learning rate outside                 torch; optax in SGD
    weight decay, L2: λθ joins the gradient         torch, unless decoupled; optax in Adadelta
    weight decay, decoupled: a step takes ηλθ       keras, always; optax in the -w's and Lion; torch's AdamW
    ε under the root                                RMSProp and AdaGrad of optax and keras; the book's RMSProp
    ε̂, beside the uncorrected root                  Adam of keras and sklearn; RAdam of torch

A keyword that a library has and its row has not does not change the rule (`foreach`, `fused`), or belongs to the loop
around it (averaging, loss scaling), or chooses a dtype for the state, which ours never narrow. One rule is missing:
optax's RAdam with `nesterov`. Learning rates are numbers or schedules; the first step of every library is step 0.

References:
    optax 0.2.8, PyTorch 2.13, Keras 3.15, scikit-learn 1.9: the releases that the tests compare with.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 8.
"""

import inspect
import math
from types import MappingProxyType
from typing import Any

import jax

from jaxnn import checks, tree
from jaxnn.optimisers.adadelta import adadelta
from jaxnn.optimisers.adagrad import adagrad
from jaxnn.optimisers.adam import adam
from jaxnn.optimisers.adamax import adamax
from jaxnn.optimisers.amsgrad import amsgrad
from jaxnn.optimisers.combine import chain, clip_by_global_norm, clip_by_value, masked
from jaxnn.optimisers.gradients import decayed, is_zero
from jaxnn.optimisers.lion import lion
from jaxnn.optimisers.momentum import momentum as polyak
from jaxnn.optimisers.momentum import nesterov as accelerated
from jaxnn.optimisers.nadam import nadam
from jaxnn.optimisers.radam import radam
from jaxnn.optimisers.rmsprop import rmsprop
from jaxnn.optimisers.sgd import sgd
from jaxnn.schedules import as_schedule
from jaxnn.types import Optimiser, Params, ScalarOrSchedule, Schedule, Updates


def preset(name: str, learning_rate: ScalarOrSchedule | None = None, **keywords: Any) -> Optimiser:
    """The optimiser that another library calls `name`, with that library's keywords, defaults and conventions.

    Args:
        name: the library, a dot and the library's own name: "torch.AdamW", "keras.Nadam", "optax.lion",
            "sklearn.sgd", "goodfellow.rmsprop"; `PRESETS` has them all.
        learning_rate: η ≥ 0, or a schedule, step -> rate from step 0. None for the library's default, where it has one.
        keywords: the library's own; `lr` and its like for the learning rate are understood too.

    Raises:
        ValueError: unknown name, the nearest known one is offered; a hyperparameter out of range.
        TypeError: a keyword that the row has not; no learning rate where the library has no default.
    """
    library, dot, _ = name.partition(".")
    if not dot:
        raise ValueError(f"A preset is a library, a dot and the library's own name, as in 'torch.Adam'; got {name!r}.")
    checks.one_of(library, {known.partition(".")[0]: None for known in PRESETS}, "library")
    rows = {known: row for known, row in PRESETS.items() if known.startswith(f"{library}.")}
    row = checks.one_of(name, rows, "preset")
    parameters = inspect.signature(row).parameters
    for keyword in keywords:
        if keyword not in parameters:
            raise TypeError(f"{name} has no keyword {keyword!r} here. Known: {', '.join(parameters)}.")
    first = next(iter(parameters.values()))
    if learning_rate is not None:
        return row(learning_rate, **keywords)
    if first.default is first.empty and first.name not in keywords:
        raise TypeError(f"{name} has no default learning rate: give one, as in preset({name!r}, 1e-3).")
    return row(**keywords)


# What the rows are made of, beside the rules themselves.


def _less_parameters(factor: Schedule) -> Optimiser:
    """Takes factor(step) θ from what comes in: ηλ after a rule is decoupled decay, -λ before one is an L2 penalty."""

    def update(updates: Updates, step: Any, params: Params = None, **words: Any) -> tuple[Updates, Any]:
        del words
        less = decayed(tree.widen(updates), params, factor(step))
        return tree.cast_like(less, updates), tree.increment(step)

    return Optimiser(lambda params: tree.start(), update)


def _decoupled(rule: Optimiser, learning_rate: ScalarOrSchedule, weight_decay: Any, mask: Any = None) -> Optimiser:
    """The rule, and decay by ηλθ that bypasses it, where the mask says so."""
    if is_zero(weight_decay):
        return rule
    checks.non_negative(weight_decay=weight_decay)
    eta, decay = as_schedule(learning_rate), as_schedule(weight_decay)
    link = _less_parameters(lambda step: eta(step) * decay(step))
    return chain(rule, link if mask is None else masked(link, mask))


def _scaled(learning_rate: ScalarOrSchedule, factor: Schedule) -> Schedule:
    """The learning rate times a factor that depends on the step."""
    eta = as_schedule(learning_rate)
    return lambda step: eta(step) * factor(step)


def _trace(momentum: Any, nesterov: bool) -> Optimiser:
    """The velocity v ← α v + u, or Nesterov's α v + u after it: momentum over steps u that have their learning rate."""
    return (accelerated if nesterov else polyak)(1.0, momentum=momentum, maximise=True)


def _sgd(learning_rate: ScalarOrSchedule, momentum: Any, nesterov: bool, **keywords: Any) -> Optimiser:
    """SGD as three libraries have it: momentum and Nesterov's as keywords."""
    return (accelerated if nesterov else polyak)(learning_rate, momentum=momentum, **keywords)


def _adam(learning_rate: ScalarOrSchedule, largest: bool, **keywords: Any) -> Optimiser:
    """Adam, or AMSGrad as PyTorch and Keras have it: the maximum over the uncorrected second moment."""
    return amsgrad(learning_rate, maximum="raw", **keywords) if largest else adam(learning_rate, **keywords)


# optax: no default learning rates; `momentum=None` is none. Masks are trees of booleans or functions giving them.


def _optax_sgd(learning_rate: ScalarOrSchedule, momentum: Any = None, nesterov: bool = False) -> Optimiser:
    if momentum is None:
        return sgd(learning_rate)
    return _sgd(learning_rate, momentum, nesterov, learning_rate_inside=False)


def _optax_adagrad(learning_rate: ScalarOrSchedule, initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> Optimiser:
    return adagrad(learning_rate, eps=eps, eps_inside=True, initial_accumulator=initial_accumulator_value)


def _optax_rmsprop(
    learning_rate: ScalarOrSchedule,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Any = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> Optimiser:
    rule = rmsprop(
        learning_rate,
        decay=decay,
        eps=eps,
        eps_inside=eps_in_sqrt,
        centred=centered,
        initial_mean_square=initial_scale,
        bias_correction=bias_correction,
    )
    return rule if momentum is None else chain(rule, _trace(momentum, nesterov))


def _optax_adam(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    nesterov: bool = False,
) -> Optimiser:
    if nesterov:  # with the constant momentum β₁
        return nadam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, momentum_decay=math.inf)
    return adam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root)


def _optax_nadam(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    nesterov: bool = True,
) -> Optimiser:
    return _optax_adam(learning_rate, b1, b2, eps, eps_root, nesterov)


def _optax_amsgrad(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> Optimiser:
    # Both or neither are published rules. The bias of m is a factor of the step: a mixture puts it in the rate.
    rate: ScalarOrSchedule = learning_rate
    if bias_correction_mu and not bias_correction_nu:
        rate = _scaled(learning_rate, lambda step: 1 / tree.one_minus_power(b1, tree.increment(step)))
    if bias_correction_nu and not bias_correction_mu:
        rate = _scaled(learning_rate, lambda step: tree.one_minus_power(b1, tree.increment(step)))
    maximum = "corrected" if bias_correction_nu else "paper"
    return amsgrad(rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, maximum=maximum)


def _optax_adamw(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    nesterov: bool = False,
) -> Optimiser:
    rule = _optax_adam(learning_rate, b1, b2, eps, eps_root, nesterov)
    return _decoupled(rule, learning_rate, weight_decay, mask)


def _optax_nadamw(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    nesterov: bool = True,
) -> Optimiser:
    return _optax_adamw(learning_rate, b1, b2, eps, eps_root, weight_decay, mask, nesterov)


def _optax_adamax(learning_rate: ScalarOrSchedule, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Optimiser:
    return adamax(learning_rate, b1=b1, b2=b2, eps=eps)


def _optax_adamaxw(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Any = None,
) -> Optimiser:
    return _decoupled(adamax(learning_rate, b1=b1, b2=b2, eps=eps), learning_rate, weight_decay, mask)


def _optax_adadelta(
    learning_rate: ScalarOrSchedule,  # optax's default, None, climbs: its sign is never turned
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
) -> Optimiser:
    rule = adadelta(learning_rate, rho=rho, eps=eps)
    if is_zero(weight_decay):
        return rule
    checks.non_negative(weight_decay=weight_decay)
    decay = as_schedule(weight_decay)
    link = _less_parameters(lambda step: -decay(step))
    return chain(link if weight_decay_mask is None else masked(link, weight_decay_mask), rule)


def _optax_radam(
    learning_rate: ScalarOrSchedule,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
) -> Optimiser:
    return radam(learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, threshold=threshold)


def _optax_lion(
    learning_rate: ScalarOrSchedule, b1: Any = 0.9, b2: Any = 0.99, weight_decay: Any = 1e-3, mask: Any = None
) -> Optimiser:
    return _decoupled(lion(learning_rate, b1=b1, b2=b2), learning_rate, weight_decay, mask)


# PyTorch: `torch.optim`. Weight decay is L2, unless its name says otherwise.


def _torch_sgd(
    lr: ScalarOrSchedule = 1e-3,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> Optimiser:
    if nesterov and (is_zero(momentum) or not is_zero(dampening)):
        raise ValueError("torch.SGD's nesterov needs a momentum > 0 and no dampening.")
    if is_zero(momentum):  # and then no dampening either
        return sgd(lr, weight_decay=weight_decay, maximise=maximize)
    damping = {} if nesterov else {"dampening": dampening}
    return _sgd(
        lr, momentum, nesterov, learning_rate_inside=False, weight_decay=weight_decay, maximise=maximize, **damping
    )


def _torch_adagrad(
    lr: ScalarOrSchedule = 1e-2,
    lr_decay: Any = 0.0,
    weight_decay: Any = 0.0,
    initial_accumulator_value: Any = 0.0,
    eps: Any = 1e-10,
    maximize: bool = False,
) -> Optimiser:
    checks.non_negative(lr_decay=lr_decay)
    rate = lr if is_zero(lr_decay) else _scaled(lr, lambda step: 1 / (1 + tree.real(step) * lr_decay))
    return adagrad(
        rate, eps=eps, initial_accumulator=initial_accumulator_value, weight_decay=weight_decay, maximise=maximize
    )


def _torch_rmsprop(
    lr: ScalarOrSchedule = 1e-2,
    alpha: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    momentum: Any = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> Optimiser:
    return rmsprop(
        lr,
        decay=alpha,
        eps=eps,
        eps_inside=False,
        centred=centered,
        momentum=momentum,
        learning_rate_inside=False,
        weight_decay=weight_decay,
        maximise=maximize,
    )


def _torch_adam(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> Optimiser:
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = _adam(lr, amsgrad, b1=b1, b2=b2, eps=eps, weight_decay=coupled, maximise=maximize)
    return _decoupled(rule, lr, decoupled)


def _torch_adamw(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
) -> Optimiser:
    return _torch_adam(lr, betas, eps, weight_decay, amsgrad, maximize, decoupled_weight_decay=True)


def _torch_nadam(
    lr: ScalarOrSchedule = 2e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    momentum_decay: Any = 4e-3,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Optimiser:
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = nadam(lr, b1=b1, b2=b2, eps=eps, momentum_decay=momentum_decay, weight_decay=coupled, maximise=maximize)
    return _decoupled(rule, lr, decoupled)


def _torch_adamax(
    lr: ScalarOrSchedule = 2e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    maximize: bool = False,
) -> Optimiser:
    b1, b2 = betas
    return adamax(lr, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, maximise=maximize)


def _torch_adadelta(
    lr: ScalarOrSchedule = 1.0,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    maximize: bool = False,
) -> Optimiser:
    return adadelta(lr, rho=rho, eps=eps, weight_decay=weight_decay, maximise=maximize)


def _torch_radam(
    lr: ScalarOrSchedule = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> Optimiser:
    coupled, decoupled = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    b1, b2 = betas
    rule = radam(lr, b1=b1, b2=b2, eps=eps, eps_hat=True, weight_decay=coupled, maximise=maximize)
    return _decoupled(rule, lr, decoupled)


# Keras: `keras.optimizers`. Every optimiser can clip, in one of three ways, and then decay decoupled.


def _keras(
    rule: Optimiser,
    learning_rate: ScalarOrSchedule,
    weight_decay: Any,
    clipnorm: Any,
    clipvalue: Any,
    global_clipnorm: Any,
) -> Optimiser:
    """The rule between Keras's clipping and Keras's weight decay; None is none."""
    clips = {
        "clipnorm": (clipnorm, _clip_by_norm),
        "clipvalue": (clipvalue, clip_by_value),
        "global_clipnorm": (global_clipnorm, clip_by_global_norm),
    }
    links = [clip(size) for size, clip in clips.values() if size is not None]
    if len(links) > 1:
        raise ValueError(f"Keras clips in one way at most: give one of {', '.join(clips)}.")
    decaying = rule if weight_decay is None else _decoupled(rule, learning_rate, weight_decay)
    return chain(*links, decaying) if links else decaying


def _clip_by_norm(clipnorm: Any) -> Optimiser:
    """Clips each leaf by its own norm."""
    checks.positive(clipnorm=clipnorm)
    clip = clip_by_global_norm(clipnorm)

    def update(grads: Updates, state: Any, params: Params = None, **words: Any) -> tuple[Updates, Any]:
        del params, words
        return jax.tree.map(lambda g: clip.update(g, state)[0], grads), state

    return Optimiser(clip.init, update)


def _keras_sgd(
    learning_rate: ScalarOrSchedule = 1e-2,
    momentum: Any = 0.0,
    nesterov: bool = False,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = sgd(learning_rate) if is_zero(momentum) else _sgd(learning_rate, momentum, nesterov)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_adagrad(
    learning_rate: ScalarOrSchedule = 1e-3,
    initial_accumulator_value: Any = 0.1,
    epsilon: Any = 1e-7,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = adagrad(learning_rate, eps=epsilon, eps_inside=True, initial_accumulator=initial_accumulator_value)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_rmsprop(
    learning_rate: ScalarOrSchedule = 1e-3,
    rho: Any = 0.9,
    momentum: Any = 0.0,
    epsilon: Any = 1e-7,
    centered: bool = False,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = rmsprop(learning_rate, decay=rho, eps=epsilon, centred=centered, momentum=momentum)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_adam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    amsgrad: bool = False,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = _adam(learning_rate, amsgrad, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_adamw(
    learning_rate: ScalarOrSchedule = 1e-3,
    weight_decay: Any = 4e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    amsgrad: bool = False,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = _adam(learning_rate, amsgrad, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_nadam(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = nadam(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, momentum_decay=1.0)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_adamax(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.999,
    epsilon: Any = 1e-7,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = adamax(learning_rate, b1=beta_1, b2=beta_2, eps=epsilon, eps_inside=False)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_adadelta(
    learning_rate: ScalarOrSchedule = 1e-3,
    rho: Any = 0.95,
    epsilon: Any = 1e-7,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = adadelta(learning_rate, rho=rho, eps=epsilon)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


def _keras_lion(
    learning_rate: ScalarOrSchedule = 1e-3,
    beta_1: Any = 0.9,
    beta_2: Any = 0.99,
    weight_decay: Any = None,
    clipnorm: Any = None,
    clipvalue: Any = None,
    global_clipnorm: Any = None,
) -> Optimiser:
    rule = lion(learning_rate, b1=beta_1, b2=beta_2)
    return _keras(rule, learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm)


# Goodfellow, Bengio & Courville: the book's letters, except that ε, its learning rate, is spelled out. It leaves the
# learning rate, α and ρ to the reader, save in Adam.


def _goodfellow_sgd(learning_rate: ScalarOrSchedule) -> Optimiser:  # Algorithm 8.1
    return sgd(learning_rate)


def _goodfellow_momentum(learning_rate: ScalarOrSchedule, alpha: Any = 0.9) -> Optimiser:  # Algorithm 8.2
    return polyak(learning_rate, momentum=alpha)


def _goodfellow_nesterov(learning_rate: ScalarOrSchedule, alpha: Any = 0.9) -> Optimiser:
    # Algorithm 8.3, its parameters kept at the look-ahead point θ + αv, where it takes its gradients
    return accelerated(learning_rate, momentum=alpha)


def _goodfellow_adagrad(learning_rate: ScalarOrSchedule, delta: Any = 1e-7) -> Optimiser:  # Algorithm 8.4
    return adagrad(learning_rate, eps=delta)


def _goodfellow_rmsprop(
    learning_rate: ScalarOrSchedule, rho: Any = 0.9, delta: Any = 1e-6
) -> Optimiser:  # Algorithm 8.5
    return rmsprop(learning_rate, decay=rho, eps=delta)


def _goodfellow_rmsprop_nesterov(learning_rate: ScalarOrSchedule, rho: Any = 0.9, alpha: Any = 0.9) -> Optimiser:
    # Algorithm 8.6, which has no δ; the parameters again at the look-ahead point
    return chain(rmsprop(learning_rate, decay=rho, eps=0.0), _trace(alpha, nesterov=True))


def _goodfellow_adam(
    learning_rate: ScalarOrSchedule = 1e-3, rho1: Any = 0.9, rho2: Any = 0.999, delta: Any = 1e-8
) -> Optimiser:  # Algorithm 8.7
    return adam(learning_rate, b1=rho1, b2=rho2, eps=delta)


# scikit-learn: the solvers of MLPClassifier and MLPRegressor with their keywords, and the classes behind them with
# theirs. The penalty `alpha` belongs to the loss there, and here to the objective.


def _sklearn_sgd(
    learning_rate_init: ScalarOrSchedule = 1e-3, momentum: Any = 0.9, nesterovs_momentum: bool = True
) -> Optimiser:
    return _sgd(learning_rate_init, momentum, nesterovs_momentum)


def _sklearn_sgd_optimizer(
    learning_rate_init: ScalarOrSchedule = 0.1, momentum: Any = 0.9, nesterov: bool = True
) -> Optimiser:
    return _sgd(learning_rate_init, momentum, nesterov)


def _sklearn_adam(
    learning_rate_init: ScalarOrSchedule = 1e-3, beta_1: Any = 0.9, beta_2: Any = 0.999, epsilon: Any = 1e-8
) -> Optimiser:
    return adam(learning_rate_init, b1=beta_1, b2=beta_2, eps=epsilon, eps_hat=True)


PRESETS: MappingProxyType[str, Any] = MappingProxyType(
    {
        "optax.sgd": _optax_sgd,
        "optax.adagrad": _optax_adagrad,
        "optax.rmsprop": _optax_rmsprop,
        "optax.adam": _optax_adam,
        "optax.amsgrad": _optax_amsgrad,
        "optax.adamw": _optax_adamw,
        "optax.nadam": _optax_nadam,
        "optax.nadamw": _optax_nadamw,
        "optax.adamax": _optax_adamax,
        "optax.adamaxw": _optax_adamaxw,
        "optax.adadelta": _optax_adadelta,
        "optax.radam": _optax_radam,
        "optax.lion": _optax_lion,
        "torch.SGD": _torch_sgd,
        "torch.Adagrad": _torch_adagrad,
        "torch.RMSprop": _torch_rmsprop,
        "torch.Adam": _torch_adam,
        "torch.AdamW": _torch_adamw,
        "torch.NAdam": _torch_nadam,
        "torch.Adamax": _torch_adamax,
        "torch.Adadelta": _torch_adadelta,
        "torch.RAdam": _torch_radam,
        "keras.SGD": _keras_sgd,
        "keras.Adagrad": _keras_adagrad,
        "keras.RMSprop": _keras_rmsprop,
        "keras.Adam": _keras_adam,
        "keras.AdamW": _keras_adamw,
        "keras.Nadam": _keras_nadam,
        "keras.Adamax": _keras_adamax,
        "keras.Adadelta": _keras_adadelta,
        "keras.Lion": _keras_lion,
        "goodfellow.sgd": _goodfellow_sgd,
        "goodfellow.momentum": _goodfellow_momentum,
        "goodfellow.nesterov": _goodfellow_nesterov,
        "goodfellow.adagrad": _goodfellow_adagrad,
        "goodfellow.rmsprop": _goodfellow_rmsprop,
        "goodfellow.rmsprop_nesterov": _goodfellow_rmsprop_nesterov,
        "goodfellow.adam": _goodfellow_adam,
        "sklearn.sgd": _sklearn_sgd,
        "sklearn.SGDOptimizer": _sklearn_sgd_optimizer,
        "sklearn.adam": _sklearn_adam,
        "sklearn.AdamOptimizer": _sklearn_adam,
    }
)
