"""First order against what is known: update rules, and the gradients that they follow.

oracles           each rule once more, straight from its paper
exact             our rules in double precision against the oracles in 60 digits
twins, spaces     the table of twins in other libraries, and what their hyperparameters are drawn from
libraries         how other libraries are driven along given gradients
accuracy          rounding errors in float32 and bfloat16, ours and theirs, and the best possible
given_gradients   the gradients and the learning rate that all of these follow
networks          gradients of networks: backpropagation by hand, activations, losses
"""

from jaxnn import checks
from jaxnn.optimisers import TABLE
from jaxnn.verify.first_order import accuracy, exact, networks, twins
from jaxnn.verify.first_order.libraries import versions as library_versions
from jaxnn.verify.table import Table, versions


def optimisers(libraries: tuple[str, ...], rule: str | None = None) -> Table:
    """Every row of the groups "oracle", "twins" and "accuracy".

    Args:
        libraries: the ones to compare with; rows of those that are not installed are listed as not checked.
        rule: jaxnn's name of a rule, to check only that one.

    Raises:
        ValueError: the rule is unknown; the known ones are listed.
    """
    if rule is not None:
        checks.one_of(rule, TABLE, "rule")
    formulae = exact.check([variant for variant in exact.VARIANTS if rule in (None, variant.rule)])
    pairs = twins.check(libraries, [twin for twin in twins.TWINS if rule in (None, twin.rule)])
    errors = accuracy.measure(libraries, rule)
    found = {**versions("jax", "numpy", "mpmath"), **library_versions(libraries)}
    curves = accuracy.curves(errors["float32"])
    return formulae + Table((*pairs, *accuracy.check(errors)), found, (accuracy.LEGEND,), curves)


def gradients() -> Table:
    """Every row of the group "gradients", in float64 whatever the caller computes in."""
    return networks.check()
