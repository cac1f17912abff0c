"""Every example runs, its asserts hold, it draws its picture, and it is short enough to read.

Those that take seconds are slow tests. The documentation's build runs all of them too, but for those whose pictures and
output it finds: `JAXNN_EXAMPLES=docs/generated/examples` keeps them there.
"""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9]*.py"))
QUICK = {"01_neuron.py", "06_derivative_as_a_limit.py"}


@pytest.fixture(scope="module", autouse=True)
def _settled_matplotlib():
    """Lets matplotlib find a folder and list its fonts here, where it may say so: examples inherit the folder."""
    importlib.import_module("matplotlib.font_manager")


def ran(example, *arguments, cwd, **environment):
    call = [sys.executable, str(example), *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=500)


def cases(quick):
    slow = [] if quick else [pytest.mark.slow]
    return [pytest.param(path, marks=slow, id=path.name) for path in EXAMPLES if (path.name in QUICK) == quick]


@pytest.mark.rounding
@pytest.mark.parametrize("example", [*cases(True), *cases(False)])
def test_an_example_runs_and_draws_its_picture(example, tmp_path):
    kept = Path(os.environ.get("JAXNN_EXAMPLES", tmp_path)).absolute()
    picture = kept / f"{example.stem}.png"
    run = ran(example, picture, cwd=tmp_path, COLUMNS="100")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # no warnings either
    *printed, last = run.stdout.splitlines()
    assert last == f"wrote {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    picture.with_suffix(".txt").write_text("\n".join(printed) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_pictures_are_drawn_in_the_dark_too(tmp_path):
    runs = [ran(FOLDER / "01_neuron.py", f"{theme}.png", theme, cwd=tmp_path) for theme in ("light", "dark")]
    assert [run.returncode for run in runs] == [0, 0]
    brightness = [matplotlib.image.imread(tmp_path / name)[..., :3].mean() for name in ("light.png", "dark.png")]
    assert brightness[0] > 0.7 > 0.3 > brightness[1]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_to_run_it(example):
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    assert f"python examples/{example.name} [PICTURE" in text
    assert text.count("assert") >= 2
    assert "page" in text.partition('"""\n')[0].lower()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_what_an_example_imports_and_asks_of_it_is_there(example):
    """So that a name that is gone is noticed without running them all."""
    tree = ast.parse(example.read_text(encoding="utf-8"))
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {a.asname or a.name.split(".")[0]: importlib.import_module(a.name) for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "picture":
            module = importlib.import_module(node.module)
            modules |= {a.asname or a.name: getattr(module, a.name) for a in node.names}
    ours = {name for name, module in modules.items() if inspect.ismodule(module) and "jaxnn" in module.__name__}
    asked = {
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ours
    }
    assert [f"{name}.{attribute}" for name, attribute in asked if not hasattr(modules[name], attribute)] == []


def test_they_are_numbered_from_one_without_a_gap():
    assert [int(path.name[:2]) for path in EXAMPLES] == list(range(1, len(EXAMPLES) + 1))


def test_without_a_picture_nothing_is_drawn(tmp_path):
    run = ran(FOLDER / "01_neuron.py", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "wrote" not in run.stdout
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_it_says_in_one_line_what_to_do(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('none', name='matplotlib')", encoding="utf-8")
    found_first = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = ran(FOLDER / "01_neuron.py", "picture.png", cwd=tmp_path, PYTHONPATH=found_first)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "pip install '.[plot]'" in run.stderr


@pytest.mark.slow
@pytest.mark.rounding
def test_the_paths_of_six_optimisers_move(tmp_path):
    film = tmp_path / "paths.gif"
    run = ran(FOLDER / "10_six_optimisers.py", film, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert film.read_bytes().startswith(b"GIF89a")
    assert film.stat().st_size < 1.5e6
