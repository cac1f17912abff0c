"""Which published rule a user's optimiser follows: the nearest, at which hyperparameters, and where it leaves them.

The user's rule and every known one get the same gradients and the same changing learning rate. Where they part for all
hyperparameters, the question is put again in turn: at a learning rate that is a multiple of the one given; with
gradients so small that none is clipped; at a constant rate.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.types import OptimiserLike, Params, ScalarOrSchedule, Updates
from jaxnn.verify.first_order import given_gradients
from jaxnn.verify.recognition import fits
from jaxnn.verify.recognition import mine as user
from jaxnn.verify.recognition.clipping import CLIPS, least
from jaxnn.verify.recognition.fits import Case, Fit
from jaxnn.verify.recognition.known import FACTORIES, FORMS
from jaxnn.verify.recognition.mine import Mine
from jaxnn.verify.table import EQUAL, UNEQUAL, Row, Table, shown, versions

SMALL = 1e-4  # what gradients are multiplied with so that nothing clips them
FAMILIES = 3  # whose rarer forms are compared too
REFINED = 4  # forms whose hyperparameters are sought off the grid
OTHERS = 6  # rows of rules that it is not
FLOAT32 = 1e-6  # a distance that roundings in single precision may have


class Finding(NamedTuple):
    """What the user's rule was found to be near to, and what has to be said of the comparison."""

    fits: list[Fit]  # the nearest first
    ascending: bool
    rate: str = ""  # at which learning rate, if not at the one that every comparison has
    clipped: str = ""  # what is done to the gradients before
    remarks: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether the nearest is the same."""
        return self.fits[0].equal


def identify(optimiser_or_factory: Any, *, name: str = "mine") -> Table:
    """Compares a user's optimiser with every rule and preset, over 200 steps in float64.

    Args:
        optimiser_or_factory: an optimiser; or a function that makes one from a learning rate, or from nothing. A
            learning rate of its own is found too.
        name: what it is called in the table.

    Returns:
        Rows of the group "mine": the rules that it equals to 1e-12 of the way that its coordinates went, each under
        every name that has it; then the nearest others. The remarks say what it is.

    Raises:
        ValueError: it cannot be made, run or compiled, or breaks what training loops rely on; in one line.
    """
    mine = user.prepared(optimiser_or_factory, name)
    with jax.enable_x64(True):
        found = _found(mine, name)
    if found is None:
        return Table((), versions("jax"), (f"{name} takes no step at all.",))
    rows = _rows(found, name, own=mine.rate is None)
    return Table(tuple(rows), versions("jax", "optax"), tuple(_remarks(found, name, mine)))


def _found(mine: Mine, name: str) -> Finding | None:
    """What a rule is near to; None if it never moves."""
    params, grads = given_gradients.problem(0)
    made = mine.make(mine.rate)
    case = _case(made, name, params, grads, mine.rate)
    if not case.seen.any():
        return None
    found = _signed(case, free=mine.rate is None)
    if not found.equal:
        small = _case(made, name, params, jax.tree.map(lambda g: SMALL * g, grads), mine.rate)
        found = _clipped(case, _signed(small, free=mine.rate is None), grads, found)
    if not found.equal and callable(mine.rate):
        found = _at_a_constant_rate(mine, name, case, found)
    return found


def _case(made: OptimiserLike, name: str, params: Params, grads: Updates, rate: ScalarOrSchedule | None) -> Case:
    steps = range(given_gradients.STEPS)
    rates = np.array([1.0 if rate is None else float(rate(step) if callable(rate) else rate) for step in steps])
    return Case(flattened(params, 0), flattened(grads, 1), rates, flattened(user.path(made, name, params, grads), 1))


def flattened(tree: Any, leading: int) -> np.ndarray:
    """The leaves of a tree side by side, after `leading` axes."""
    return np.concatenate([leaf.reshape(*leaf.shape[:leading], -1) for leaf in jax.tree.leaves(tree)], axis=-1)


def _signed(case: Case, *, free: bool) -> Finding:
    """What a path is near to; one whose first step goes along the gradient is compared on gradients turned round."""
    ascending = bool(np.sum(case.seen[0] * case.grads[0]) > 0)
    return Finding(_search(case._replace(grads=-case.grads) if ascending else case, free), ascending)


def _search(case: Case, free: bool) -> list[Fit]:
    """Every form at its nearest common hyperparameters, the nearest few off them too; the nearest first."""
    found = _sorted(fits.nearest(form, case, free=free) for form in FORMS if form.common)
    families = list(dict.fromkeys(fit.form.family for fit in found))[: 1 if found[0].equal else FAMILIES]
    further = [form for form in FORMS if form.family in families and not form.common]
    found = _sorted([*found, *(fits.nearest(form, case, free=free) for form in further)])
    if not found[0].equal:
        starts = found if free else _sorted(fits.nearest(fit.form, case, free=True) for fit in found)
        refined = {start.form: fits.refined(start, case) for start in starts[:REFINED]}
        better = {form: fit for form, fit in refined.items() if free or fit.equal}
        found = _sorted(better.get(fit.form, fit) for fit in found)
    if not found[0].equal:
        return found
    first = fits.rounded(found[0], case)
    return _sorted([first, *(_alike(fit, first, case) for fit in found[1:])])


def _sorted(found: Iterable[Fit]) -> list[Fit]:
    return sorted(found, key=lambda fit: 0.0 if fit.equal else fit.worst)


def _alike(fit: Fit, equal: Fit, case: Case) -> Fit:
    """A form at the hyperparameters of the one that was found equal, and its defaults where that has none."""
    usual = fits.defaults(fit.form)
    same = usual | {role: value for role, value in equal.values.items() if role in usual}
    return fits.at(fit.form, same, case) if fit.form.spellings_of(same) else fit


def _at_a_constant_rate(mine: Mine, name: str, case: Case, otherwise: Finding) -> Finding:
    """What a rule is near to while the learning rate stays what it is at first; else what was found before."""
    rate = float(case.rates[0])
    try:
        constant = _case(mine.make(rate), name, *given_gradients.problem(0), rate)
    except ValueError:  # it takes schedules only
        return otherwise
    found = _signed(constant, free=True)
    if not found.equal:
        return otherwise
    if np.array_equal(constant.seen, case.seen):
        remark = f"It ignores the schedule: its rate stays at {found.fits[0].values['scale'] * rate:.6g}."
    else:
        turned = case._replace(grads=-case.grads) if found.ascending else case
        parted = fits.at(found.fits[0].form, found.fits[0].values, turned).leaves
        if not parted:  # the search missed what it is, at hyperparameters that nobody has listed
            return found._replace(fits=_sorted(fits.at(fit.form, fit.values, turned) for fit in found.fits))
        remark = f"That holds only while the learning rate is constant; at a changing one they part at step {parted}."
    return found._replace(rate=f"a constant rate of {rate:g}", remarks=(remark,))


def _clipped(case: Case, small: Finding, grads: Updates, otherwise: Finding) -> Finding:
    """What a rule that was recognised on small gradients does to large ones; else what was found before."""
    if not small.equal:
        return otherwise
    rule = small.fits[0]
    turned = case._replace(grads=-case.grads) if small.ascending else case
    if fits.at(rule.form, rule.values, turned).equal:  # recognised on small gradients only, but the same on these
        return small._replace(fits=_sorted(fits.at(fit.form, fit.values, turned) for fit in small.fits))

    def clipped(fit: Fit, how: str, size: float) -> Fit:
        cut = flattened(CLIPS[how](grads, size), 1)
        return fits.at(fit.form, fit.values, case._replace(grads=-cut if small.ascending else cut))

    def apart(how: str, size: float) -> float:
        return clipped(rule, how, size).worst

    for how in CLIPS:
        size = float(f"{least(partial(apart, how)):.10g}")
        if apart(how, size) <= fits.EQUAL:
            same = _sorted(clipped(fit, how, size) for fit in small.fits)
            return small._replace(fits=same, clipped=f"its gradients {how} to {size:g}")
    remark = f"On gradients {SMALL:g} times as large it is {_called(rule)}: it treats large ones differently."
    return otherwise._replace(remarks=(*otherwise.remarks, remark))


def _called(fit: Fit) -> str:
    name, words = fit.form.names(fit.values)[0]
    return f"{name}({', '.join(words)})"


def _rows(found: Finding, name: str, *, own: bool) -> list[Row]:
    """A row for each name of what is equal, then one for each of the nearest others."""
    others = [(fit, *fit.form.names(fit.values)[0]) for fit in _others(found.fits)]
    rows = []
    for fit, reference, words in (*_published(found.fits), *others):
        scale = f"{fit.values['scale']:.10g}"
        rate = f"rate {scale}" if own else found.rate if scale == "1" else f"{scale} × {found.rate or 'the rate'}"
        conditions = [rate, found.clipped, "ascending" if found.ascending else ""]
        mapping = ", ".join(filter(None, [*(words or ["its defaults"]), *conditions]))
        verdict, why = (EQUAL, "") if fit.equal else (UNEQUAL, _parting(fit))
        rows.append(Row("mine", name, reference, mapping, given_gradients.STEPS, fit.worst, "", verdict, why))
    return rows


def _published(found: list[Fit]) -> list[tuple[Fit, str, list[str]]]:
    """What is equal under each of its names, with the arguments; the shortest first.

    Of each library what takes the fewest arguments: Adam is AdamW without decay, but nobody would say so.
    """
    equal = [(fit, *each) for fit in found if fit.equal for each in fit.form.names(fit.values)]
    fewest: dict[str, int] = {}
    for _, reference, words in equal:
        library = reference.rpartition(".")[0]
        fewest[library] = min(len(words), fewest.get(library, len(words)))
    equal = [each for each in equal if len(each[2]) == fewest[each[1].rpartition(".")[0]]]
    return sorted(equal, key=lambda each: (len(each[2]), list(FACTORIES).index(each[1])))


def _others(found: list[Fit]) -> list[Fit]:
    """The nearest of what is not equal, half of them of the family of the first: its other conventions."""
    others = [fit for fit in found if not fit.equal]
    kin = [fit for fit in others if fit.form.family == found[0].form.family][: OTHERS // 2]
    return sorted([*kin, *[fit for fit in others if fit not in kin][: OTHERS - len(kin)]], key=lambda fit: fit.worst)


def _parting(fit: Fit) -> str:
    before = f"equal for {fit.leaves - 1} step{'s' * (fit.leaves > 2)}, " if fit.leaves > 1 else ""
    return f"{before}differs from step {fit.leaves} on (by {shown(float(fit.apart[fit.leaves - 1]))} there)"


def _remarks(found: Finding, name: str, mine: Mine) -> Iterable[str]:
    """The conclusions from the rows, in sentences."""
    changing = callable(mine.rate) and not found.rate
    if found.equal:
        fit, reference, words = _published(found.fits)[0]
        rate = found.rate or ("a changing rate" if changing else "a constant rate")
        rule = f"{reference}({', '.join(words)})" + (f", {found.clipped}," if found.clipped else "")
        yield f"{name} is {rule} to within {shown(fit.worst)} over {given_gradients.STEPS} steps at {rate}."
        yield from _peculiar(fit, own=mine.rate is None, changing=changing)
    else:
        fit = found.fits[0]
        yield f"No known rule: the nearest to {name} is {_called(fit)}, {shown(fit.worst)} away; {_parting(fit)}."
        if fit.worst < FLOAT32:
            yield "The difference is so small that it may be the same rule in single precision."
    if found.ascending:
        yield "It ascends: its steps follow the gradient instead of opposing it."
    if mine.rate is not None and not callable(mine.rate):
        yield "It accepts no schedule, so it was compared at a constant learning rate."
    yield from found.remarks


def _peculiar(fit: Fit, *, own: bool, changing: bool) -> Iterable[str]:
    """What a rule does that its reader may not know of."""
    scale, base = fit.values["scale"], fit.form.spellings[0]
    if own:
        yield f"Its own learning rate is {scale:.10g}."
    elif scale != 1:
        yield f"Its effective learning rate is {scale:.10g} times the one given."
    if fit.values.get("momentum"):
        inside = base.flags.get("learning_rate_inside", True)
        yield (
            f"The learning rate is {'inside' if inside else 'outside'} its velocity."
            if changing
            else "At a constant rate, a learning rate inside the velocity cannot be distinguished from one outside."
        )
    if fit.values.get("decoupled"):
        yield "Its weight decay is decoupled: each step subtracts ηλθ from the parameters."
    elif fit.values.get("l2") and base.name != "sgd":
        yield "Its weight decay is L2: λθ is added to the gradient."
