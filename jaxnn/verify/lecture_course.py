"""The numbers of a lecture course, computed by jaxnn and held against the page, digit for digit.

Each row is one fact: the figure that the page prints, or its formula followed by hand in rational or decimal numbers.
Five times the page is wrong or leaves a gap. There the row shows the page's figure and the right one, and holds only
if ours is the right one and not the page's; `docs/errata.md` says why.

The update rules followed by hand, ε the learning rate, g the gradient, elementwise:

    pages 44, 46-47    v ← α v - ε g,                                    θ ← θ + v
    page 45            ĝ = (1/m) ∇ Σ L over a minibatch of m,            θ ← θ - εₖ ĝ
    page 48            r ← r + g²,                                       θ ← θ - ε g / (δ + √r)
    page 49            r ← ρ r + (1 - ρ) g²,                             θ ← θ - ε g / √(δ + r)
    pages 50-53        s ← ρ₁ s + (1 - ρ₁) g,  r ← ρ₂ r + (1 - ρ₂) g²
                       ŝ = s / (1 - ρ₁ᵗ),      r̂ = r / (1 - ρ₂ᵗ),        θ ← θ - ε ŝ / (√r̂ + δ)

PyTorch's m, v, v̂ on page 53 are s, r, r̂.

References:
    Barnaghi, Artificial Neural Networks, lecture slides, Imperial College London, 2026: the pages.
    Goodfellow, Bengio & Courville, Deep Learning, 2016, chapter 8: the algorithms.
"""

import decimal
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn import activations, backprop, initialisers, losses, mlp, optimisers, schedules, training
from jaxnn.objective import Objective
from jaxnn.optimisers import preset
from jaxnn.types import OptimiserLike
from jaxnn.verify.first_order.given_gradients import follow
from jaxnn.verify.table import FAILED, HOLDS, Row, Table, shown, unexpected, versions

Exact: TypeAlias = str | int | Fraction | Decimal  # a string is a figure as the page prints it

ROUNDING = 1e-15  # a few roundings of numbers about 1 in double precision


def check() -> Table:
    """Every figure and formula of the course that jaxnn has by now, one row each; in double precision, in seconds."""
    with jax.enable_x64(True), decimal.localcontext(prec=50):
        rows = tuple(row for topic in TOPICS for row in _rows(topic))
    return Table(rows, versions("jax", "numpy"))


def _rows(topic: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """The rows of one topic; where it raises, a row that says so instead of those that would have followed."""
    try:
        yield from topic()
    except Exception as error:
        what = topic.__name__.strip("_").replace("_", " ")
        yield Row("course", what, "the page", "", 0, None, "no error", FAILED, unexpected(error))


def _fact(
    rule: str,
    page: str,
    how: str,
    ours: Any,
    right: Exact | Sequence[Exact],
    *,
    at_most: float = ROUNDING,
    steps: int = 0,
    slide: Exact | None = None,
    why: str = "",
) -> Row:
    """The row that holds ours against the right figures; and against the slide's wrong one, which it must not be."""
    figures = np.ravel(ours)
    worst = max(_distances(figures, right))
    expected = f"at most {at_most:g}"
    good = worst <= at_most
    if slide is not None:
        expected += f", and more than that from the page's {slide}"
        good = good and min(_distances(figures, slide)) > at_most
    if not good:
        given = ", ".join(f"{figure:.12g}" for figure in figures[:4])
        why = "; ".join([f"jaxnn gives {given}, {shown(worst)} from the right figure", *filter(None, [why])])
    return Row("course", rule, page, how, steps, worst, expected, HOLDS if good else FAILED, why)


def _distances(figures: Any, exact: Exact | Sequence[Exact]) -> list[float]:
    """|figure - exact| of each, without a rounding; one exact number stands for all figures.

    A figure that is not finite is infinitely far, and so is another number of figures than there should be.
    """
    each = [exact] * len(figures) if isinstance(exact, Exact) else exact
    if len(each) != len(figures):
        return [math.inf]
    return [
        float(abs(Fraction(float(figure)) - Fraction(number))) if np.isfinite(figure) else math.inf
        for figure, number in zip(figures, each, strict=True)
    ]


# Pages 9-13, 66-67: activations.


def _activations() -> Iterator[Row]:
    points = list(map(Fraction, ("-2", "-1/2", "-1/16", "1/16", "1/2", "2")))

    @jax.jit
    def values(z: Any) -> dict[str, Any]:
        return {
            "sigmoid": activations.sigmoid(z[0]),
            "sigmoid'": [activations.derivative("sigmoid")(z[0]), jax.grad(activations.sigmoid)(z[0])],
            "relu": activations.relu(z[1:]),
            "relu'": [activations.derivative("relu")(z[1:]), jax.vmap(jax.grad(activations.relu))(z[1:])],
            "leaky_relu": activations.leaky_relu(z[1:]),
            "absolute_value": activations.absolute_value(z[1:]),
        }

    ours = values(jnp.array([1.5, *map(float, points)]))
    value = 1 / (1 + Decimal("-1.5").exp())
    yield _fact(
        "erratum 5: σ(1.5)",
        "pages 9, 66",
        "1 / (1 + e⁻¹·⁵), 50 digits",
        ours["sigmoid"],
        value,
        slide="0.817544761936437",
        why=f"the page has 0.817544761936437, which lacks a 7 after 0.8175; right is {value:.30f}",
    )
    yield _fact(
        "σ'(1.5)", "pages 9, 66", "σ (1 - σ): derivative, jax.grad", ours["sigmoid'"], [value * (1 - value)] * 2
    )

    def rectified(alpha: Fraction) -> list[Fraction]:
        return [max(Fraction(0), z) + alpha * min(Fraction(0), z) for z in points]

    leak, minus = Fraction("0.01"), Fraction(-1)
    how = "max(0, z) + α min(0, z), "
    yield _fact("ReLU", "pages 10-11", "max(0, z)", ours["relu"], rectified(Fraction(0)))
    yield _fact("ReLU'", "pages 10-11, 67", "0 for z < 0, 1 for z > 0", ours["relu'"], [int(z > 0) for z in points] * 2)
    yield _fact("leaky ReLU", "page 12", how + "α = 0.01", ours["leaky_relu"], rectified(leak))
    yield _fact("absolute value", "page 13", how + "α = -1", ours["absolute_value"], rectified(minus))
    yield from _relu_at_zero()


def _relu_at_zero() -> Iterator[Row]:
    params = (mlp.Layer(jnp.ones((2, 1)), None), mlp.Layer(jnp.ones((1, 1)), None))

    @jax.jit
    def slopes(h: Any) -> list[Any]:
        _, kept = mlp.forward(params, jnp.array([[1.0, -1.0]]), activation=activations.relu)  # z = 1 - 1
        return [
            (activations.relu(0.0) - activations.relu(-h)) / h,
            (activations.relu(h) - activations.relu(0.0)) / h,
            activations.derivative("relu")(0 * h),
            jax.grad(activations.relu)(0 * h),
            backprop.backward(params, kept, jnp.ones((1, 1)), activation=activations.relu)[0].w[0, 0],
        ]

    yield _fact(
        "erratum 4: ReLU'(0)",
        "page 67",
        "quotients from left and right; derivative, jax.grad, backprop",
        slopes(jnp.array(2.0**-20)),
        [0, 1, 0, 0, 0],
        why="the page has 0 for z < 0 and 1 for z > 0 and is silent at 0, where there is no derivative: 0 from the "
        "left, 1 from the right, and any number between is a subgradient; right is to say which: 0",
    )


# Pages 27, 68: initialisation.


def _initialisation() -> Iterator[Row]:
    fan_in, fan_out = 300, 500

    @jax.jit
    def ends(key: Any) -> list[Any]:
        draw = initialisers.scaled(initialisers.glorot_uniform(), initialisers.gain("tanh"))
        drawn = draw(key, (fan_in, fan_out), float)
        return [drawn.min(), drawn.max()]

    bound = Fraction(5, 3) * Fraction((6 / Decimal(fan_in + fan_out)).sqrt())
    yield _fact(
        "Glorot's bound",
        "pages 27, 68",
        "5/3 √(6 / (300 + 500)): ends of 150,000 draws",
        ends(_key()),
        [-bound, bound],
        at_most=2e-5,  # an end is missed by 2 bound / 150,000 = 2e-6 on average, by ten times that in e⁻¹⁰ of the cases
    )
    right: dict[str, Exact] = {
        "identity": 1,
        "sigmoid": 1,
        "tanh": Fraction(5, 3),
        "relu": Decimal(2).sqrt(),
        "leaky_relu": (2 / (1 + Decimal("0.01") ** 2)).sqrt(),
        "selu": Fraction(3, 4),
    }
    gains = [initialisers.gain(name) for name in right]
    yield _fact("gains", "page 68", "1, 1, 5/3, √2, √(2 / (1 + α²)), 3/4", gains, list(right.values()))


# Pages 32-33: the derivative as a limit.


def _derivative_as_a_limit() -> Iterator[Row]:
    def f(x: Any) -> Any:
        return x**2

    slopes = jax.jit(jax.vmap(jax.grad(f)))(jnp.array([-1.0, 0.0, 3.0]))
    yield _fact("f' of f(x) = x²", "pages 32-33", "2x at -1, 0, 3: jax.grad", slopes, [-2, 0, 6])
    widths = 2.0 ** -np.arange(21)  # powers of 2, so nothing below is rounded
    errors = (f(3 + widths) - f(3.0)) / widths - float(slopes[-1])
    how = "(f(x + h) - f(x)) / h - f'(x) = h, h to 2⁻²⁰"
    yield _fact("f' as a limit", "pages 32-33", how, errors, [Fraction(width) for width in widths], at_most=0.0)


# Pages 34-40: the worked example, a network of 3, 2 and 1 units.


def _worked_example() -> Iterator[Row]:
    y, nudge = jnp.array([[0.75]]), 0.125  # L is quadratic in w₁₁ while z > 0: its central difference is exact

    def network(weights: Sequence[float]) -> mlp.Params:
        """The pages' sums go through one hidden unit; weights of 0 keep the other out of them."""
        first = jnp.stack([jnp.array(weights), jnp.zeros(3)], axis=1)
        return mlp.Layer(first, None), mlp.Layer(jnp.array([[0.5], [0.0]]), None)

    def error(outputs: Any) -> Any:
        return losses.squared_error(outputs, y)[0]

    def loss(params: mlp.Params, x: Any) -> Any:
        return error(mlp.apply(params, x, activation=activations.relu))

    def moved(params: mlp.Params, by: float) -> mlp.Params:
        return params[0]._replace(w=params[0].w.at[0, 0].add(by)), params[1]

    @jax.jit
    def figures(params: mlp.Params, x: Any) -> dict[str, Any]:
        outputs, kept = mlp.forward(params, x, activation=activations.relu)
        by_output = jax.grad(error)(outputs)
        by_hand = backprop.backward(params, kept, by_output, activation=activations.relu)
        by_jax = jax.grad(loss)(params, x)
        by_difference = (loss(moved(params, nudge), x) - loss(moved(params, -nudge), x)) / (2 * nudge)
        return {
            "z": kept.pre_activations[0][0, 0],
            "h": kept.hidden[0][0, 0],
            "o": outputs,
            "L": loss(params, x),
            "∂L/∂o": by_output,
            "∂L/∂w₂₁": [by_hand[1].w[0, 0], by_jax[1].w[0, 0]],
            "∂L/∂h": jax.grad(lambda h: error(mlp.affine(params[1], h)))(kept.hidden[0])[0, 0],
            "∂L/∂w₁₁": [by_hand[0].w[0, 0], by_jax[0].w[0, 0], by_difference],
        }

    weights, inputs = (0.2, 0.1, 0.3), (1.0, 0.5, 0.3)
    ours, pages = figures(network(weights), jnp.array([inputs])), "pages 34-40"
    yield _fact("example: z", pages, "1 · 0.2 + 0.5 · 0.1 + 0.3 · 0.3", ours["z"], "0.34")
    yield _fact("example: h", pages, "ReLU(z)", ours["h"], "0.34")
    yield _fact("example: o", pages, "w₂₁ h, w₂₁ = 0.5", ours["o"], "0.17")
    yield _fact("example: L", pages, "(y - o)², y = 0.75", ours["L"], "0.3364")
    yield _fact("example: ∂L/∂o", pages, "-2 (y - o)", ours["∂L/∂o"], "-1.16")
    yield _fact("example: ∂L/∂w₂₁", pages, "h ∂L/∂o: backprop, jax.grad", ours["∂L/∂w₂₁"], ["-0.3944"] * 2)
    yield _fact("example: ∂L/∂h", pages, "w₂₁ ∂L/∂o", ours["∂L/∂h"], "-0.58")
    swapped = figures(network(inputs), jnp.array([weights]))  # which of the two triples are the inputs is not clear
    for x1, reading, right in (("0.2", swapped, "-0.116"), ("1", ours, "-0.58")):
        yield _fact(
            f"erratum 1: ∂L/∂w₁₁, x₁ = {x1}",
            "page 38",
            "x₁ ∂L/∂h: backprop, jax.grad, differences",
            reading["∂L/∂w₁₁"],
            [right] * 3,
            slide="-0.07888",
            why=f"the page has -0.07888, which is 0.2 ∂L/∂w₂₁ = 0.2 · -0.3944; right is {right}, {x1} ∂L/∂h = "
            f"{x1} · -0.58",
        )


# Pages 29, 41-42: the learning rate.


def _learning_rate() -> Iterator[Row]:
    steps = (0, 5, 10, 20, 100)
    ours = [schedules.exponential_decay(0.1, rate=0.5, steps=10)(step) for step in steps]
    right = [Decimal("0.1") * Decimal("0.5") ** (Decimal(step) / 10) for step in steps]
    yield _fact("exponential decay", "pages 41-42", "0.1 · 0.5^(step / 10)", ours, right)


# Pages 44-49: gradient descent, momentum, AdaGrad, RMSProp.

# Exact in binary; they shrink after the first, which is what tells the readings of AMSGrad apart.
GRADIENTS = tuple(map(Decimal, ("1", "0.125", "-0.25", "0.5")))
RATES = tuple(map(Decimal, ("0.1", "0.05", "0.05", "0.2")))
SCHEDULE = schedules.piecewise([0.1, 0.05, 0.2], boundaries=[1, 3])  # the same rates


def _path(optimiser: OptimiserLike, gradients: Sequence[Decimal] = GRADIENTS, start: float = 1.0) -> np.ndarray:
    """θ after each step."""
    return follow(optimiser, np.float64(start), np.array([float(g) for g in gradients]))


def _momentum(alpha: Decimal) -> list[Decimal]:
    theta, v, path = Decimal(1), Decimal(0), []
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        v = alpha * v - rate * g
        theta += v
        path.append(theta)
    return path


def _adagrad(rate: Decimal, delta: Decimal) -> list[Decimal]:
    theta, r, path = Decimal(1), Decimal(0), []
    for g in GRADIENTS:
        r += g * g
        theta -= rate * g / (delta + r.sqrt())
        path.append(theta)
    return path


def _rmsprop(rate: Decimal, rho: Decimal, delta: Decimal) -> list[Decimal]:
    theta, r, path = Decimal(1), Decimal(0), []
    for g in GRADIENTS:
        r = rho * r + (1 - rho) * g * g
        theta -= rate * g / (delta + r).sqrt()
        path.append(theta)
    return path


def _minibatches() -> Iterator[Row]:
    x, y, batches = (1, 2, 3, 4), (2, 3, 5, 8), ((0, 1), (2, 3), (0, 2), (1, 3))
    w, right = Fraction(1, 2), []
    for batch, rate in zip(batches, map(Fraction, RATES), strict=True):
        w -= rate * Fraction(1, len(batch)) * sum(-2 * x[i] * (y[i] - w * x[i]) for i in batch)
        right.append(w)

    optimiser = optimisers.sgd(SCHEDULE)
    take = jax.jit(training.step(Objective(mlp.apply, losses.squared_error), optimiser))
    state, ours = training.init(optimiser, (mlp.Layer(jnp.array([[0.5]]), None),)), []
    for batch in batches:
        chosen = (jnp.array([[float(values[i])] for i in batch]) for values in (x, y))
        state, _ = take(state, tuple(chosen))
        ours.append(state.params[0].w[0, 0])
    how = "θ ← θ - εₖ ĝ, minibatches of 2, in fractions"
    yield _fact("SGD, Algorithm 8.1", "page 45", how, ours, right, steps=len(batches), at_most=1e-14)  # w reaches 3


def _first_order() -> Iterator[Row]:
    steps = len(GRADIENTS)
    descent = _path(preset("goodfellow.sgd", SCHEDULE))
    still = _path(preset("goodfellow.momentum", SCHEDULE, alpha=0.0))
    moving = _path(preset("goodfellow.momentum", SCHEDULE, alpha=0.9))
    how = "v ← 0.9 v - εₖ g, θ ← θ + v"
    yield _fact("momentum", "pages 44, 46-47", how, moving, _momentum(Decimal("0.9")), steps=steps)
    how = "v ← 0 v - εₖ g: gradient descent"
    yield _fact("momentum, α = 0", "pages 44, 46-47", how, [still, descent], _momentum(Decimal(0)) * 2, steps=steps)
    rate = Decimal("0.1")
    ours, right = _path(preset("goodfellow.adagrad", 0.1)), _adagrad(rate, Decimal("1e-7"))
    yield _fact("AdaGrad", "page 48", "θ ← θ - ε g / (δ + √r)", ours, right, steps=steps)
    ours, right = _path(preset("goodfellow.rmsprop", 0.1)), _rmsprop(rate, Decimal("0.9"), Decimal("1e-6"))
    yield _fact("RMSProp", "page 49", "θ ← θ - ε g / √(δ + r)", ours, right, steps=steps)


# Pages 50-53: Adam, its Algorithm 8.7 and PyTorch's form.


def _adam(
    gradients: Sequence[Decimal] = GRADIENTS,
    *,
    start: int = 1,
    to_the_letter: bool = False,
    maximum: str = "",
    weight_decay: Decimal = Decimal(0),
    maximise: bool = False,
) -> list[Decimal]:
    """θ after each step, with Adam's default rates.

    Args:
        gradients: g of each step.
        start: θ before the first.
        to_the_letter: page 52's own: s and r themselves are divided, not ŝ and r̂.
        maximum: AMSGrad: "corrected" divides by the largest r̂ so far (page 53), "raw" by the largest r so far, which
            is then corrected (PyTorch).
        weight_decay: λ of page 53.
        maximise: page 53's.
    """
    rate, rho1, rho2, delta = map(Decimal, ("0.001", "0.9", "0.999", "1e-8"))
    theta, s, r, largest, path = Decimal(start), Decimal(0), Decimal(0), Decimal(0), []
    for t, gradient in enumerate(gradients, start=1):
        g = (-gradient if maximise else gradient) + weight_decay * theta
        s = rho1 * s + (1 - rho1) * g
        r = rho2 * r + (1 - rho2) * g * g
        c1, c2 = (Decimal(1), Decimal(1)) if to_the_letter else (1 - rho1**t, 1 - rho2**t)
        r_hat = r / c2
        if maximum == "corrected":
            r_hat = largest = max(largest, r_hat)
        if maximum == "raw":
            largest = max(largest, r)
            r_hat = largest / c2
        theta -= rate * (s / c1) / (r_hat.sqrt() + delta)
        path.append(theta)
    return path


def _adam_and_its_words() -> Iterator[Row]:
    steps, half = len(GRADIENTS), Decimal("0.5")
    ours, right = _path(preset("goodfellow.adam")), _adam()
    yield _fact("Adam, Algorithm 8.7", "pages 50-52", "θ ← θ - ε ŝ / (√r̂ + δ)", ours, right, steps=steps)
    yield from _erratum_2()
    words: dict[str, tuple[str, dict[str, Any], list[Decimal]]] = {
        "weight_decay": ("g ← g + λθ", {"weight_decay": 0.5}, _adam(weight_decay=half)),
        "maximize": ("g ← -g", {"maximize": True}, _adam(maximise=True)),
        "both words": (
            "g ← -g + λθ, in this order",
            {"weight_decay": 0.5, "maximize": True},
            _adam(weight_decay=half, maximise=True),
        ),
    }
    for name, (how, keywords, right) in words.items():
        ours = _path(preset("torch.Adam", **keywords))
        yield _fact(f"Adam, {name}", "page 53", how, ours, right, steps=steps)
    yield from _erratum_3()


def _erratum_2() -> Iterator[Row]:
    constant = (Decimal(1),) * 12  # up to the step that page 52's letter makes the longest
    book, letter = _adam(constant, start=0), _adam(constant, start=0, to_the_letter=True)
    slide = f"{letter[0]:.6g}"
    yield _fact(
        "erratum 2: Adam's first step",
        "page 52",
        "-ε ŝ / (√r̂ + δ), ε = 0.001, g = 1",
        _path(preset("goodfellow.adam"), constant, start=0.0)[0],
        book[0],
        steps=1,
        slide=slide,
        why=f"the page, taken to the letter, divides the uncorrected moments: {slide}; right is {book[0]:.6g}",
    )

    def too_long(t: int) -> Decimal:
        return (1 - Decimal("0.9") ** t) / (1 - Decimal("0.999") ** t).sqrt()

    # While the gradient is constant the maximum of "paper" is v itself, and what is left is the page's letter.
    paths = [
        _path(rule, constant, start=0.0)
        for rule in (optimisers.amsgrad(1e-3, eps=0.0, maximum="paper"), preset("goodfellow.adam", delta=0.0))
    ]
    letters, books = (np.diff(path, prepend=0) for path in paths)
    yield _fact(
        "erratum 2: too long by",
        "page 52",
        "(1 - ρ₁ᵗ) / √(1 - ρ₂ᵗ), g constant",
        letters / books,
        [too_long(t) for t in range(1, len(constant) + 1)],
        steps=len(constant),
        at_most=1e-12,  # steps are differences of θ, whose last digit is a 1e-14th of one
        why=f"the page's letter makes the first step {too_long(1):.3g} times too long, the 12th {too_long(12):.3g} "
        f"times and the 1000th still {too_long(1000):.3g}; right is 1",
    )


def _erratum_3() -> Iterator[Row]:
    steps = len(GRADIENTS)
    page, torch = _adam(maximum="corrected"), _adam(maximum="raw")
    ours = _path(optimisers.amsgrad(1e-3, maximum="corrected"))
    yield _fact("AMSGrad as the page has it", "page 53", "max over v̂: maximum='corrected'", ours, page, steps=steps)
    own, preset_path = _path(optimisers.amsgrad(1e-3, maximum="raw")), _path(preset("torch.Adam", amsgrad=True))
    slide, right = f"{page[-1]:.8f}", torch[-1]
    yield _fact(
        "erratum 3: PyTorch's AMSGrad",
        "page 53",
        "max over v, then corrected: maximum='raw'",
        [own[-1], preset_path[-1]],
        [right, right],
        steps=steps,
        slide=slide,
        why=f"the page gives PyTorch's form with the maximum over v̂, and comes to θ = {slide} after {steps} steps; "
        f"right is {right:.8f}, over v and corrected afterwards",
    )


# Pages 55-57, 62: dropout; the initialisation that does not help.


def _dropout() -> Iterator[Row]:
    rate, through = 0.5, (mlp.Layer(jnp.eye(10), None),) * 2  # each layer passes its input on

    @jax.jit
    def outputs(key: Any, x: Any) -> list[Any]:
        kinds = (((rate, rate), key), ((0.0, 0.0), key), ((rate, rate), None))  # of the inputs and of the hidden units
        return [mlp.apply(through, x, activation=activations.relu, dropout=rates, key=k) for rates, k in kinds]

    dropped, *kept = map(np.asarray, outputs(_key(), jnp.ones((4000, 10))))
    pages, how = "pages 55-57", "1, dropped as input and as hidden unit: 0, or 1 / (1 - 0.5)²"
    yield _fact("dropout", pages, how, np.unique(dropped), [0, 4])
    alive = (1 - rate) ** 2
    deviation = math.sqrt((1 - alive) / alive / dropped.size)  # of the mean of so many units
    how = "mean of 40,000 of these, within 5 σ"
    yield _fact("dropout keeps the mean", pages, how, dropped.mean(), 1, at_most=5 * deviation)
    yield _fact("no dropout", pages, "rate 0, or no key: nothing changes", np.unique(kept), [1], at_most=0.0)


def _zero_initialisation() -> Iterator[Row]:
    steps = 20
    x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    data, rows = (x, x[:, :1] + 2 * x[:, 1:] - 1), jnp.tile(jnp.arange(4), (steps, 1))
    objective = Objective(functools.partial(mlp.apply, activation=activations.tanh), losses.squared_error)

    def units(key: Any, w_init: Any) -> Any:
        """The weights from and to each of four hidden units, a column each, after the steps."""
        params = mlp.init(key, (2, 4, 1), w_init=w_init)
        first, last = training.run(objective, optimisers.sgd(0.1), params, data, rows)[0].params
        return jnp.concatenate([first.w, last.w.T])

    trained = jax.jit(lambda key: [units(key, w_init) for w_init in (initialisers.zeros, initialisers.constant(0.5))])
    zeros, halves = map(np.asarray, trained(_key()))
    how = "from 0, no weight of 4 tanh units ever moves"
    yield _fact("zero initialisation", "page 62", how, np.unique(zeros), [0], steps=steps, at_most=0.0)
    stood_still = np.abs(halves - 0.5).max() < 0.1  # which would make them alike and prove nothing
    apart = math.nan if stood_still else np.ptp(halves, axis=1).max()
    how = "from 0.5 each, 4 tanh units move, all alike"
    yield _fact("equal initialisation", "page 62", how, apart, 0, steps=steps, at_most=1e-14)


def _key() -> Any:
    """A key of XLA's own generator, which compiles in half a second less than JAX's."""
    return jax.random.key(0, impl="unsafe_rbg")


TOPICS = (
    _activations,
    _initialisation,
    _derivative_as_a_limit,
    _worked_example,
    _learning_rate,
    _minibatches,
    _first_order,
    _adam_and_its_words,
    _dropout,
    _zero_initialisation,
)
