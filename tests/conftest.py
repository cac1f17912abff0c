"""Fixtures of the whole suite: both precisions, signals, and a compilation cache that the next run reuses."""

import contextlib
import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

# XLA's older generator of fused loops compiles the suite's many small programs in two thirds of the time. It is gone
# from later versions of jax; the CI tests one of them too, with the generator that everyone else has.
if jax.__version_info__ < (0, 11):
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false".strip()

CACHE = Path(os.environ.get("JAXNN_TEST_CACHE", Path(__file__).parent.parent / ".jax_cache"))


def pytest_configure(config):
    jax.config.update("jax_compilation_cache_dir", str(CACHE))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def pytest_collection_modifyitems(items):
    """A slow test may take ten minutes, where others have the two of `pyproject.toml`, unless it says otherwise."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(autouse=True, scope="module")
def _programs_of_one_file():
    """Compiled programs are of little use to another file, and those of all would take gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Runs the test in both precisions; x64 is on only while the float64 half runs."""
    with jax.enable_x64(request.param == "float64"):
        yield jnp.dtype(request.param)


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield


@contextlib.contextmanager
def _disposed(**handlers):
    """Signals handled so for a while, here and in the programs started meanwhile: they inherit what is ignored."""
    former = {name: signal.signal(getattr(signal, name), handler) for name, handler in handlers.items()}
    try:
        yield
    finally:
        for name, handler in former.items():  # None was not set from Python, and Python cannot put it back
            signal.signal(getattr(signal, name), signal.SIG_DFL if handler is None else handler)


@pytest.fixture
def in_the_foreground():
    """SIGINT and SIGTERM as a terminal's programs have them, however the suite itself was started."""
    with _disposed(SIGINT=signal.default_int_handler, SIGTERM=signal.SIG_DFL):
        yield


@pytest.fixture
def in_the_background():
    """SIGINT ignored and SIGTERM not: what a shell without job control gives to `program &`."""
    with _disposed(SIGINT=signal.SIG_IGN, SIGTERM=signal.SIG_DFL):
        yield
