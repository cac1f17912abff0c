"""Compiling what runs once: the compiler knows every option, and says so only where it is asked."""

import jax
import numpy as np
import pytest

from jaxnn import once


@pytest.fixture
def with_effort():
    """As users have it: jax's own switch for the least effort is off."""
    was = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", was)


def test_this_release_knows_every_option(with_effort):
    options = once.options()
    assert options is not None
    assert jax.jit(lambda x: x + 1, compiler_options=options)(1) == 2


def test_releases_after_the_last_with_older_loops_are_not_asked_for_them(with_effort, monkeypatch):
    monkeypatch.setattr(jax, "__version_info__", (0, 10, 9))
    assert "xla_cpu_use_fusion_emitters" in once.options()
    monkeypatch.setattr(jax, "__version_info__", (0, 11, 0))
    assert set(once.options()) == {"xla_backend_optimization_level"}


def test_who_asked_for_the_least_effort_gets_it(with_effort):
    jax.config.update("jax_disable_most_optimizations", True)
    assert once.options() is None


def test_other_processors_are_told_nothing(with_effort, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert once.options() is None


def test_knows_whether_it_is_within_a_program():
    found = []
    look = lambda x: found.append(once.within_a_program()) or 1.0 * x
    look(1.0)
    jax.grad(look)(1.0)
    jax.vmap(look)(np.ones(2))
    assert found == [False, False, False]
    found.clear()
    jax.jit(look)(1.0)
    assert found == [True]
    jax.lax.map(look, np.ones(2))
    assert found == [True] * len(found)
    assert len(found) > 1
