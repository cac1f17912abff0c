"""Tests against libraries that only `pip install '.[peers]'` brings: each file is collected where its library is."""

import importlib.util
import os

os.environ["KERAS_BACKEND"] = "jax"  # read once, when keras is first imported

LIBRARIES = ("torch", "keras", "flax", "optimistix")
collect_ignore_glob = [f"test_{name}*.py" for name in LIBRARIES if importlib.util.find_spec(name) is None]
