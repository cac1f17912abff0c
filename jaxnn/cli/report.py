"""Prints data, networks and results."""

import json
import math
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from jaxnn.cli.text import fact, printable, table
from jaxnn.experiments.recipe import layer_sizes
from jaxnn.problems import PROBLEMS
from jaxnn.wording import counted, listed

MOST_CLASSES = 10  # of which each is printed with its scores


def network(sizes: Sequence[int], activation: Sequence[str], problem: str | None, *, bias: bool = True) -> None:
    """Prints the layers of a network: their shapes, activations and numbers of parameters, and the total."""
    last = "identity" if problem is None else PROBLEMS[problem].output_activation
    rows, total = [], 0
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        output = k == len(sizes) - 2
        parameters = n_in * n_out + bias * n_out
        total += parameters
        rows.append(
            (
                "output" if output else f"hidden {k + 1}",
                last if output else activation[k],
                f"{n_in} × {n_out}",
                f"{parameters:,}",
            )
        )
    table(("layer", "activation", "shape", "parameters"), [*rows, ("total", "", "", f"{total:,}")], left=2)


def ensemble(model: Any) -> None:
    """Prints the networks of an ensemble: layers, share in the mean, and parameters of each."""
    total, rows, parameters = sum(model.weights), [], 0
    for k, (config, weight) in enumerate(zip(model.config["models"], model.weights, strict=True)):
        sizes, given = config["sizes"], config["activation"]
        names = given if isinstance(given, list) else [given] * (len(sizes) - 2)
        activation = names[0] if len(set(names)) == 1 else ", ".join(names)
        own = sum((n_in + config["bias"]) * n_out for n_in, n_out in pairwise(sizes))
        parameters += own
        rows.append((f"{k + 1}", "-".join(map(str, sizes)), activation, f"{weight / total:.4f}", f"{own:,}"))
    architectures = len({(layers, activation, own) for _, layers, activation, _, own in rows})
    fact("ensemble", f"{counted(len(rows), 'network')} of {counted(architectures, 'architecture')}")
    preprocessings = len({one.preprocessing for one in model.models})
    if preprocessings > 1:
        fact("preprocessing", f"{preprocessings} different ones among the networks, such as one for each fold")
    last = ("total", "", "", "", f"{parameters:,}")
    table(("network", "layers", "activation", "weight", "parameters"), [*rows, last], left=3)


def scores(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Prints metrics, one line per part or model; a dash where a part does not define a metric."""
    names = list(dict.fromkeys(name for values in rows.values() for name in values))
    cells = {
        who: [number(name, values[name]) if name in values else "–" for name in names] for who, values in rows.items()
    }
    table(("", *names), [(who, *row) for who, row in cells.items()])


def refit(outcome: Any, *, asked: bool) -> None:
    """Prints how the network was trained once more, if that was asked for."""
    if outcome.refit is not None:
        rows = len(outcome.rows.split.train) + len(outcome.rows.split.validation)
        epochs = counted(len(outcome.refit.history.loss), "epoch")
        fact("refit", f"once more for {epochs}, on the {rows:,} training and validation rows together")
        print()
    elif asked and outcome.fit.interrupted is None:
        fact("refit", "did not come to its end, so the network is that of the first training")
        print()


def classes(by_class: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Prints the recall, precision and rows of each class, if there are few; a dash where a score is not defined."""
    for part, classes_of_part in by_class.items():
        if len(classes_of_part) > MOST_CLASSES:
            return
        print()
        rows = [
            (
                name,
                *("–" if math.isnan(found[each]) else f"{found[each]:.4f}" for each in ("recall", "precision")),
                f"{found['rows']:,.6g}",
            )
            for name, found in classes_of_part.items()
        ]
        table((f"{part}, by class", "recall", "precision", "rows"), rows)


def number(name: str, value: float) -> str:
    """A metric as text: errors in the target's units to four figures, all others to four decimals."""
    return f"{value:.4g}" if name in ("RMSE", "MAE", "Poisson deviance") else f"{value:.4f}"


def inputs(preprocessing: Any) -> None:
    """Prints which columns become the network's inputs, and how."""
    kinds = {
        "number": ("number", "numbers", "standardised"),
        "boolean": ("boolean", "booleans", "0 or 1"),
        "category": ("category", "categories", "one input per value"),
        "date": ("date", "dates", "time elapsed, and points on circles"),
    }
    groups = []
    for kind, (one, many, how) in kinds.items():
        names = [column.name for column in preprocessing.columns if column.kind == kind]
        if names:
            groups.append(f"{counted(len(names), one, many)} ({how}): {listed(names)}")
    n_in = len(preprocessing.input_names)
    fact("inputs", f"{n_in:,} from {'; '.join(groups)}")


def each_column(preprocessing: Any, most: int = 100) -> None:
    """Prints what a model does with each column."""
    from jaxnn.preprocessing import described

    shown = preprocessing.columns[:most]
    rows = [
        (column.name, "left out" if not column.needed else column.kind, str(len(column.input_names)), described(column))
        for column in shown
    ]
    widths = [max(len(row[j]) for row in (("column", "read as", "inputs", ""), *rows)) for j in range(3)]
    for name, kind, count, said in (("column", "read as", "inputs", "what the model does with it"), *rows):
        print(f"{printable(name):{widths[0]}}   {kind:{widths[1]}}   {count:>{widths[2]}}   {printable(said)}")
    if len(preprocessing.columns) > most:
        print(f"and {len(preprocessing.columns) - most:,} more columns")


def target(preprocessing: Any, reason: str | None = None) -> None:
    """Prints what is predicted."""
    why = "" if reason is None else f" ({reason})"
    problem = PROBLEMS[preprocessing.problem]
    fact("problem", f"{problem.name}{why}: {problem.described(preprocessing)}")


def columns(preprocessing: Any) -> None:
    """Prints the decisions about columns where another choice was possible."""
    for note in preprocessing.notes:
        fact("note", note)


def data(source: Any, rows: Any, seed: int) -> None:
    """Prints the rows, how they were split, what is predicted, and the inputs."""
    described = "" if source.dataset is None else f": {source.dataset.description}"
    fact("data", f"{source.name}{described}")
    for remark in source.remarks:
        fact("note", remark)
    split = rows.split
    held_out = "".join(
        f", {len(getattr(split, name)):,} {word}"
        for name, word in (("validation", "to choose the best epoch"), ("test", "to test"))
        if name in rows.held_out
    )
    stratified = ", classes in equal proportions" if rows.problem.stratified and held_out else ""
    fact("rows", f"{source.n_rows:,}: {len(split.train):,} to train{held_out}{stratified} (seed {seed})")
    for note in source.notes:
        fact("note", note)
    target(rows.preprocessing, rows.reason)
    inputs(rows.preprocessing)
    columns(rows.preprocessing)
    for note in rows.notes:
        fact("warning", note)
    print()


def recipe(rows: Any, chosen: Any) -> None:
    """Prints the network and how it will be trained."""
    network(layer_sizes(chosen, rows), chosen.activations, rows.problem.name)
    print()
    dropout = f", dropout {chosen.dropout:g}" if chosen.dropout else ""
    input_dropout = f", input dropout {chosen.input_dropout:g}" if chosen.input_dropout else ""
    may_stop = chosen.patience and chosen.patience < chosen.epochs
    patience = f", early stopping after {chosen.patience} without improvement" if may_stop else ""
    if chosen.follows_curvature:
        settings = f"L2 penalty {chosen.weight_decay:g}, all {chosen.batch_size} rows in every step"
    else:
        settings = (
            f"learning rate {chosen.learning_rate:g} ({chosen.schedule}), weight decay {chosen.weight_decay:g}"
            f"{dropout}{input_dropout}, {chosen.batch_size} rows per step"
        )
    fact("training", f"{chosen.optimiser}, {settings}, at most {chosen.epochs} epochs{patience}")


def members(rows: Any, count: int) -> None:
    """Prints how many networks are trained, if there are several."""
    chosen = "the good ones, chosen on the validation rows, are averaged"
    if not len(rows.split.validation):
        chosen = "all are averaged, since there are no validation rows to choose by"
    if count:
        fact("ensemble", f"{count} networks; {chosen}")


def gain(outcome: Any) -> None:
    """Prints what an ensemble gained over its best member, on each part and in the problem's first metric."""
    if outcome.pack is None:
        return
    print()
    counts = outcome.pack.counts
    told = []
    for part, own in outcome.scores.items():
        name = outcome.rows.problem.gain
        alone = outcome.best_member[f"{part}, best member"][name]
        change = (own[name] - alone) / abs(alone) if alone else 0.0
        told.append(f"{100 * change:+.1f} % {name} on the {part} rows")
    chosen = f"{(counts > 0).sum()} of {len(counts)} networks selected"
    fact("ensemble", f"{chosen}; against the best of them alone, {listed(told)}")


def notes(fit: Any) -> None:
    """Prints the notes of the training on standard error."""
    for note in fit.notes:
        print(f"jaxnn: {printable(note)}", file=sys.stderr)


def stop(fit: Any) -> None:
    """Prints why training ended, and its notes."""
    seconds = f" ({fit.history.seconds[-1]:.1f} s)" if len(fit.history.seconds) else ""
    fact("stopped", f"{fit.stop}{seconds}")
    for note in fit.notes:
        fact("note", note)
    print()


def written(options: Any, interrupted: str | None) -> None:
    """Prints which files a run wrote, how to save the network if it wrote none, and what to do next."""
    print()
    kinds = {"out": "the model", "plot": "the picture", "history": "the history", "checkpoint": "the run"}
    paths = {what: getattr(options, name) for name, what in kinds.items() if _is_there(getattr(options, name))}
    if interrupted is not None:
        saved = [paths[what] for what in ("the model", "the run") if what in paths]
        kept = (
            f"the network trained so far is saved in {listed(saved)}" if saved else "nothing was saved: add --out FILE"
        )
        fact("interrupted", f"by {interrupted}; {kept}")
        if "the run" in paths:
            fact("continue", "run the same command with --resume")
    if paths:
        fact("wrote", ", ".join(f"{path} ({what})" for what, path in paths.items()))
    elif interrupted is None:
        fact("not saved", "add --out model.safetensors to keep the network")
    if options.out is not None:
        next_command(options.out)


def next_command(model: str) -> None:
    """Prints how to predict, with a name that stands for a new table: predictions of training rows flatter a model."""
    fact("next", f"jaxnn predict {shlex.quote(model)} new_rows.csv  # rows not trained on")


def _is_there(path: str | None) -> bool:
    """Whether something was written: a file, or a folder that is not empty."""
    return path is not None and os.path.exists(path) and not (os.path.isdir(path) and not os.listdir(path))


def about(notes: Any) -> None:
    """Prints the notes stored in a model file, as text, whatever they are."""
    if not isinstance(notes, dict) or not notes:
        fact("notes", "none" if not notes else json.dumps(notes, ensure_ascii=False))
        return
    for name, value in notes.items():
        if name == "conformal":
            fact("intervals", _intervals(value))
        elif name != "metrics":
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            fact(name.replace("_", " "), text.strip("{}").replace('"', ""))
    for part, values in _metrics(notes.get("metrics")).items():
        fact(part, ", ".join(f"{name} {number(name, value)}" for name, value in values.items()))


def _intervals(spec: Any) -> str:
    """What a model's notes say of its intervals."""
    from jaxnn import conformal

    try:
        found = conformal.from_spec(spec)
    except ValueError as error:
        return str(error)
    levels = [percent for percent, q in zip(conformal.PERCENT, found.thresholds, strict=True) if math.isfinite(q)]
    if not levels:
        return f"none: {found.rows} test rows are too few"
    return f"up to {levels[-1]} %, calibrated on {found.rows:,} test rows (jaxnn predict --interval 0.{levels[-1]})"


def _metrics(found: Any) -> dict[str, dict[str, float]]:
    """The metrics of each part; empty if the notes have another form."""
    if not isinstance(found, dict):
        return {}
    return {
        part: values
        for part, values in found.items()
        if isinstance(values, dict) and all(isinstance(value, float | int) for value in values.values())
    }
