"""Fixtures of the whole suite: how its programs are compiled, which tests are slow, precisions, signals.

Most of the suite's time is XLA's, compiling thousands of programs that run for microseconds. They are compiled with
the least effort, except in tests marked `rounding`, which are compiled with all of it; what depends on rounding and
holds however it is compiled is marked `rounding(quickly=True)`. Under jax 0.10 all take XLA's older generator of
fused loops, which is quicker still. With `JAXNN_TEST_COMPILER=user`, as on the machines of the matrix, nothing of
this is done: every program is compiled as a user's is.
"""

import contextlib
import fnmatch
import gc
import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib
import pytest

COMPILER = os.environ.get("JAXNN_TEST_COMPILER", "")
if COMPILER not in ("", "user"):
    raise pytest.UsageError(f"JAXNN_TEST_COMPILER is {COMPILER!r}: set it to user, or to nothing.")
AS_A_USER = COMPILER == "user"
if not AS_A_USER and jax.__version_info__ < (0, 11):  # these flags are gone from later releases, which refuse them
    quick = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {quick}".strip()

ENOUGH = 1.5e9  # bytes of a process
LEAST_EFFORT = "JAX_DISABLE_MOST_OPTIMIZATIONS"
CACHE = Path(os.environ.get("JAXNN_TEST_CACHE", Path(__file__).parent.parent / ".jax_cache"))


def pytest_configure(config):
    if jaxlib.version.__version_info__ < (0, 10, 2):  # see jaxnn/cli/cache.py, which must not be imported this early
        return
    jax.config.update("jax_compilation_cache_dir", str(CACHE))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def pytest_collection_finish():
    """The garbage collector passes over what was imported and collected, which stays, and does not come as often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def as_a_user(item):
    """Whether the test's programs are compiled as a user's are."""
    rounding = item.get_closest_marker("rounding")
    return rounding is not None and not rounding.kwargs.get("quickly", False)


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(config, items):
    """Of a test marked `by_default` the other cases are slow; a slow test may take ten minutes, unless it says more."""
    taken = {}  # by test and pattern, whether a case has it
    for item in items:
        if chosen := item.get_closest_marker("by_default"):
            test = item.nodeid.partition("[")[0]
            if not hasattr(item, "callspec"):
                raise pytest.UsageError(f"{test} is marked by_default, which chooses among cases, and has none.")
            met = [fnmatch.fnmatchcase(item.callspec.id, pattern) for pattern in chosen.args]
            for pattern, holds in zip(chosen.args, met, strict=True):
                taken[test, pattern] = taken.get((test, pattern), False) or holds
            if not any(met):
                item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
    if not any("::" in argument for argument in config.args):  # which may ask for some of the cases only
        for (test, pattern), met in taken.items():
            if not met:
                raise pytest.UsageError(f"{test}: none of its cases has the id {pattern!r} that by_default names.")
    place = {path: place for place, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (as_a_user(item), place[item.path]))  # once for all: the change forgets all programs


@pytest.hookimpl(tryfirst=True)  # before any fixture compiles something
def pytest_runtest_setup(item):
    least = "0" if AS_A_USER or as_a_user(item) else "1"
    if os.environ.get(LEAST_EFFORT) != least:
        jax.clear_caches()  # the programs in memory were compiled the other way
        jax.config.update(LEAST_EFFORT.lower(), least == "1")
        os.environ[LEAST_EFFORT] = least  # for the processes that the test starts


@pytest.fixture(autouse=True, scope="module")
def _programs_of_few_files():
    """Those of all would take gigabytes; to forget those of one takes half a second, and some are shared."""
    yield
    statistics = Path("/proc/self/statm")  # of Linux; elsewhere every file's are forgotten
    if not statistics.exists() or int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > ENOUGH:
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


@pytest.fixture
def compilations():
    """How many programs XLA has compiled since the test began."""
    counted = []

    def listener(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            counted.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listener)
    yield lambda: len(counted)
    jax.monitoring.unregister_event_duration_listener(listener)
