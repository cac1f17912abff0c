"""`jaxnn verify`: checks the library against papers, other libraries and certified answers."""

import argparse
import sys
from typing import Any

HELP = "check update rules, gradients and Hessians against papers, other libraries and certified answers"
DESCRIPTION = """\
Checks that the library computes what it claims:
  optimisers  each update rule against its paper's formula in 60 digits, against the same rule in optax,
              PyTorch, Keras and scikit-learn (known differences are tabulated), and against the smallest
              error possible in float32
  gradients   backpropagation by hand against jax.grad and finite differences
  hessian     exact Hessians against jax.hessian, finite differences and closed forms
  newton      Newton-type methods against NIST's certified regressions and published minima
  course      the numbers of a lecture course
The exit status is 1 if a check fails. A library that is not installed is listed as not checked. With --mine,
it tells you instead which published rule your own optimiser matches, and where it differs from the others."""
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
        "what",
        metavar="WHAT",
        nargs="?",
        default="all",
        help=f"what to check: {', '.join(GROUPS)}, or the name of one rule (default: all)",
    )
    parser.add_argument(
        "--against",
        metavar="LIBRARIES",
        help="libraries to compare with, separated by commas: optax, torch, keras, sklearn (default: all installed)",
    )
    parser.add_argument("--json", metavar="FILE", help="write every row as JSON here")
    parser.add_argument("--plot", metavar="FILE", help="save a picture of each library's float32 error by step here")
    parser.add_argument("--mine", metavar="MODULE:NAME", help="your own optimiser, or a function that returns it")


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
        raise ValueError("--against needs at least one library, such as --against optax,torch.")
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
        for option, given in (("--against", against), ("--plot", options.plot)):
            if given is not None:
                raise ValueError(f"{option} applies to update rules, and {what!r} checks none: leave it out.")
    cache.enable()
    if sys.stderr.isatty():
        print("comparing: `all` takes two minutes, less when repeated", file=sys.stderr)
    if what in TABLE:
        return verify.optimisers(against=against, rule=what)
    return verify.GROUPS[what](against=against) if what in ("optimisers", "all") else verify.GROUPS[what]()


def _identified(options: Any, against: list[str] | None) -> Any:
    """The table that says which rule the user's own optimiser is."""
    from jaxnn import verify
    from jaxnn.cli import cache, outputs
    from jaxnn.verify.recognition import load

    for option, given in (("--against", against), ("--plot", options.plot)):
        if given is not None:
            raise ValueError(f"--mine compares with every known rule and draws no picture: leave out {option}.")
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
