"""How the documentation is built: `sphinx-build -W docs docs/_build/html`, after `pip install -e '.[all,docs]'`.

What the code says of itself is not written twice: `pages.py` makes a page for each update rule, room and example.
"""

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ["JAX_PLATFORMS"] = "cpu"

import pages  # noqa: E402

from jaxnn import __version__  # noqa: E402

project = "jaxnn"
author = "The jaxnn authors"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build", "jupyter_execute"]
suppress_warnings = ["config.cache"]  # says only that a function in the settings is not kept from build to build

html_theme = "furo"
html_title = "jaxnn"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "cache")
nb_execution_timeout = 300
nb_execution_raise_on_error = True

autodoc_typehints = "none"  # the signatures have jaxtyping's shapes, which the text repeats in words
autodoc_member_order = "bysource"
napoleon_use_rtype = False
napoleon_use_ivar = True  # a class's attributes are named in its text, and not once more

pages.write(HERE / "generated")


def setup(app: Any) -> None:
    """Bars in docstrings are lengths, |s|, not the substitutions that reStructuredText takes them for."""

    def escape(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
        lines[:] = [line.replace("|", "\\|") for line in lines]

    app.connect("autodoc-process-docstring", escape)

    def left_out(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
        """scikit-learn adds `set_…_request` to estimators; their text refers to pages of its own."""
        return True if name.startswith("set_") and name.endswith("_request") else None

    app.connect("autodoc-skip-member", left_out)
