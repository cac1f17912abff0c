"""`jaxnn curvature`: the Hessian's spectrum and the loss around a saved model's parameters, on the rows of a table."""

import argparse
import json
import math
import os
import sys
from itertools import pairwise
from typing import Any, NamedTuple

from jaxnn.cli import arguments

HELP = "compute the eigenvalues of the Hessian of a saved model's loss"
DESCRIPTION = """\
Computes the spectrum of the Hessian at a saved model's parameters, in double precision and without
forming the matrix: gradient norm, trace, largest and smallest eigenvalues with error bounds, condition
number, fraction of negative eigenvalues, and the trace and eigenvalues of each layer. The loss is the
mean over the rows of the softmax cross-entropy (classes) or of the squared error of the standardised
target (numbers); weight decay and row weights are left out."""
EXAMPLE = """\
examples:
  jaxnn curvature digits.safetensors digits
  jaxnn curvature stroke.safetensors patients.csv --plot curvature.png --json curvature.json"""

PROBES, STEPS, POINTS, SIDE = 10, 80, 1024, 41
TRACE_PRODUCTS = 90
COPIES = 4  # of Lanczos' basis during a restart; of the rows' hidden units during a product


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn curvature`."""
    parser.add_argument("model", metavar="MODEL", help="file written by `jaxnn train --out`")
    parser.add_argument("data", metavar="DATA", help="table with the target column, or a data set")
    parser.add_argument(
        "--rows", type=arguments.whole(1), metavar="N", help="use at most N rows, drawn at random (see --seed)"
    )
    parser.add_argument(
        "--eigenvalues",
        type=arguments.whole(1, 100),
        default=3,
        metavar="K",
        help="compute the K largest and the K smallest eigenvalues (default: 3)",
    )
    parser.add_argument(
        "--density", action="store_true", help="also print the fraction of eigenvalues in each power of ten"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="save a picture of the spectrum and of the loss around the parameters here"
    )
    parser.add_argument(
        "--directions",
        type=arguments.name_from(("random", "eigen"), "kind of directions"),
        default="random",
        metavar="KIND",
        help="directions along which --plot shows the loss: random (scaled to the size of each unit's weights), or "
        "eigen (the two eigenvectors of largest curvature) (default: random)",
    )
    parser.add_argument(
        "--extent",
        type=arguments.positive,
        default=1.0,
        metavar="X",
        help="distance shown along each direction, on both sides (default: 1)",
    )
    parser.add_argument("--json", metavar="FILE", help="write every number as JSON here")
    arguments.add_seed(parser)


class _Measured(NamedTuple):
    """Everything that is printed, written and drawn."""

    loss: Any
    gradient_norm: Any
    trace: Any
    pairs: Any  # smallest, largest, second smallest, second largest, …
    condition: Any  # infinite if the Hessian is not positive definite
    density: Any
    layers: Any
    plane: Any  # None without --plot


def run(options: Any) -> int:
    """Loads, computes, prints, writes and draws; returns the exit status."""
    import jax

    from jaxnn import experiments, files, plots, training
    from jaxnn.cli import cache, outputs
    from jaxnn.wording import counted

    outputs.check(options, reads={"MODEL": options.model, "DATA": options.data})
    with jax.enable_x64(True):  # small eigenvalues are differences of large numbers
        model = training.load(options.model)
        if isinstance(model, training.Ensemble):
            raise ValueError(
                f"{options.model} holds an ensemble of {counted(len(model.models), 'network')}; curvature takes one:"
                " write one of its models to a file of its own with training.save, and give that."
            )
        if model.preprocessing is None:
            raise ValueError(
                f"{options.model} was saved without preprocessing, so it cannot read raw tables: train the model with"
                " `jaxnn train`, or save it together with its preprocessing."
            )
        rows = experiments.source_for(options.data, model.preprocessing)
        x, y = _batch(model.preprocessing, rows, options)
        _check_memory(model.config["sizes"], len(x), options.eigenvalues)
        cache.enable()
        if sys.stderr.isatty():
            print("computing: about half a minute for 5,000 parameters, less when repeated", file=sys.stderr)
        found = _measure(model, x, y, options)
        _print(options, model, len(x), found)
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
        has = "no such column" if rows.dataset is None else f"the target {rows.dataset.target_name!r} instead"
        raise ValueError(
            f"The loss needs {fitted.target_name!r}, the target of {options.model}, but {options.data!r} has {has}:"
            " give a table with that column."
        )
    x, y = np.asarray(fitted.inputs(rows.rows), np.float64), np.asarray(fitted.targets(truth))
    if options.rows is not None and options.rows < len(x):
        chosen = np.sort(np.random.default_rng(options.seed).choice(len(x), options.rows, replace=False))
        x, y = x[chosen], y[chosen]
    return x, PROBLEMS[fitted.problem].as_targets(y, np.float64)


def _check_memory(sizes: Any, rows: int, eigenvalues: int) -> None:
    """Refuses a computation that does not fit into this machine's memory.

    Raises:
        ValueError: the vectors, or the hidden units of all rows, would take more than half of the memory.
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
            f" of this machine's {in_words(memory)}: use a smaller model or a machine with more memory."
        )
    units = 8 * rows * sum(sizes) * AT_ONCE * COPIES
    if units > memory / 2:
        raise ValueError(
            f"{rows:,} rows need about {in_words(units)} for their hidden units, more than half of this machine's"
            f" {in_words(memory)}: give --rows {max(1, int(rows * memory / 2 / units))}."
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
            f"The loss of {options.model} on {options.data}, or its gradient, is not finite, so there is no curvature"
            " to compute: check the model and the values in the table."
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


def _print(options: Any, model: Any, rows: int, found: _Measured) -> None:
    """Prints the numbers."""
    from jaxnn.cli.text import fact, table
    from jaxnn.experiments import PROBLEMS
    from jaxnn.wording import counted

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
        fact("sharpness", f"{largest:.6g}: gradient descent diverges at learning rates above {2 / largest:.3g}")
    definite = math.isfinite(found.condition)
    fact(
        "condition", f"{float(found.condition):.4g}" if definite else "undefined: the Hessian is not positive definite"
    )
    share = float(found.density.negative_share())
    fact("negative", f"{100 * share:.1f} % of the eigenvalues (estimated with {PROBES} random vectors)")
    print()
    table(("eigenvalue", "", "error ≤"), [*_extremes(found.pairs)], left=1)
    print()
    heads = ("layer", "parameters", "trace", "smallest", "largest")
    layers = [
        (name, f"{size:,}", *(f"{float(v):.4g}" for v in (layer.trace, layer.smallest, layer.largest)))
        for name, size, layer in _layers(model, found)
    ]
    table(heads, layers)
    if options.density:
        print()
        table(("eigenvalues", "fraction"), [*_decades(found.density)])


def _extremes(pairs: Any) -> Any:
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
    """Rows of the table of fractions, by decades below the largest magnitude, the most negative first."""
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
    """Every number, in JSON's types; null for an undefined condition number."""
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
