"""Mutation: one term of a rule is changed at a time, and something in the suite must notice.

    python -m tests.mutation [rule ...]

Every formula of `jaxnn/optimisers/first_order/` is rewritten in every way that `variations` knows: a sign dropped or
turned, a factor, a divisor or a term left out, an exponent changed, ε moved into the root or out of it, a decay rate
taken for another, a clamp removed. The mutant runs in place of the rule, against the oracles in 60 digits
(`jaxnn.verify.first_order.exact`) and then the laws (`tests.laws`). A mutant that nothing notices is either a hole in
the suite or the same function in other words; the latter are listed in `SAME`, each with its reason. The checks of
arguments have tests of their own and are left as they are.

The exit status is 1 if a survivor is not in `SAME`, or if `SAME` names one that is killed or no longer made.
"""

import ast
import copy
import functools
import inspect
import itertools
import multiprocessing
import sys
import time
import types
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from mpmath import mp, mpf

from jaxnn import optimisers
from jaxnn.verify.first_order import exact, given_gradients
from tests import laws

FOLDER = Path(optimisers.__file__).parent / "first_order"
SHARED = {  # by several rules: file -> those that together use all that is in it
    "gradients": ("sgd", "adamw", "lion", "rmsprop"),
    "velocities": ("momentum", "nesterov", "rmsprop"),
}
FILES = (*optimisers.TABLE, *SHARED)
SOON, LATER = 8, 60  # steps; most mutants are noticed soon, and those are not followed any further
IN_FLOAT32 = 1e-5  # what is said to happen in float32 alone must be the formula too; roundings come to 1e-6 there
UNDEFINED = "names what is not there"  # no program: not counted


class Mutant(NamedTuple):
    """A file with one change."""

    file: str  # a rule, or one that is shared
    line: int
    before: str  # the line as it stands
    after: str
    source: str  # the whole file, changed

    def __str__(self):
        return f"{self.file}:{self.line}\n    - {self.before}\n    + {self.after}"


# --- What is changed


def expression(text):
    return ast.parse(text, mode="eval").body


def call(function, *arguments):
    return ast.Call(expression(function), list(arguments), [])


INSTEAD = {  # names for which the other is taken
    "b1": ("b2",),
    "b2": ("b1",),
    "c1": ("c2",),
    "c2": ("c1",),
    "now": ("following",),
    "following": ("now",),
    "here": ("ahead",),
    "ahead": ("here",),
    "inside": ("outside",),
    "outside": ("inside",),
    "inner": ("outer",),
    "outer": ("inner",),
    "before": ("after",),
    "after": ("before",),
    "mu": ("nu",),
    "nu": ("mu",),
    "m_hat": ("m",),
    "m": ("g", "v"),
    "v": ("m", "g"),
    "r": ("g",),
    "g": ("m", "v", "r"),
    "eta": ("1",),
    "fresh": ("1",),
    "eps": ("0.0", "eps_root"),
    "epsilon": ("eps", "0.0"),
    "eps_root": ("0.0", "eps"),
    "t": ("(t + 1)",),
    "weight_decay": ("(-weight_decay if maximise else weight_decay)",),  # the penalty before the sign
}
FIRST = {  # functions that may be left out: their first argument alone
    *("numerics.sqrt", "tree.widen", "tree.increment", "tree.real", "tree.cast_like"),
    *("jnp.abs", "jnp.sign", "jnp.exp", "jnp.expm1", "jnp.log", "jnp.sqrt", "decayed", "reversed"),
}
TURNED = {ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,)}
COMPARED = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


def variations(node):
    """What an expression is changed to."""
    match node:
        case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
            yield base
            yield ast.BinOp(base, ast.Pow(), ast.Constant(3))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            for other in TURNED[type(node.op)]:
                yield ast.BinOp(left, other(), right)
            yield left
            yield ast.UnaryOp(ast.USub(), right) if isinstance(node.op, ast.Sub) else right
            if isinstance(node.op, ast.Add) and is_call(left, "numerics.sqrt"):
                yield call("numerics.sqrt", ast.BinOp(left.args[0], ast.Add(), right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for other in COMPARED.get(type(op), ()):
                yield ast.Compare(left, [other()], [right])
        case ast.BoolOp(values=values):
            yield from values
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield from (body, orelse, ast.IfExp(test, orelse, body))
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(node.value + 1 if node.value < 10 else 2 * node.value)
        case ast.Constant(value=float()):
            yield ast.Constant(round(node.value * 1.2 or 0.1, 6))
        case ast.Name(id=name, ctx=ast.Load()):
            yield from map(expression, INSTEAD.get(name, ()))
        case ast.Attribute(attr="step"):
            yield ast.BinOp(node, ast.Add(), ast.Constant(1))
        case ast.Call():
            yield from other_calls(ast.unparse(node.func), node)


def other_calls(function, node):
    arguments = node.args
    if function in FIRST:
        yield arguments[0]
    if function == "numerics.sqrt":
        yield call("jnp.sqrt", *arguments)
        if isinstance(arguments[0], ast.BinOp) and isinstance(arguments[0].op, ast.Add):
            yield ast.BinOp(call("numerics.sqrt", arguments[0].left), ast.Add(), arguments[0].right)
    if function == "numerics.ratio":
        yield ast.BinOp(arguments[0], ast.Div(), arguments[1])
        yield call("numerics.ratio", *arguments[::-1])
        yield arguments[0]
    if function == "numerics.one_minus_power":
        yield ast.Constant(1.0)
    if function == "tree.zeros":
        yield call("tree.full", *arguments, ast.Constant(1.0))
    if function == "tree.full":
        yield call("tree.zeros", arguments[0])
    if function == "jnp.zeros":
        yield call("jnp.ones", *arguments)
    if function in ("jnp.maximum", "jnp.minimum"):
        yield call("jnp.minimum" if function == "jnp.maximum" else "jnp.maximum", *arguments)
        yield from arguments
    if function == "jnp.where":
        condition, chosen, otherwise = arguments
        yield from (chosen, otherwise, call("jnp.where", condition, otherwise, chosen))
    if function == "decayed":  # the decay after the step, and not of the parameters it started from
        yield call("decayed", arguments[0], call("tree.add", arguments[1], arguments[0]), *arguments[2:])
    if function.endswith(".astype"):
        yield node.func.value


def is_call(node, function):
    return isinstance(node, ast.Call) and ast.unparse(node.func) == function


def expressions(body):
    """The expressions of a file's formulae: of all statements but argument checks, definitions and imports."""
    for statement in body:
        match statement:
            case ast.FunctionDef():
                yield from expressions(statement.body)
            case ast.If(body=[ast.Raise()]) | ast.Expr(value=ast.Call()):  # argument checks
                continue
            case ast.If():
                yield statement.test
                yield from expressions([*statement.body, *statement.orelse])
            case ast.Return(value=value) | ast.Assign(value=value) | ast.AnnAssign(value=value):
                yield value


def mutants(file, source=None) -> Iterator[Mutant]:
    """Every change of one file, each once."""
    source = (FOLDER / f"{file}.py").read_text(encoding="utf-8") if source is None else source
    seen = {ast.dump(ast.parse(source))}
    for root in expressions(ast.parse(source).body):
        left_alone = set(untold(root))
        for node in ast.walk(root):
            if isinstance(node, ast.expr) and node not in left_alone:
                for other in variations(node):
                    made = changed(file, source, node, other)
                    program = ast.dump(ast.parse(made.source))
                    if program not in seen:
                        seen.add(program)
                        yield made


def untold(root):
    """The expressions of which nothing but a type is used: all arrays in a rule have one dtype, and all λ one kind."""
    for node in ast.walk(root):
        if isinstance(node, ast.Attribute) and node.attr == "dtype":
            yield node.value
        if is_call(node, "is_zero"):
            yield from node.args


def changed(file, source, node, other) -> Mutant:
    """The file with one expression written as another, in parentheses where it needs them."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(other)))

    def written(text):
        return (source.encode()[:start] + text.encode() + source.encode()[end:]).decode()

    bare, safe = written(text), written(f"({text})")
    result = bare if ast.dump(ast.parse(bare)) == ast.dump(ast.parse(safe)) else safe
    before = source.splitlines()[node.lineno - 1 : node.end_lineno]
    after = result.splitlines()[node.lineno - 1 : node.end_lineno + result.count("\n") - source.count("\n")]
    return Mutant(file, node.lineno, one_line(before), one_line(after), result)


def one_line(lines):
    return " ".join(line.strip() for line in lines)


# --- What notices


def factories(mutant):
    """The rules that a mutant changes: name -> factory. All other modules are as they are."""
    module = loaded(mutant.file, mutant.source)
    if mutant.file not in SHARED:
        return {mutant.file: getattr(module, mutant.file)}
    with (
        mock.patch.dict(sys.modules, {module.__name__: module}),
        mock.patch.object(optimisers.first_order, mutant.file, module),  # `from package import module` asks the package
    ):
        sources = {rule: (FOLDER / f"{rule}.py").read_text(encoding="utf-8") for rule in SHARED[mutant.file]}
        return {rule: getattr(loaded(rule, source), rule) for rule, source in sources.items()}


def loaded(file, source):
    module = types.ModuleType(f"jaxnn.optimisers.first_order.{file}")
    exec(compile(source, f"{file}.py, changed", "exec"), module.__dict__)
    return module


@functools.cache
def expected(rule, steps, dtype):
    """(keywords, the path by the formula) of each variant of a rule."""
    theta, gradients = problem(steps, dtype)
    chosen = [variant.keywords for variant in exact.VARIANTS if variant.rule == rule]
    return [(keywords, exact.truth(rule, keywords, theta, gradients)) for keywords in chosen]


def problem(steps, dtype):
    theta, gradients = exact.problem(0, LATER)
    return theta.astype(dtype), gradients[:steps].astype(dtype)


def by_the_oracle(rule, factory, steps, dtype=np.float64):
    """The variant in which a rule leaves its formula; "" if none."""
    at_most = exact.AT_MOST if dtype == np.float64 else IN_FLOAT32
    for keywords, truth in expected(rule, steps, dtype):
        how = ", ".join(f"{name}={value}" for name, value in keywords.items()) or "defaults"
        with jax.enable_x64(dtype == np.float64):
            path = eager(factory(given_gradients.rate, **keywords), *problem(steps, dtype))
        apart = given_gradients.differences(path, truth)
        if not apart.max() <= at_most:
            first = 1 + np.argmax(~(apart <= at_most))
            return f"oracle, {dtype.__name__}, {how}: {apart.max():.1g} at step {first}"
    return ""


def eager(optimiser, theta, gradients):
    """The parameters after each step, not compiled: over so few steps that takes less time than compiling."""
    theta = jnp.asarray(theta)
    state, path = optimiser.init(theta), []
    for g in jnp.asarray(gradients):
        updates, state = optimiser.update(g, state, theta)
        theta = theta + updates
        path.append(theta)
    return np.stack(path)


def runs_without_parameters(make):
    """Where nothing decays a loop need not send them."""
    optimiser = make(1e-2, weight_decay=0.0)
    optimiser.update(jnp.ones(2), optimiser.init(jnp.ones(2)))


def takes_traced_hyperparameters(make):
    """Those that may be arrays, each alone and all at once; an array is never known to be 0."""
    parameters = inspect.signature(make).parameters.values()
    given = {p.name: p.default for p in parameters if isinstance(p.default, float) and p.annotation is Any}
    p = laws.params()
    g = laws.at(laws.gradients(p), 0)

    def update(given):
        optimiser = make(0.5, **given)
        return optimiser.update(g, optimiser.init(p), p)[0]

    for name, value in given.items():
        jax.eval_shape(update, {name: value})
    laws.close(jax.jit(update)(given), update(given), 1e-5)


def is_differentiable_at_no_momentum(make):
    """By β₁ at 0, against one-sided differences of four steps, to their own truncation."""
    if "b1" not in inspect.signature(make).parameters:
        return
    theta, gradients = problem(4, np.float64)
    with jax.enable_x64(True):
        end = jax.jit(lambda b1: jnp.sum(laws.scanned(make(0.1, b1=b1), theta, gradients)[0]))
        h = 1e-5
        difference = (4 * end(h) - end(2 * h) - 3 * end(0.0)) / (2 * h)
        np.testing.assert_allclose(jax.grad(end)(0.0), difference, rtol=1e-5, atol=1e-9)


def promotes_strictly_under_x64(make):
    """Float32 parameters where the default float is wider."""
    with jax.enable_x64(True):
        laws.strict_promotion_passes(make, jnp.float32)


def training_is_differentiable(make):
    """Through steps whose other branch has no value, too."""
    with jax.enable_x64(True):
        laws.training_is_differentiable(make)


def keeps_dtypes_at_a_wide_rate(make):
    """A float64 array for the rate of float32 parameters widens nothing."""
    with jax.enable_x64(True):
        laws.structure_and_dtypes_are_kept(lambda rate: make(jnp.asarray(rate, jnp.float64)), jnp.float32)


HERE = {
    "runs without parameters": runs_without_parameters,
    "takes traced hyperparameters": takes_traced_hyperparameters,
    "keeps dtypes at a wide rate": keeps_dtypes_at_a_wide_rate,
    "is differentiable at no momentum": is_differentiable_at_no_momentum,
}
LAWS = HERE | {
    "structure and dtypes, float16": partial(laws.structure_and_dtypes_are_kept, dtype=jnp.float16),
    "structure and dtypes, float32": partial(laws.structure_and_dtypes_are_kept, dtype=jnp.float32),
    "strict promotion, bfloat16": partial(laws.strict_promotion_passes, dtype=jnp.bfloat16),
    "strict promotion, float32 under x64": promotes_strictly_under_x64,
    "a zero gradient is no step": laws.a_zero_gradient_is_no_step,
    "derivatives at a zero gradient": laws.derivatives_at_a_zero_gradient_are_finite,
    "extremes": laws.extremes_stay_finite,
    "spike": laws.a_spike_is_survived,
    "training is differentiable": training_is_differentiable,
}
CONFIGURATIONS = {  # in which the laws are tried: the least that reaches every branch
    "sgd": ({}, {"weight_decay": 0.1}),
    "momentum": ({}, {"learning_rate_inside": False}),
    "nesterov": ({}, {"learning_rate_inside": False}),
    "adagrad": ({}, {"eps": 0.0}, {"eps": 0.0, "eps_inside": True}),
    "rmsprop": (
        {"eps": 0.0},
        {"eps": 0.0, "eps_inside": False},
        {"centred": True, "momentum": 0.9, "learning_rate_inside": False},
        {"centred": True, "bias_correction": True, "momentum": 0.9, "eps": 1e-2},
    ),
    "adam": ({}, {"eps": 0.0}),
    "adamw": ({}, {"weight_decay": 0.0}),
    "adamax": ({}, {"eps": 0.0}, {"eps_inside": False}),
    "amsgrad": ({}, {"eps": 0.0}, {"eps": 0.0, "maximum": "paper"}),
    "nadam": ({}, {"eps": 0.0}, {"b1": 0.0}),
    "radam": ({}, {"eps": 0.0}),
    "lion": ({}, {"weight_decay": 0.1}),
}


def by_a_law(rule, factory):
    """The first law that a rule breaks, and how; "" if none."""
    for name, law in LAWS.items():
        still = {"weight_decay": 0.0} if name == "a zero gradient is no step" else {}
        for keywords in CONFIGURATIONS.get(rule, ({},)):
            try:
                law(partial(factory, **(keywords | still)))
            except Exception as error:
                return f"law, {name}: {type(error).__name__}"
    return ""


def in_advance(rule, factory):
    """What a rule computes in Python, against 60 digits: how it is wrong; "" if it is not. Few steps would show it."""
    if rule != "radam":
        return ""
    with mp.workdps(exact.DIGITS):
        wrong = max(_series(inspect.unwrap(factory).__globals__))
    return f"computed in advance: {float(wrong):.1g}" if wrong > 1e-14 else ""


def _series(names):
    """RAdam's s(x) = coth(x/2) - 2/x, up to where it is used; half its last coefficient is 2e-14 there."""
    return (abs(names["_series"](x) / (mp.coth(mpf(x) / 2) - 2 / mpf(x)) - 1) for x in (1e-5, 0.01, 0.1, 0.3, 0.5))


def step_by_step(rule, factory):
    """RAdam's steps one by one in float32: the adaptive ones are so small beside the first that a path hides them."""
    if rule != "radam":
        return ""
    keywords, gradients = {"b1": 0.0, "b2": 0.9999, "eps": 0.0}, np.ones((20, 1), np.float32)
    truth = np.diff(exact.truth(rule, keywords, np.zeros(1), gradients), axis=0, prepend=0.0)
    optimiser = factory(given_gradients.rate, **keywords)
    state, apart = optimiser.init(gradients[0]), []
    for g, step in zip(gradients, truth, strict=True):
        updates, state = optimiser.update(jnp.asarray(g), state)
        apart.append(float(abs(updates / step - 1).max()))
    return "" if max(apart) <= IN_FLOAT32 else f"steps in float32: {max(apart):.1g}"


WITNESSES = (
    partial(by_the_oracle, steps=SOON),
    partial(by_the_oracle, steps=LATER),
    partial(by_the_oracle, steps=LATER, dtype=np.float32),
    in_advance,
    step_by_step,
    by_a_law,
)


def noticed(mutant):
    """What notices a mutant; "" if nothing does."""
    try:
        made = factories(mutant)
        return next(filter(None, (witness(*rule) for witness in WITNESSES for rule in made.items())), "")
    except NameError:
        return UNDEFINED
    except Exception as error:
        return f"raises {type(error).__name__}"


# --- Survivors that are the rule itself in other words: (file, the line before, the line after) -> why

LENGTH = "return jnp.where(x < 0.5, _series(rate) + t * (1 - _series(x)), longest - 2.0 * t / jnp.expm1(x))"
REACHED = "reached = jnp.where(adaptive, rho, 5.0)  # a value with a real root, for the branch not taken"
REST = "what rounding left out of a sum: it is there for float32, and the tests of accuracy count it"
LEFT = "left = 1 - state.bias - state.bias_rest  # Π before this step"
SUM = "bias, rest = numerics.two_sum(state.bias, state.bias_rest + off * left)"
AHEAD = "ahead, here = following / (bias + (rest + off_then * (1 - bias))), off / bias"
KEPT = "a state keeps its dtypes anyway (`factories.Member`), and the update is cast: the same but for a rounding"
SAME: dict[tuple[str, str, str], str] = {
    ("nadam", LEFT, LEFT.replace("- state.bias_rest", "+ state.bias_rest")): REST,
    ("nadam", LEFT, LEFT.replace(" - state.bias_rest", "")): REST,
    ("nadam", SUM, SUM.replace("state.bias_rest + ", "")): REST,
    ("nadam", AHEAD, AHEAD.replace("rest + ", "")): REST,
    (
        "gradients",
        "largest = 0.99 * float(jnp.finfo(g.dtype).max) ** 0.5",
        "largest = float(jnp.finfo(g.dtype).max) ** 0.5",
    ): "a margin for the roundings of corrections, which no gradient of the laws needs",
    (
        "gradients",
        "return jnp.clip(g, -largest, largest) + 0 * g  # 0 · ∞ is NaN, so divergence is not hidden",
        "return jnp.clip(g, -largest, largest) - 0 * g  # 0 · ∞ is NaN, so divergence is not hidden",
    ): "0 either way, and NaN where g is infinite",
    (
        "adamw",
        "return tree.cast_like(decayed(tree.widen(updates), params, shrink), grads), after",
        "return tree.cast_like(decayed(updates, params, shrink), grads), after",
    ): "Adam's updates are in the dtype of the gradients: the same but for a rounding of float16 or bfloat16",
    ("velocities", "return tree.cast_like(moved, velocity)", "return moved"): KEPT,
    ("radam", LENGTH, LENGTH.replace("x < 0.5", "x <= 0.5")): "both forms of the length hold at x = ½",
    ("radam", LENGTH, LENGTH.replace("x < 0.5", "x < 0.6")): "the series is as good up to there, to 1e-14",
    (
        "radam",
        "adaptive = rho > threshold",
        "adaptive = rho >= threshold",
    ): "differ where ρₜ is the threshold to the last bit, which no β₂ of the variants gives",
    ("radam", REACHED, REACHED.replace("5.0", "6.0")): "any value will do there: it is not taken",
}


def survey(made, workers=2):
    """(mutant, what notices it) for each, in order; not those that are no program."""
    context = multiprocessing.get_context("spawn")  # jax's threads do not survive a fork
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        for mutant, found in zip(made, pool.map(noticed, made), strict=True):
            if found != UNDEFINED:
                yield mutant, found
    finally:
        pool.shutdown(cancel_futures=True)  # nobody waits for the rest when the first have told enough


def main(files=(), every=1):
    """Prints a table of every mutant; 1 if one survives unexplained, or an explanation is out of date.

    With `every` above 1 only each so-manieth mutant is tried, which says nothing of the explanations of the others.
    """
    unknown = set(files) - set(FILES)
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}. Known: {', '.join(FILES)}.", file=sys.stderr)
        return 2
    start, files = time.monotonic(), files or FILES
    as_they_stand = [Mutant(file, 0, "", "", (FOLDER / f"{file}.py").read_text(encoding="utf-8")) for file in files]
    count, survivors = 0, []
    chosen = itertools.islice((mutant for file in files for mutant in mutants(file)), None, None, every)
    for mutant, found in survey([*as_they_stand, *chosen]):
        if mutant in as_they_stand:
            if found:
                print(f"{mutant.file} as it stands is noticed: {found}")
                return 1
            continue
        count += 1
        print(f"{mutant}\n      {found or 'SURVIVES'}", flush=True)
        if not found:
            survivors.append(mutant)
    keys = {(mutant.file, mutant.before, mutant.after) for mutant in survivors}
    unexplained = [mutant for mutant in survivors if (mutant.file, mutant.before, mutant.after) not in SAME]
    stale = [key for key in SAME if key[0] in files and key not in keys and every == 1]
    print(f"\n{count} mutants, {count - len(survivors)} noticed, {len(survivors)} survive.")
    for file, before, after in sorted(keys & set(SAME)):
        print(f"\nThe same function, {file}:\n    - {before}\n    + {after}\n      {SAME[file, before, after]}")
    for mutant in unexplained:
        print(f"\nUNEXPLAINED: {mutant}")
    for file, before, after in stale:
        print(f"\nEXPLAINED, BUT NO SURVIVOR: {file}\n    - {before}\n    + {after}")
    print(f"\n{len(unexplained)} unexplained, {len(stale)} explanations out of date; {time.monotonic() - start:.0f} s.")
    return int(bool(unexplained or stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
