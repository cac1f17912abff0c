"""Writes the pages that the code itself holds: one for each update rule, each room, and each example.

A rule's page is its module's docstring, its arguments, and what `jaxnn verify` found of it beside other libraries. An
example's is its source, what it prints, and its picture: those that have changed are run.
"""

import ast
import importlib
import inspect
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jaxnn
from jaxnn import optimisers

REPOSITORY = Path(__file__).parent.parent
EXAMPLES = sorted((REPOSITORY / "examples").glob("[0-9]*.py"))
HIDDEN = {"checks", "tree", "types"}  # rooms for those who build, not for those who use
TITLES = {"xor": "Exclusive or", "hodgkin_huxley": "Hodgkin and Huxley"}  # what a file's name does not spell
WORKERS = 2


def write(folder: Path) -> None:
    """Writes every page under `folder`; raises RuntimeError if an example fails."""
    for part in ("rules", "api", "examples"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rows = json.loads((REPOSITORY / "docs" / "verification.json").read_text(encoding="utf-8"))["rows"]
    for name in optimisers.TABLE:
        put(folder / "rules" / f"{name}.md", rule_page(name, rows))
    put(folder / "rules" / "index.md", contents("Update rules", "Rules that take a gradient.", optimisers.TABLE))
    rooms = [room for room in jaxnn.ROOMS if room not in HIDDEN]
    for room in rooms:
        put(folder / "api" / f"{room}.md", room_page(room))
    put(folder / "api" / "index.md", contents("Reference", "Every public name, by room.", rooms))
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda path: run_example(path, folder / "examples"), EXAMPLES))
    for path in EXAMPLES:
        put(folder / "examples" / f"{path.stem}.md", example_page(path, folder / "examples"))
    put(folder / "examples" / "index.md", gallery())


def put(path: Path, text: str) -> None:
    """Writes a page, unless it stands there already: what has not changed is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def contents(title: str, sentence: str, names: object) -> str:
    """A page that lists others."""
    listed = "\n".join(names)  # type: ignore[call-overload]
    return f"# {title}\n\n{sentence}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def rule_page(name: str, rows: list[dict[str, object]]) -> str:
    """The mathematics of a rule, its arguments, and its conventions beside other libraries'."""
    module = inspect.getmodule(getattr(optimisers, name))
    assert module is not None
    table = ["| beside | with | largest difference | verdict | why |", "|---|---|---|---|---|"]
    for row in rows:
        if row["rule"] == name and row["group"] in ("oracle", "twins"):
            worst = "" if row["worst"] is None else f"{row['worst']:.2g}"
            cells = (row["reference"], row["mapping"], worst, row["verdict"], row["why"])
            table.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(
        [
            f"# {name}",
            "",
            "```text",
            inspect.cleandoc(module.__doc__ or ""),
            "```",
            "",
            "```{eval-rst}",
            f".. autofunction:: jaxnn.optimisers.{name}",
            "   :no-index:",
            "```",
            "",
            "## Conventions",
            "",
            "θ after each of 200 steps beside the formula in 60 digits and beside other libraries: the largest",
            "difference, in units of the largest |θ|; [what each column means](../../verification.md).",
            "",
            *table,
            "",
        ]
    )


def room_page(room: str) -> str:
    """What a room's docstring says, then every public name that is its own."""
    module = importlib.import_module(f"jaxnn.{room}")
    public = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
    lines = [f"# {room}", "", "```text", inspect.cleandoc(module.__doc__ or ""), "```", "", "```{eval-rst}"]
    taken = []
    for name in sorted(public, key=str.casefold):
        thing = getattr(module, name)
        home = str(getattr(thing, "__module__", ""))
        if not callable(thing) or not (inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing))):
            continue
        if not home.startswith("jaxnn") or (not hasattr(module, "__all__") and home != module.__name__):
            taken += [name] if home.startswith("jax.") or home.startswith("jax._src") else []
            continue
        kind = "autoclass" if inspect.isclass(thing) else "autofunction"
        lines += ["", f".. {kind}:: jaxnn.{room}.{name}"]
        if kind == "autoclass" and not hasattr(thing, "_fields"):
            lines += ["   :members:"]
    lines += ["```", ""]
    if taken and hasattr(module, "__all__"):
        lines += [f"As JAX has them: {', '.join(f'`{name}`' for name in taken)}.", ""]
    return "\n".join(lines)


def run_example(path: Path, folder: Path) -> None:
    """Runs an example for its picture and its output, unless these are newer than itself and all that it uses.

    Raises:
        RuntimeError: it failed.
    """
    picture, printed = folder / f"{path.stem}.png", folder / f"{path.stem}.txt"
    sources = [path, path.parent / "picture.py", *(REPOSITORY / "jaxnn").rglob("*.py")]
    if picture.exists() and printed.exists() and printed.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return
    run = subprocess.run(
        [sys.executable, str(path), str(picture)], capture_output=True, text=True, env=os.environ | {"COLUMNS": "100"}
    )
    if run.returncode:
        raise RuntimeError(f"{path.name} failed:\n{run.stderr}")
    printed.write_text("\n".join(run.stdout.splitlines()[:-1]) + "\n", encoding="utf-8")  # the last line names the file


def example_page(path: Path, folder: Path) -> str:
    """What an example says of itself, its picture, its output, its source."""
    title, sentence = told(path)
    printed = (folder / f"{path.stem}.txt").read_text(encoding="utf-8").rstrip()
    source = path.read_text(encoding="utf-8").rstrip()
    return (
        f"# {title}\n\n{sentence}\n\n![{title}]({path.stem}.png)\n\n## What it prints\n\n```text\n{printed}\n```\n\n"
        f"## Source\n\n`examples/{path.name}`\n\n```python\n{source}\n```\n"
    )


def gallery() -> str:
    """All pictures on one page."""
    stems = "\n".join(path.stem for path in EXAMPLES)
    lines = ["# Gallery", "", "Every example of the course, in its order; each picture leads to its code.", ""]
    for path in EXAMPLES:
        title, sentence = told(path)
        lines += [f"## {title}", "", f"[![{title}]({path.stem}.png)]({path.stem}.md)", "", sentence, ""]
    return "\n".join([*lines, f"```{{toctree}}\n:hidden:\n\n{stems}\n```", ""])


def told(path: Path) -> tuple[str, str]:
    """The title of an example, from its file's name, and the first paragraph of its docstring."""
    number, _, name = path.stem.partition("_")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return f"{int(number)}. {TITLES.get(name, name.replace('_', ' ').capitalize())}", docstring.partition("\n\n")[
        0
    ].replace("\n", " ")
