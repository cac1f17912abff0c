"""A matrix of machines on one machine.

    nox -f .ci/noxfile.py                                       everything, as before a release: some hours
    nox -f .ci/noxfile.py -s rounding-py311-floor -- sse4_2-1core avx2-2cores

XLA compiles for a narrower processor on request, OpenBLAS takes an older one's kernels, and a process can be kept to
one core. A machine is one of each; an environment is a Python with a release of jax. Sessions of two kinds run in every
environment, on the machines that are named, or on all:

    rounding-…    the tests marked `rounding`, compiled as a user's programs are; without the slow ones
    release-…     these with the slow ones, the default suite, and `jaxnn verify all`
"""

import os
import platform
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).resolve().parent.parent
nox.options.envdir = str(ROOT / ".nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

ENVIRONMENTS = {  # Python, what pip is asked for beside the package
    "py311-floor": ("3.11", ["jax==0.10.0", "jaxlib==0.10.0"]),
    "py311-newest": ("3.11", []),
    "py313-floor": ("3.13", ["jax==0.10.0", "jaxlib==0.10.0"]),
    "py313-newest": ("3.13", []),
}
# Instruction sets that XLA knows on x86-64, with OpenBLAS's kernels of the same age; elsewhere there is one.
SETS = {"widest": {}}
if platform.machine() in ("x86_64", "AMD64"):
    SETS = {
        "sse4_2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem"},
        "avx2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "OPENBLAS_CORETYPE": "Haswell"},
    } | SETS
CORES = {"1core": 1, "2cores": 2}
MACHINES = {f"{narrow}-{cores}": (SETS[narrow], CORES[cores]) for narrow in SETS for cores in CORES}
__doc__ += f"\nMachines here: {', '.join(MACHINES)}.\n"  # `nox --list` prints it


def commands(session, machine, *, release):
    """Runs on one machine."""
    variables, cores = MACHINES[machine]
    prefix = []
    if not hasattr(os, "sched_getaffinity"):
        session.warn(f"{machine}: only Linux can keep a process to some cores; here it has all of them")
    else:
        allowed = sorted(os.sched_getaffinity(0))
        if cores > len(allowed):
            session.warn(f"{machine}: there are {len(allowed)} cores here")
        prefix = ["taskset", "-c", ",".join(map(str, allowed[:cores]))]
    variables = variables | {"JAXNN_TEST_CACHE": str(ROOT / ".nox" / "cache" / f"{session.name}-{machine}")}

    def run(*command, **more):
        session.run(*prefix, "python", "-m", *command, env=variables | more, external=True)

    user = {"JAXNN_TEST_COMPILER": "user"}
    run("pytest", "-q", "-n", str(cores), "-m", "rounding" if release else "rounding and not slow", **user)
    if release:
        run("pytest", "-q", "-n", str(cores))
        run("jaxnn", "verify", "all")


def session_of(kind, environment):
    """Adds one session to nox."""
    python, wanted = ENVIRONMENTS[environment]

    @nox.session(name=f"{kind}-{environment}", python=python, tags=[kind])
    def session(session):
        chosen = session.posargs or list(MACHINES)
        unknown = sorted(set(chosen) - set(MACHINES))
        if unknown:
            session.error(f"no machine is called {', '.join(unknown)}: name some of {', '.join(MACHINES)}")
        session.chdir(ROOT)
        session.install("-q", "-e", ".[all,dev]", *wanted)
        failed = []
        for machine in chosen:
            try:
                commands(session, machine, release=kind == "release")
            except CommandFailed:  # the others are asked all the same
                failed.append(machine)
        if failed:
            session.error(f"failed on {', '.join(failed)}")


for kind in ("rounding", "release"):
    for environment in ENVIRONMENTS:
        session_of(kind, environment)
nox.options.tags = ["release"]
