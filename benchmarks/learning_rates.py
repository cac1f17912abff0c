"""How good the learning rate is that a range test suggests, beside the best of a grid and the default.

    python -m benchmarks.learning_rates

prints the table of `docs/learning_rate.md`. For each data set, optimiser and seed (which decides split, initial
parameters and the order of rows): a range test, then training with `jaxnn train`'s recipe for a fixed number of epochs
at its suggestion, at each rate of a grid, and at the default rate. The score is the validation loss of the best epoch,
infinite for a run that diverged and was continued at a lower rate. Of these scores the median over the seeds is taken,
at every rate; where a test suggests nothing, over the other seeds.
"""

import argparse

import jax
import numpy as np

from jaxnn import experiments, optimisers, training
from jaxnn.experiments.network import network
from jaxnn.experiments.rates import factory

GRID = 10 ** np.arange(-4, 0.6, 0.5)
EPOCHS = {"digits": 20, "breast_cancer": 60, "diabetes": 60, "spirals": 60}
OPTIMISERS = ("sgd", "momentum", "adam", "adamw")


def scores(name: str, optimiser: str, seed: int, steps: int) -> tuple[float, np.ndarray]:
    """The suggestion, and the scores at the suggestion, the default and the rates of the grid."""
    found = experiments.learning_rates(name, {"optimiser": optimiser}, seed=seed, steps=steps)
    rows, recipe = found.rows, found.recipe
    suggestion = found.test.suggestion
    rates = [recipe.learning_rate if np.isnan(suggestion) else suggestion, recipe.learning_rate, *GRID.tolist()]
    made = network(rows, recipe, seed=seed)
    fitted = training.fit_ensemble(
        made.objective,
        optimisers.stack(factory(recipe), learning_rate=rates),
        jax.tree.map(lambda leaf: np.stack([np.asarray(leaf)] * len(rates)), made.params),
        rows.batch(rows.split.train),
        validation=rows.batch(rows.split.validation),
        epochs=EPOCHS[name],
        batch_size=recipe.batch_size,
        key=jax.numpy.stack([made.key] * len(rates)),
        progress=False,
    )
    found_scores = np.array([np.inf if m.notes else m.best_score for m in fitted.members])
    found_scores[0] += 0 * suggestion  # nan where there is none
    return suggestion, found_scores


def main() -> None:
    """Prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="number of seeds (default: 10)")
    parser.add_argument("--data", nargs="+", default=list(EPOCHS), choices=EPOCHS, metavar="NAME", help="data sets")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="steps of each test (default: 200)")
    options = parser.parse_args()
    print("| data | optimiser | suggestions | best of the grid | its loss | at the suggestion | at the default |")
    print("|---|---|---|---|---|---|---|")
    for name in options.data:
        for optimiser in OPTIMISERS:
            runs = [scores(name, optimiser, seed, options.steps) for seed in range(options.seeds)]
            rates, losses = [rate for rate, _ in runs], np.array([losses for _, losses in runs])
            suggested, (default, *grid) = np.nanmedian(losses[:, 0]), np.median(losses[:, 1:], axis=0)
            best, none = int(np.argmin(grid)), int(np.isnan(rates).sum())
            spread = f"{np.nanmin(rates):.2g} to {np.nanmax(rates):.2g}" + (f", none for {none}" if none else "")
            ratios = f"× {suggested / grid[best]:.2f} | × {default / grid[best]:.2f}"
            print(f"| {name} | {optimiser} | {spread} | {GRID[best]:.2g} | {grid[best]:.3g} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
