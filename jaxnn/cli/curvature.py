"""`jaxnn curvature`: how the loss of a saved model bends around its parameters, on the rows of a table."""

import argparse
import json
import math
import os
import sys
from itertools import pairwise
from typing import Any, NamedTuple

from jaxnn.cli import arguments

HELP = "how the loss bends around a saved model"
DESCRIPTION = """\
Computes the Hessian's spectrum at a saved model's parameters, without the matrix and in double
precision: gradient norm, trace, eigenvalues at both ends with error bounds, condition, the share of
negative eigenvalues, and each layer's part in it. The loss is the mean over the rows, of softmax
cross-entropy for classes and of squared errors of the standardised target for numbers; weight decay
and the weights of rows are no part of it."""
EXAMPLE = """\
examples:
  jaxnn curvature digits.safetensors digits
  jaxnn curvature stroke.safetensors patients.csv --plot curvature.png --json curvature.json"""

PROBES, STEPS, POINTS, SIDE = 10, 80, 1024, 41
TRACE_PRODUCTS = 90
COPIES = 4  # of the basis of Lanczos' process while it restarts; of the rows' hidden units in a product


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn curvature`."""
    parser.add_argument("model", metavar="MODEL", help="a file that `jaxnn train --out` wrote")
    parser.add_argument("data", metavar="DATA", help="a table with the target column, or the name of a data set")
    parser.add_argument("--rows", type=arguments.whole(1), metavar="N", help="at most so many rows, drawn by the seed")
    parser.add_argument(
        "--eigenvalues", type=arguments.whole(1, 100), default=3, metavar="K", help="how many at either end (3)"
    )
    parser.add_argument("--density", action="store_true", help="print how the eigenvalues are spread, by decades")
    parser.add_argument("--plot", metavar="FILE", help="a picture of the spectrum and the loss around the parameters")
    parser.add_argument(
        "--directions",
        type=arguments.name_from(("random", "eigen"), "kind of directions"),
        default="random",
        metavar="KIND",
        help="directions in which --plot draws the loss: random, scaled to the weights of each filter, or eigen, the "
        "two of sharpest curvature (random)",
    )
    parser.add_argument(
        "--extent",
        type=arguments.positive,
        default=1.0,
        metavar="X",
        help="how far along each direction the picture goes (1)",
    )
    parser.add_argument("--json", metavar="FILE", help="where to write every number as JSON")
    arguments.add_seed(parser)


class _Measured(NamedTuple):
    """What is told, printed and drawn."""

    loss: Any
    gradient_norm: Any
    trace: Any
    pairs: Any  # of both ends in turn, the smallest first
    condition: Any  # infinite where there is none
    density: Any
    layers: Any
    plane: Any  # None without --plot


def run(options: Any) -> int:
    """Loads, computes, prints, writes and draws; returns the exit status."""
    import jax

    from jaxnn import experiments, files, plots, training
    from jaxnn.cli import cache, outputs

    outputs.check(options, reads={"MODEL": options.model, "DATA": options.data})
    with jax.enable_x64(True):  # small eigenvalues are differences of large numbers
        model = training.load(options.model)
        if model.preprocessing is None:
            raise ValueError(f"{options.model} holds no preprocessing, so that a table cannot be read for it.")
        rows = experiments.source_for(options.data, model.preprocessing)
        x, y = _batch(model.preprocessing, rows, options)
        _check_memory(model.config["sizes"], len(x), options.eigenvalues)
        cache.enable()
        if sys.stderr.isatty():
            print("computing; half a minute for 5,000 parameters, less the second time", file=sys.stderr)
        found = _measure(model, x, y, options)
        _tell(options, model, len(x), found)
        if options.json is not None:
            text = json.dumps(_as_json(options, model, len(x), found), indent=1, allow_nan=False)
            files.write(options.json, text + "\n")
            print(f"wrote {options.json}")
        if options.plot is not None:
            picture = plots.curvature_report(
                found.density,
                found.plane,
                eigenvalues=found.pairs.values,
                title=f"{os.path.basename(options.model)} on {os.path.basename(options.data)}",
            )
            plots.save(picture, options.plot)
            print(f"wrote {options.plot}")
    return 0


def _batch(fitted: Any, rows: Any, options: Any) -> tuple[Any, Any]:
    """Inputs (n, n_in) and targets, class codes (n,) or standardised numbers (n, 1), in double precision.

    Raises:
        ValueError: the table has no target column, or does not fit the model.
    """
    import numpy as np

    from jaxnn.experiments import PROBLEMS

    truth = rows.target
    if truth is None:
        told = "columns" if rows.dataset is None else f"target, {rows.dataset.target_name!r},"
        raise ValueError(
            f"The loss needs the target of {options.model}, {fitted.target_name!r}, which is not among the {told}"
            f" of {options.data!r}: give a table that has it."
        )
    x, y = np.asarray(fitted.inputs(rows.rows), np.float64), np.asarray(fitted.targets(truth))
    if options.rows is not None and options.rows < len(x):
        chosen = np.sort(np.random.default_rng(options.seed).choice(len(x), options.rows, replace=False))
        x, y = x[chosen], y[chosen]
    return x, PROBLEMS[fitted.problem].as_targets(y, np.float64)


def _check_memory(sizes: Any, rows: int, eigenvalues: int) -> None:
    """Refuses what this machine has no room for.

    Raises:
        ValueError: the vectors, or the hidden units of all rows, are more than half of the memory.
    """
    from jaxnn.curvature.operator import AT_ONCE
    from jaxnn.derivatives.budget import in_words, machine_memory

    memory = machine_memory()
    if memory is None:
        return
    parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    vectors = 8 * parameters * (COPIES * max(STEPS, 4 * eigenvalues + 60))
    if vectors > memory / 2:
        raise ValueError(
            f"The spectrum of {parameters:,} parameters needs about {in_words(vectors)} for its vectors, more than half"
            f" of this machine's {in_words(memory)}: the model is too large."
        )
    units = 8 * rows * sum(sizes) * AT_ONCE * COPIES
    if units > memory / 2:
        raise ValueError(
            f"{rows:,} rows need about {in_words(units)} for their hidden units, more than half of this machine's"
            f" {in_words(memory)}: give --rows {max(1, int(rows * memory / 2 / units)):,}".replace(",", "")
            + "."
        )


def _measure(model: Any, x: Any, y: Any, options: Any) -> _Measured:
    """Everything, as NumPy's numbers and arrays."""
    import functools

    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxnn import activations, curvature, mlp, tree
    from jaxnn.experiments import PROBLEMS
    from jaxnn.objective import Objective

    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), model.params)
    names = model.config["activation"]
    hidden = len(params) - 1
    functions = [activations.get(name) for name in (names if isinstance(names, list) else [names] * hidden)]
    predict = functools.partial(mlp.apply, activation=tuple(functions))
    objective = Objective(predict, PROBLEMS[model.preprocessing.problem].loss)
    batch = (jnp.asarray(x), jnp.asarray(y))

    loss, gradient = jax.jit(jax.value_and_grad(objective))(params, batch)
    norm = tree.norm(gradient)
    if not (np.isfinite(loss) and np.isfinite(norm)):
        raise ValueError(
            f"The loss of {options.model} on {options.data} or its gradient is not finite: it has no curvature."
        )
    keys = jax.random.split(jax.random.key(options.seed), 5)
    n = tree.size(params)
    pairs = curvature.top_eigenpairs(
        objective, params, min(2 * options.eigenvalues, n), batch, key=keys[0], which="both"
    )
    smallest, largest = (
        curvature.Eigenpair(pairs.values[i], pairs.vectors[i], pairs.residuals[i]) for i in (0, min(1, n - 1))
    )
    plane = None
    if options.plot is not None:
        if options.directions == "eigen":
            directions = curvature.eigen_directions(objective, params, batch, key=keys[1])
        else:
            directions = curvature.random_directions(keys[1], params)
        along = functools.partial(objective, batch=batch)
        plane = curvature.plane(along, params, *directions, extent=options.extent, n=SIDE)
    return jax.tree.map(
        np.asarray,
        _Measured(
            loss=loss,
            gradient_norm=norm,
            trace=curvature.trace(objective, params, batch, key=keys[2], products=TRACE_PRODUCTS),
            pairs=pairs,
            condition=curvature.condition_of(curvature.Extremes(smallest, largest, pairs.products)),
            density=curvature.spectral_density(
                objective, params, batch, key=keys[3], probes=PROBES, steps=STEPS, points=POINTS
            ),
            layers=curvature.layer_curvature(objective, params, batch, key=keys[4], products=TRACE_PRODUCTS),
            plane=plane,
        ),
    )


def _tell(options: Any, model: Any, rows: int, found: _Measured) -> None:
    """Prints the numbers."""
    from jaxnn.cli.text import fact, table
    from jaxnn.experiments import PROBLEMS
    from jaxnn.experiments.text import counted

    kind = PROBLEMS[model.preprocessing.problem].loss_name
    n = found.pairs.vectors.shape[1]
    largest = float(found.pairs.values[min(1, n - 1)])
    error = float(found.trace.standard_error)
    fact("model", f"{options.model}, {counted(n, 'parameter')}")
    fact("data", f"{options.data}, {counted(rows, 'row')}")
    fact("loss", f"{float(found.loss):.6g}, the mean {kind}")
    fact("gradient", f"norm {float(found.gradient_norm):.3g}")
    fact("trace", f"{float(found.trace.value):.6g}" + (f" ± {error:.2g}" if error else ""))
    if largest > 0:
        fact("sharpness", f"{largest:.6g}: gradient descent diverges at rates above {2 / largest:.3g}")
    definite = math.isfinite(found.condition)
    fact("condition", f"{float(found.condition):.4g}" if definite else "none: the Hessian is not positive definite")
    share = float(found.density.negative_share())
    fact("negative", f"{100 * share:.1f} % of the eigenvalues (estimated from {PROBES} random vectors)")
    print()
    table(("eigenvalue", "", "within"), [*_ends(found.pairs)], left=1)
    print()
    heads = ("layer", "parameters", "trace", "smallest", "largest")
    told = [
        (name, f"{size:,}", *(f"{float(v):.4g}" for v in (layer.trace, layer.smallest, layer.largest)))
        for name, size, layer in _layers(model, found)
    ]
    table(heads, told)
    if options.density:
        print()
        table(("eigenvalues", "share"), [*_decades(found.density)])


def _ends(pairs: Any) -> Any:
    """Rows of the table of eigenvalues, from the largest down."""
    k = len(pairs.values)
    for word, places in (("largest", range(1, k, 2)), ("smallest", [*range(0, k, 2)][::-1])):
        for place in places:
            rank = place // 2 + 1
            name = word if rank == 1 else f"{rank}. {word}"
            yield name, f"{pairs.values[place]:.8g}", f"{pairs.residuals[place]:.1g}"


def _layers(model: Any, found: _Measured) -> Any:
    """(name, parameters, curvature) of each layer."""
    last = len(model.params) - 1
    for k, (layer, curve) in enumerate(zip(model.params, found.layers, strict=True)):
        size = layer.w.size + (0 if layer.b is None else layer.b.size)
        yield "output" if k == last else f"hidden {k + 1}", int(size), curve


def _decades(density: Any) -> Any:
    """Rows of the table of shares, by decades of the largest magnitude, from the most negative up."""
    import numpy as np

    nodes, weights = np.asarray(density.nodes), np.asarray(density.weights)
    scale = np.abs(nodes).max() or 1.0
    edges = scale * 10.0 ** np.arange(0, -7, -1)  # scale, scale/10, … scale/10⁶
    bounds = np.concatenate([-edges, edges[::-1]])
    bounds[0], bounds[-1] = -np.inf, np.inf
    for low, high in pairwise(bounds):
        share = weights[(nodes > low) & (nodes <= high)].sum()
        lower = "" if np.isinf(low) else f"{low:.2g} < "
        upper = "" if np.isinf(high) else f" ≤ {high:.2g}"
        yield f"{lower}λ{upper}", f"{100 * share:.2f} %"


def _as_json(options: Any, model: Any, rows: int, found: _Measured) -> dict[str, Any]:
    """Every number, in JSON's types; null for a condition that there is none of."""
    pairs, density = found.pairs, found.density
    answer: dict[str, Any] = {
        "model": options.model,
        "data": options.data,
        "rows": rows,
        "parameters": int(pairs.vectors.shape[1]),
        "seed": options.seed,
        "loss": float(found.loss),
        "gradient_norm": float(found.gradient_norm),
        "trace": {"value": float(found.trace.value), "standard_error": float(found.trace.standard_error)},
        "eigenvalues": {
            word: {"values": pairs.values[start::2].tolist(), "within": pairs.residuals[start::2].tolist()}
            for word, start in (("smallest", 0), ("largest", 1))
        },
        "condition": float(found.condition) if math.isfinite(found.condition) else None,
        "negative_share": float(density.negative_share()),
        "layers": [
            {
                "name": name,
                "parameters": size,
                "trace": float(layer.trace),
                "trace_standard_error": float(layer.trace_error),
                "smallest": float(layer.smallest),
                "largest": float(layer.largest),
                "within": float(layer.residual),
            }
            for name, size, layer in _layers(model, found)
        ],
        "density": {"eigenvalue": density.grid.tolist(), "density": density.density.tolist()},
    }
    if found.plane is not None:
        values = [[each if math.isfinite(each) else None for each in row] for row in found.plane.values.tolist()]
        answer["plane"] = {"xs": found.plane.xs.tolist(), "ys": found.plane.ys.tolist(), "loss": values}
    return answer
