"""Names, texts and numbers as C99 writes them, whatever characters a table has."""

import re
from collections.abc import Collection, Iterable

import numpy as np

MOST_BYTES = 1_000  # of a text, where C99 guarantees 4,095
LONGEST = 40  # characters of a name: compilers need only tell 63 apart


def identifiers(prefix: str, names: Iterable[str], reserved: Collection[str] = ()) -> list[str]:
    """A C identifier for each name, all different and none reserved: `sex f` becomes `PREFIX_sex_f`."""
    found: dict[str, None] = {}
    for name in names:
        plain = f"{prefix}_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')[:LONGEST]}".rstrip("_")
        unique, number = plain, 2
        while unique in found or unique in reserved or unique == prefix:
            unique, number = f"{plain}_{number}", number + 1
        found[unique] = None
    return list(found)


def comment(text: str) -> str:
    """A text that does not end the comment it stands in, on one line."""
    text = text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def string(text: str) -> str:
    """A string literal of the text's UTF-8, in ASCII; what is longer than C99 guarantees is cut."""
    return '"' + "".join(map(_letter, text.encode()[:MOST_BYTES])) + '"'


def _letter(byte: int) -> str:
    letter = chr(byte)
    plain = byte < 128 and letter.isprintable() and letter not in '"\\?'  # ?? may begin a trigraph
    return letter if plain else f"\\{byte:03o}"


def number(value: float, *, single: bool = False) -> str:
    """The shortest literal that reads as the same number."""
    text = repr(float(value)) if not single else str(np.float32(value))
    return text + ("f" if single else "")


def array(name: str, values: np.ndarray, *, single: bool) -> str:
    """A constant array, a few numbers to a line."""
    texts = [number(value, single=single) for value in values.reshape(-1).tolist()]
    lines = [", ".join(texts[start : start + 6]) for start in range(0, len(texts), 6)]
    return f"static const real {name}[{len(texts)}] = {{\n    " + ",\n    ".join(lines) + "\n};\n"
