"""Lists and counts for messages."""

from collections.abc import Sequence


def listed(names: Sequence[str], most: int = 8) -> str:
    """`a, b, c and 12 more`."""
    shown = [name if len(name) <= 40 else name[:39] + "…" for name in names[:most]]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(shown) + more


def counted(n: int, one: str, many: str | None = None) -> str:
    """`1 row`, `1,797 rows`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
