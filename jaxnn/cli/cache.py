"""The command line's compilation cache: a second run starts training at once.

JAX can keep compiled programs on disk. Whoever can write to that folder can run code as the user, so that it is used
only if the user owns it and nobody else can enter it (mode 0700). It is `$XDG_CACHE_HOME/jaxnn`, or `~/.cache/jaxnn`,
or what the variable JAXNN_CACHE names; JAXNN_CACHE=off goes without. Only commands switch it on: importing jaxnn does
not, and a cache that JAX has been given already stays.

jaxlib 0.10.0 and 0.10.1 can wait for ever while they read a program from it (most second runs of
`jaxnn train iris --hidden 8` did, on two cores), so that they go without.
"""

import os
import stat
import sys
from pathlib import Path

RELIABLE = (0, 10, 2)  # the first jaxlib that was never seen to wait for ever


def enable() -> None:
    """Switches the cache on if it is wanted and safe; says on standard error if it is wanted and not safe."""
    import jax
    import jaxlib

    chosen = folder(os.environ)
    given = jax.config.values["jax_compilation_cache_dir"]
    if jaxlib.version.__version_info__ < RELIABLE or chosen is None or given is not None:
        return
    fault = fault_of(chosen)
    if fault is not None:
        print(f"jaxnn: no compilation cache: {str(chosen)!r} {fault} (JAXNN_CACHE=off hides this).", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", str(chosen))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def folder(environment: "os._Environ[str] | dict[str, str]") -> Path | None:
    """Where the cache belongs; None if it is switched off or there is no place for it."""
    wanted = environment.get("JAXNN_CACHE", "")
    if wanted == "off":
        return None
    if wanted:
        return Path(wanted).absolute()
    base = environment.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # others are to be ignored, says the XDG specification
        return Path(base) / "jaxnn"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "jaxnn" if os.path.isabs(home) else None


def fault_of(path: Path) -> str | None:
    """Makes the folder if it is not there; what speaks against using it, or None."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.stat()
    except OSError as error:
        return f"cannot be made ({error.strerror})"
    if hasattr(os, "getuid"):
        if status.st_uid != os.getuid():
            return "belongs to another user"
        if stat.S_IMODE(status.st_mode) & 0o077:
            return "is open to other users: chmod 700 it"
    return None if os.access(path, os.W_OK | os.X_OK) else "cannot be written to"
