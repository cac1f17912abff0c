"""`jaxnn verify`: does it do what it says, line by line."""

import argparse
import sys
from typing import Any

HELP = "compare update rules, gradients and Hessians with papers, other libraries and certified answers"
DESCRIPTION = """\
Compares each update rule with its paper's formula in 60 digits, with its twins in optax, PyTorch, Keras and
scikit-learn (equal, or unequal by a tabulated size), and with the best that float32 allows; gradients by hand
with jax.grad and differences; exact Hessians with jax.hessian, differences and closed forms; Newton's family
with the certified answers of NIST's regressions and with published minima; and the numbers of a lecture
course. Exit status 1 if a check fails. A library that is not installed is listed as not checked. With --mine
it says instead which published rule an optimiser of your own is, and where it leaves the others."""
EXAMPLE = """\
examples:
  jaxnn verify adam
  jaxnn verify newton
  jaxnn verify all --json verified.json --plot float32.png
  jaxnn verify optimisers --against optax,torch
  jaxnn verify optimisers --mine package.module:factory"""
GROUPS = ("optimisers", "gradients", "hessian", "newton", "course", "all")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `jaxnn verify`."""
    parser.add_argument(
        "what", metavar="WHAT", nargs="?", default="all", help=f"{', '.join(GROUPS)}, or one rule's name (default: all)"
    )
    parser.add_argument(
        "--against",
        metavar="LIBRARIES",
        help="libraries to compare with, separated by commas: optax, torch, keras, sklearn (those installed)",
    )
    parser.add_argument("--json", metavar="FILE", help="where to write every row as JSON")
    parser.add_argument("--plot", metavar="FILE", help="where to draw the error in float32 of each library, by step")
    parser.add_argument("--mine", metavar="MODULE:NAME", help="an optimiser of your own, or a function that makes one")


def run(options: Any) -> int:
    """Checks, prints and writes; returns the exit status."""
    from jaxnn.cli import outputs

    outputs.check(options)
    against = _named(options.against)
    table = _verified(options, against) if options.mine is None else _identified(options, against)
    print(table)
    if options.json is not None:
        table.to_json(options.json)
        print(f"wrote {options.json}")
    if options.plot is not None:
        _draw(table, options.plot)
    return 0 if table.ok else 1


def _named(against: str | None) -> list[str] | None:
    """The libraries of `--against`."""
    if against is None:
        return None
    names = [name.strip() for name in against.split(",") if name.strip()]
    if not names:
        raise ValueError("--against needs at least one library, as in --against optax,torch.")
    return names


def _verified(options: Any, against: list[str] | None) -> Any:
    """The table of a group, or of one rule."""
    from jaxnn import verify
    from jaxnn.checks import one_of
    from jaxnn.cli import cache
    from jaxnn.optimisers import TABLE

    what = options.what
    one_of(what, {**verify.GROUPS, **TABLE}, "group or rule")
    if what in ("gradients", "hessian", "newton", "course"):
        for word, given in (("--against", against), ("--plot", options.plot)):
            if given is not None:
                raise ValueError(f"{word} is about update rules, and {what!r} has none: leave it out.")
    cache.enable()
    if sys.stderr.isatty():
        print("comparing; `all` takes two minutes, less the second time", file=sys.stderr)
    if what in TABLE:
        return verify.optimisers(against=against, rule=what)
    return verify.GROUPS[what](against=against) if what in ("optimisers", "all") else verify.GROUPS[what]()


def _identified(options: Any, against: list[str] | None) -> Any:
    """What the user's own optimiser is."""
    from jaxnn import verify
    from jaxnn.cli import cache, outputs
    from jaxnn.verify.recognition import load

    for word, given in (("--against", against), ("--plot", options.plot)):
        if given is not None:
            raise ValueError(f"--mine compares with every known rule and draws nothing: leave out {word}.")
    if options.what not in ("all", "optimisers"):
        raise ValueError(f"--mine compares with every known rule: leave out {options.what!r}.")
    mine = load(options.mine)
    source = getattr(sys.modules.get(options.mine.partition(":")[0]), "__file__", None)
    outputs.check(options, reads={"--mine": source} if source else {})
    cache.enable()
    return verify.identify(mine, name=options.mine.partition(":")[2])


def _draw(table: Any, path: str) -> None:
    """The picture of float32 errors."""
    from jaxnn import plots

    plots.save(plots.ulp_errors(table.curves), path)
    print(f"wrote {path}")
