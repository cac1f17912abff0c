"""What is equal to the last bit, as docs/design.md states it, where no other file has the test of a statement."""

import json
import os
import platform
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.training import bit_run

pytestmark = pytest.mark.rounding

SCRIPT = Path(__file__).with_name("bit_run.py")


@pytest.fixture(scope="module")
def here():
    """The digests of this process."""
    return bit_run.found()


def elsewhere(*argv, flags=""):
    """The digests of another process."""
    changed = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}", "PYTHONPATH": str(SCRIPT.parents[2])}
    call = [sys.executable, str(SCRIPT), *argv]
    return json.loads(subprocess.run(call, env=os.environ | changed, capture_output=True, check=True).stdout)


@pytest.mark.slow
def test_a_run_in_another_process_has_the_same_bits(here):
    assert elsewhere() == here


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux keeps a process to one core")
def test_a_small_run_has_the_same_bits_on_one_core(here):
    """XLA splits among threads what is long: of the sums tried, none of 32,768 elements and every one of 40,960."""
    assert elsewhere("one") == here


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the flag narrows x86 processors")
def test_a_narrow_processor_draws_the_same_numbers_and_orders(here):
    """Those are made of whole numbers. What is computed from them is rounded otherwise."""
    there = elsewhere(flags="--xla_cpu_max_isa=SSE4_2")
    assert (there["draws"], there["orders"]) == (here["draws"], here["orders"])


@pytest.mark.slow
def test_one_run_after_another_in_one_program_has_the_bits_of_each_alone():
    keys = jax.random.split(jax.random.key(1), 3)
    together = jax.jit(partial(jax.lax.map, bit_run.trained))(keys)
    for i, key in enumerate(keys):
        alone = jax.jit(bit_run.trained)(key)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda leaf, i=i: leaf[i], together), alone)
