"""`jaxnn explain`: one forward and one backward pass of a small network, with every intermediate number."""

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxnn.cli import arguments

HELP = "print every number of one forward and one backward pass"
DESCRIPTION = """\
Prints the forward pass of a small network on one example, then the backward pass by the chain rule: every
intermediate number, how it is computed, and at the end the largest difference from the gradients of jax.grad.
Without options, this is the worked example of the lectures. With --sizes, the weights are random and rounded
to one decimal, so you can follow the numbers with pencil and paper."""
EXAMPLE = """\
examples:
  jaxnn explain
  jaxnn explain --sizes 3,2,1 --activation tanh
  jaxnn explain --sizes 2,3,2 --loss softmax_cross_entropy --inputs 1,-0.5 --target 1"""
LOSSES = ("squared_error", "softmax_cross_entropy", "sigmoid_cross_entropy")
WIDEST, DEEPEST = 12, 6  # units per layer, and layers of weights, that fit on a page
SLIDE = ((0.2, 0.1, 0.3), (1.0, 0.5, 0.3), 0.5, 0.75)  # w, x, w₂₁, y of pages 34-40
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn explain`."""
    parser.add_argument(
        "--sizes", type=_sizes, metavar="SIZES", help="units of the input, hidden and output layers, such as 3,2,1"
    )
    activation = arguments.name_from(tuple(n for n in arguments.ACTIVATIONS if n != "softmax"), "activation")
    parser.add_argument(
        "--activation", type=activation, metavar="NAME", default="relu", help="activation (default: relu)"
    )
    parser.add_argument(
        "--loss",
        type=arguments.name_from(LOSSES, "loss"),
        metavar="NAME",
        default="squared_error",
        help=f"loss: {', '.join(LOSSES)} (default: squared_error)",
    )
    parser.add_argument(
        "--inputs",
        type=_numbers,
        metavar="X",
        help="inputs of the example, such as 1,0.5,0.3 (write --inputs=-1,0.5 if the first is negative)",
    )
    parser.add_argument(
        "--target", type=_numbers, metavar="Y", help="target of the example: one number per output, or the class"
    )
    parser.add_argument("--no-bias", action="store_true", help="leave out the biases")
    parser.add_argument(
        "--learning-rate", type=arguments.positive, metavar="ε", help="also take one step of gradient descent"
    )
    parser.add_argument("--seed", type=arguments.seed, metavar="N", help="seed for the random weights (default: 0)")


def run(options: Any) -> int:
    """Explains; returns the exit status."""
    import jax

    with jax.enable_x64(True):
        for line in _explained(_example(options), options):
            print(line)
    return 0


class _Example(NamedTuple):
    """The network, the example and the loss to explain."""

    params: Any  # of mlp
    x: Any  # (1, n_in)
    y: Any  # (1, n_out), or (1,) a class
    sigma: str
    loss: str


def _example(options: Any) -> _Example:
    """The example that the options describe.

    Raises:
        ValueError: the inputs or the target do not fit the network, or --no-bias or --seed is given without --sizes.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxnn import mlp

    w, x, w21, y = SLIDE
    if options.sizes is None and (options.no_bias or options.seed is not None):
        raise ValueError("--no-bias and --seed apply to random weights only: add --sizes, such as --sizes 3,2,1.")
    seed = options.seed or 0
    if options.sizes is None:
        params: Any = (mlp.Layer(jnp.array(w)[:, None], None), mlp.Layer(jnp.array([[w21]]), None))
        drawn: Any = np.array(x)
    else:
        normal = jax.nn.initializers.normal(0.5)
        params = mlp.init(
            jax.random.key(seed), options.sizes, w_init=normal, b_init=None if options.no_bias else normal
        )
        params = jax.tree.map(lambda leaf: jnp.asarray(np.round(leaf, 1)), params)
        drawn = np.round(np.random.default_rng(seed).uniform(-1, 1, options.sizes[0]), 1)
    sizes = mlp.sizes(params)
    inputs = drawn if options.inputs is None else options.inputs
    if len(inputs) != sizes[0]:
        raise ValueError(f"--inputs must have one number per input, {sizes[0]} in all, got {len(inputs)}.")
    return _Example(params, jnp.array([inputs]), _target(options, sizes[-1], y), options.activation, options.loss)


def _target(options: Any, outputs: int, default: float) -> Any:
    """The target as the loss takes it.

    Raises:
        ValueError: it does not fit.
    """
    import jax.numpy as jnp

    given = options.target
    if options.loss == "softmax_cross_entropy":
        if outputs < 2:
            raise ValueError("softmax_cross_entropy needs at least two outputs: give --sizes such as 3,2,2.")
        given = (0.0,) if given is None else given
        if len(given) != 1 or given[0] not in range(outputs):
            raise ValueError(f"With --loss {options.loss}, --target must be a class from 0 to {outputs - 1}.")
        return jnp.array([int(given[0])])
    if given is None:
        given = (1.0 if options.loss == "sigmoid_cross_entropy" else default,) * outputs
    if len(given) != outputs:
        raise ValueError(f"--target must have one number per output, {outputs} in all, got {len(given)}.")
    if options.loss == "sigmoid_cross_entropy" and not all(0 <= value <= 1 for value in given):
        raise ValueError("With --loss sigmoid_cross_entropy, --target must be in [0, 1].")
    return jnp.array([given])


def _explained(example: _Example, options: Any) -> Iterator[str]:
    """The lines of the page."""
    import jax
    import jax.numpy as jnp

    from jaxnn import activations, backprop, losses, mlp

    params, x, y, sigma = example.params, example.x, example.y, activations.get(example.sigma)

    def loss_of(outputs: Any) -> Any:
        return losses.get(example.loss)(outputs, y)[0]

    outputs, kept = mlp.forward(params, x, activation=sigma)
    value, by_outputs = jax.value_and_grad(loss_of)(outputs)
    grads, adjoints = backprop.reverse(params, kept, by_outputs, activation=sigma)
    if not all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves((value, grads))):
        raise ValueError("The loss or its gradient overflows: give smaller --inputs or --target.")

    yield f"network        {'-'.join(map(str, mlp.sizes(params)))}, {example.sigma}, {example.loss}"
    yield "inputs         " + _named("x", x[0])
    yield ""
    yield "FORWARD        z = h W + b,  h = σ(z), each stored for the backward pass"
    yield from _forward(example, outputs[0], kept)
    yield f"loss           J = {_loss_in_words(example, outputs[0])} = {_number(value)}"
    yield ""
    yield "BACKWARD       by the chain rule, from the last layer to the first"
    for j, by_output in enumerate(by_outputs[0]):
        formula = _by_output_in_words(example, outputs[0], j)
        yield f"{'outputs' if j == 0 else '':15}{_entry('∂J/∂o', j, outputs[0])} = {formula} = {_number(by_output)}"
    for k in reversed(range(len(params))):
        yield from _backward(example, k, kept, adjoints, grads[k])
    by_jax = jax.grad(lambda p: loss_of(mlp.apply(p, x, activation=sigma)))(params)
    apart = max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(*map(jax.tree.leaves, (grads, by_jax)), strict=True))
    yield ""
    yield f"check          the gradients differ from those of jax.grad by at most {apart:.1g}"
    if options.learning_rate is not None:
        moved = jax.tree.map(lambda p, g: p - options.learning_rate * g, params, grads)
        after = _number(loss_of(mlp.apply(moved, x, activation=sigma)))
        yield f"one step       θ ← θ - {options.learning_rate:g} ∂J/∂θ takes J from {_number(value)} to {after}"
    slide = (options.sizes, options.inputs, options.target) == (None, None, None)
    if slide and example.sigma == "relu" and example.loss == "squared_error":
        yield "lectures       page 38 has ∂J/∂w⁽¹⁾₁₁ = -0.07888, which is wrong: docs/errata.md says why"


def _forward(example: _Example, outputs: Any, kept: Any) -> Iterator[str]:
    """The lines of each layer's sums and activations."""
    *hidden, last = range(len(example.params))
    for k, layer in enumerate(example.params):
        before = (kept.inputs, *kept.hidden)[k][0]
        name, sums = ("o", outputs) if k == last else (f"z{_up(k)}", kept.pre_activations[k][0])
        for j, total in enumerate(sums):
            terms = [_product(w, h) for w, h in zip(layer.w[:, j], before, strict=True)]
            terms += [] if layer.b is None else [_bracketed(layer.b[j])]
            head = ("outputs" if k == last else f"layer {k + 1}") if j == 0 else ""
            yield f"{head:15}{_entry(name, j, sums)} = {' + '.join(terms)} = {_number(total)}"
        if k in hidden:
            for j, h in enumerate(kept.hidden[k][0]):
                yield f"{'':15}{_entry(f'h{_up(k)}', j, sums)} = {example.sigma}({_number(sums[j])}) = {_number(h)}"


def _backward(example: _Example, k: int, kept: Any, adjoints: Any, grad: Any) -> Iterator[str]:
    """The lines of layer k: the gradients with respect to its units, from the next layer, and to its weights."""
    bars = (*adjoints.pre_activations, adjoints.outputs)  # ∂J/∂z of each layer
    last = len(example.params) - 1
    bar, behind = bars[k][0], "∂J/∂o" if k == last else f"∂J/∂z{_up(k)}"
    if k < last:
        for j, h_bar in enumerate(adjoints.hidden[k][0]):
            terms = [_product(w, z) for w, z in zip(example.params[k + 1].w[j], bars[k + 1][0], strict=True)]
            h = _entry(f"∂J/∂h{_up(k)}", j, bar)
            yield f"{f'layer {k + 1}' if j == 0 else '':15}{h} = {' + '.join(terms)} = {_number(h_bar)}"
        for j, z_bar in enumerate(bar):
            z, h_bar = kept.pre_activations[k][0, j], adjoints.hidden[k][0, j]
            formula = f"{_entry(f'∂J/∂h{_up(k)}', j, bar)} {example.sigma}'({_number(z)})"
            product = _product(h_bar, _slope(example.sigma, z))
            yield f"{'':15}{_entry(behind, j, bar)} = {formula} = {product} = {_number(z_bar)}"
    source, before = ("x", kept.inputs[0]) if k == 0 else (f"h{_up(k - 1)}", kept.hidden[k - 1][0])
    for i, h in enumerate(before):
        for j, z_bar in enumerate(bar):
            where = f"∂J/∂w{_up(k)}{_down(i + 1, j + 1)}"
            formula = f"{_entry(source, i, before)} {_entry(behind, j, bar)}"
            yield f"{'':15}{where} = {formula} = {_product(h, z_bar)} = {_number(grad.w[i, j])}"
    if grad.b is not None:
        yield f"{'':15}{_named(f'∂J/∂b{_up(k)}', grad.b)}, because ∂{'o' if k == last else 'z'}/∂b = 1"


def _slope(sigma: str, z: Any) -> Any:
    """σ'(z)."""
    from jaxnn import activations

    return activations.derivative(sigma)(z)


def _loss_in_words(example: _Example, outputs: Any) -> str:
    """The loss's formula with its numbers."""
    if example.loss == "softmax_cross_entropy":
        target = int(example.y[0])
        others = " + ".join(f"e^{_number(o)}" for o in outputs)
        return f"-log softmax(o){_down(target + 1)} = -log(e^{_number(outputs[target])} / ({others}))"
    pairs = list(zip(example.y[0], outputs, strict=True))
    if example.loss == "squared_error":
        return "(y - o)² = " + " + ".join(f"({_number(y)} - {_bracketed(o)})²" for y, o in pairs)
    return " ".join(f"- [{_number(y)} log σ({_number(o)}) + {_number(1 - y)} log σ({_number(-o)})]" for y, o in pairs)


def _by_output_in_words(example: _Example, outputs: Any, j: int) -> str:
    """The derivative of the loss with respect to output j, with its numbers."""
    o = _number(outputs[j])
    if example.loss == "softmax_cross_entropy":
        hit = int(int(example.y[0]) == j)
        return f"softmax(o){_down(j + 1)} - {hit}" if len(outputs) > 1 else f"softmax(o) - {hit}"
    y = _number(example.y[0, j])
    return f"-2 ({y} - {_bracketed(outputs[j])})" if example.loss == "squared_error" else f"σ({o}) - {y}"


def _named(name: str, values: Any) -> str:
    """`x₁ = 1, x₂ = 0.5`."""
    return ", ".join(f"{_entry(name, i, values)} = {_number(value)}" for i, value in enumerate(values))


def _entry(name: str, index: int, among: Any) -> str:
    """`z₁`, or `z` if there is only one."""
    return name if len(among) == 1 else name + _down(index + 1)


def _up(k: int) -> str:
    """The layer's number, counted from 1, as a superscript in brackets."""
    return f"⁽{k + 1}⁾".translate(SUPERSCRIPTS)


def _down(*indices: int) -> str:
    apart = "," if max(indices) > 9 else ""
    return apart.join(map(str, indices)).translate(SUBSCRIPTS)


def _number(value: Any) -> str:
    return f"{float(value) + 0.0:.6g}"  # + 0.0 turns -0 into 0


def _bracketed(value: Any) -> str:
    number = _number(value)
    return f"({number})" if number.startswith("-") else number


def _product(a: Any, b: Any) -> str:
    return f"{_bracketed(a)}·{_bracketed(b)}"


def _numbers(text: str) -> tuple[float, ...]:
    """An option's type: finite numbers separated by commas."""
    read = arguments.number(lambda value: True, "")
    try:
        return tuple(read(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, such as 1,0.5, got {text!r}") from None


def _sizes(text: str) -> Sequence[int]:
    """An option's type: the sizes of a network that fits a page."""
    read = arguments.whole(1, WIDEST)
    parts = text.split(",")
    try:
        sizes = tuple(read(part) for part in parts)
    except argparse.ArgumentTypeError:
        sizes = ()
    if not 2 <= len(sizes) <= DEEPEST + 1:
        raise argparse.ArgumentTypeError(
            f"expected 2 to {DEEPEST + 1} whole numbers from 1 to {WIDEST} separated by commas, such as 3,2,1 "
            f"(a larger network does not fit on a page), got {text!r}"
        )
    return sizes
