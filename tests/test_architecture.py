"""The house itself: which way imports point, what `import jaxnn` loads, and rules that no linter knows."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxnn
from jaxnn import optimisers

PACKAGE = Path(jaxnn.__file__).parent
REPOSITORY = PACKAGE.parent
DESIGN = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
FILES = {path.relative_to(PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}

# A room imports from lower levels only, never from its siblings on its own. The levels stand in docs/design.md.
LEVEL_OF = {
    room: int(level)
    for level, rooms in re.findall(r"^\| (\d) \| `([^`]+)` \|$", DESIGN, re.MULTILINE)
    for room in rooms.split()
}
HOME_OF = {"__version__": "version", "Objective": "objective", "Optimiser": "types"}  # what `from jaxnn import` gives
CORE = {"jax", "jaxtyping", "numpy", "safetensors"}  # pyproject's dependencies; everything else is optional
BESIDE = {"estimators": {"sklearn"}}  # what a room may import at load, because its classes are that library's


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def room_of(relative):
    """The top-level module that a file belongs to; None for `jaxnn/__init__.py`, which is above all rooms."""
    room = relative.parts[0].removesuffix(".py")
    return None if room == "__init__" else room


def imported_rooms(tree, relative):
    """(line, room) of every import from jaxnn, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # relative: from the package that the file is in
                package = ("jaxnn", *relative.parts[:-1])
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            names = [ast.literal_eval(node.args[0])] if isinstance(node.args[0], ast.Constant) else []
        else:
            continue
        for name in names:
            if name == "jaxnn" or name.startswith("jaxnn."):
                room = name.split(".")[1] if "." in name else "jaxnn itself"
                yield node.lineno, HOME_OF.get(room, room)


def violations(tree, relative):
    """What is wrong with the imports of one file, in words."""
    here = room_of(relative)
    if here is None:  # it may open any room, but only when it is asked for: inside a function
        at_load = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef)], [])
        return [f"{relative}:{n}: imports {room}" for n, room in imported_rooms(at_load, relative) if room != "version"]
    if here not in LEVEL_OF:
        return [f"{relative}: the room {here!r} has no level: give it one in docs/design.md"]
    found = []
    for line, room in imported_rooms(tree, relative):
        if room == here:
            continue
        if room not in LEVEL_OF:
            found.append(f"{relative}:{line}: imports {room!r}, which has no level")
        elif LEVEL_OF[room] >= LEVEL_OF[here]:
            kind = "its sibling" if LEVEL_OF[room] == LEVEL_OF[here] else "upwards:"
            found.append(f"{relative}:{line}: {here} (level {LEVEL_OF[here]}) imports {kind} {room}")
    return found


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_imports_point_one_way(relative):
    assert violations(parse(FILES[relative]), relative) == []


@pytest.mark.parametrize(
    ("relative", "source", "told"),
    [
        ("losses.py", "from jaxnn import training", "imports upwards: training"),
        ("losses.py", "from jaxnn.training.fit import fit", "imports upwards: training"),
        ("losses.py", "import jaxnn.optimisers.first_order.adam", "imports upwards: optimisers"),
        ("losses.py", "from jaxnn import mlp", "imports its sibling mlp"),
        ("losses.py", "from jaxnn import Objective", "imports its sibling objective"),
        ("losses.py", "def f():\n    from jaxnn import mlp", "losses.py:2: losses (level 2) imports its sibling mlp"),
        ("losses.py", "import importlib\nimportlib.import_module('jaxnn.cli')", "imports upwards: cli"),
        ("losses.py", "import jaxnn", "imports 'jaxnn itself', which has no level"),
        ("losses.py", "from jaxnn import kitchen", "imports 'kitchen', which has no level"),
        ("losses.py", "from . import mlp", "imports its sibling mlp"),
        ("optimisers/first_order/adam.py", "from ...training import fit", "imports upwards: training"),
        ("optimisers/first_order/adam.py", "from jaxnn.verify import oracles", "imports upwards: verify"),
        ("plots/curves.py", "from jaxnn.verify import table", "imports its sibling verify"),
        ("kitchen.py", "import math", "the room 'kitchen' has no level"),
        ("__init__.py", "from jaxnn import mlp", "imports mlp"),
    ],
)
def test_the_checker_sees_a_planted_violation(relative, source, told):
    (found,) = violations(ast.parse(source), Path(relative))
    assert told in found


@pytest.mark.parametrize(
    ("relative", "source"),
    [
        ("losses.py", "import jax\nfrom jaxnn import checks\nfrom jaxnn.types import Batch"),
        (
            "optimisers/first_order/adam.py",
            "from jaxnn.optimisers.protocol import update\nfrom .sgd import sgd\nfrom ...tree import norm",
        ),
        ("cli/__init__.py", "from jaxnn import training, __version__\nfrom jaxnn.data import tables"),
        ("__init__.py", "from jaxnn.version import __version__\ndef __getattr__(name):\n    import jaxnn.mlp"),
    ],
)
def test_the_checker_lets_the_rest_pass(relative, source):
    assert violations(ast.parse(source), Path(relative)) == []


def imports_at_load(tree):
    """Top-level names of the packages that are imported when the file is, outside functions and TYPE_CHECKING."""
    pending = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        pending.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_optional_dependencies_are_imported_inside_functions(relative):
    outside = set(imports_at_load(parse(FILES[relative]))) - set(sys.stdlib_module_names) - CORE - {"jaxnn"}
    assert outside <= BESIDE.get(room_of(relative), set())


def test_that_checker_sees_a_planted_import_and_passes_a_lazy_one():
    assert set(imports_at_load(ast.parse("try:\n    import pandas.io\nexcept ImportError:\n    pass"))) == {"pandas"}
    assert set(imports_at_load(ast.parse("class A:\n    from optax import adam"))) == {"optax"}
    assert set(imports_at_load(ast.parse("def f():\n    import pandas"))) == set()


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_no_import_of_torch_and_no_stray_print(relative):
    for node in ast.walk(parse(FILES[relative])):
        if isinstance(node, ast.Import):
            assert not any(alias.name.partition(".")[0] == "torch" for alias in node.names), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] != "torch", f"line {node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert relative.parts[0] == "cli" or relative == Path("training/progress.py"), f"line {node.lineno}"


def writes(tree):
    """The lines that write a file: whoever does is `files`, so that none is ever half written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            words = [w.value for w in [*node.args, *(k.value for k in node.keywords)] if isinstance(w, ast.Constant)]
            opened = called == "open" and any(re.fullmatch(r"[rbt+]*[wax][bt+]*|r?b?\+b?", str(w)) for w in words)
            if opened or called in ("write_text", "write_bytes", "NamedTemporaryFile", "mkstemp"):
                yield node.lineno


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_only_files_writes_files(relative):
    assert relative == Path("files.py") or list(writes(parse(FILES[relative]))) == []


def test_that_checker_sees_who_writes():
    for line in ("open(p, 'w')", "p.open('xb')", "open(p, mode='a')", "open(p, 'r+b')", "Path(p).write_text('x')"):
        assert list(writes(ast.parse(line))) == [1], line
    assert list(writes(ast.parse("open(p, 'rb'); p.read_text(); file.write('x'); files.write(p, 'x')"))) == []


def public_definitions(tree):
    """Public functions and classes of a module, and the public methods of its public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node)


@pytest.mark.parametrize("relative", FILES, ids=str)
def test_everything_public_has_a_docstring(relative):
    tree = parse(FILES[relative])
    assert ast.get_docstring(tree), "the module"
    assert [node.name for node in public_definitions(tree) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("name", optimisers.TABLE)
def test_a_rule_is_a_short_file(name):
    """It reads like its algorithm box; what would make it long belongs in a file of its own."""
    file = Path(inspect.getsourcefile(inspect.unwrap(optimisers.TABLE[name])))
    assert file.parent == PACKAGE / "optimisers" / "first_order"
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 120


HEAVY = ("optax", "torch", "sklearn", "matplotlib", "pandas", "narwhals", "tqdm", "chex", "scipy.stats")


def loaded_after(program):
    """The names of all modules that a fresh Python has loaded after running the program."""
    run = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print('\\n' + ' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split())


def test_the_core_loads_jax_and_numpy_and_nothing_heavier():
    touched = "; ".join(
        f"jaxnn.{room}" for room in ("training", "optimisers", "mlp", "losses", "schedules", "activations", "backprop")
    )
    loaded = loaded_after(f"import jaxnn; {touched}")
    assert {"jaxnn.training", "jaxnn.optimisers", "jaxnn.mlp", "jax"} <= loaded
    assert loaded.isdisjoint(HEAVY)


def test_importing_jaxnn_alone_does_not_load_jax():
    assert "jax" not in loaded_after("import jaxnn; jaxnn.__version__")


def test_the_help_of_the_command_line_does_not_load_jax():
    """0.1 s where jax alone takes 1.2 s."""
    program = """
from jaxnn.cli import main
try:
    status = main(["--help"])
except SystemExit as exit:
    status = exit.code
assert not status"""
    assert {"jax", *HEAVY}.isdisjoint(loaded_after(program))


def test_every_room_that_is_offered_is_there_and_has_a_level():
    assert set(jaxnn.ROOMS) <= set(LEVEL_OF)
    assert list(jaxnn.ROOMS) == sorted(jaxnn.ROOMS)
    for name in jaxnn.__all__:
        assert getattr(jaxnn, name) is not None
    with pytest.raises(AttributeError, match=r"no attribute 'kitchen'"):
        jaxnn.kitchen  # noqa: B018


def test_every_room_has_one_level_in_the_table_and_the_table_has_no_other_room():
    assert set(LEVEL_OF) == {room_of(relative) for relative in FILES} - {None}
    cells = re.findall(r"^\| \d \| `(.*)` \|$", DESIGN, re.MULTILINE)
    assert len(LEVEL_OF) == sum(len(cell.split()) for cell in cells)


def test_the_version_is_the_newest_of_the_changelog():
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)[0] == jaxnn.__version__
