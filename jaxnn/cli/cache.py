"""The command line's compilation cache, which lets a second run start training at once.

JAX can keep compiled programs on disk. Anyone who can write to that folder can run code as the user, so it is used
only if the user owns it and nobody else can enter it (mode 0700). It is `$XDG_CACHE_HOME/jaxnn`, or `~/.cache/jaxnn`,
or the folder that the environment variable JAXNN_CACHE names; JAXNN_CACHE=off disables it. Only commands enable it:
importing jaxnn does not, and a cache that JAX is already configured with is kept.

jaxlib 0.10.0 and 0.10.1 can hang while they read a program from the cache (most second runs of
`jaxnn train iris --hidden 8` did, on two cores), so the cache is not used with them.
"""

import os
import stat
import sys
from pathlib import Path

RELIABLE = (0, 10, 2)  # the first jaxlib that was never seen to hang


def enable() -> None:
    """Enables the cache if it is wanted and safe; warns on standard error if it is wanted but not safe."""
    import jax
    import jaxlib

    chosen = folder(os.environ)
    given = jax.config.values["jax_compilation_cache_dir"]
    if jaxlib.version.__version_info__ < RELIABLE or chosen is None or given is not None:
        return
    fault = fault_of(chosen)
    if fault is not None:
        print(
            f"jaxnn: no compilation cache: {str(chosen)!r} {fault} (JAXNN_CACHE=off hides this message).",
            file=sys.stderr,
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(chosen))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def folder(environment: "os._Environ[str] | dict[str, str]") -> Path | None:
    """The cache's folder; None if the cache is disabled or there is no home folder."""
    wanted = environment.get("JAXNN_CACHE", "")
    if wanted == "off":
        return None
    if wanted:
        return Path(wanted).absolute()
    base = environment.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the XDG specification says to ignore relative paths
        return Path(base) / "jaxnn"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "jaxnn" if os.path.isabs(home) else None


def fault_of(path: Path) -> str | None:
    """Creates the folder if needed; returns why it must not be used, or None."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.stat()
    except OSError as error:
        return f"cannot be created ({error.strerror})"
    if hasattr(os, "getuid"):
        if status.st_uid != os.getuid():
            return "belongs to another user"
        if stat.S_IMODE(status.st_mode) & 0o077:
            return "is open to other users; run chmod 700 on it"
    return None if os.access(path, os.W_OK | os.X_OK) else "cannot be written to"
