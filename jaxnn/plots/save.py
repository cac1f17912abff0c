"""Writing a picture to a file, completely or not at all."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnn import files

if TYPE_CHECKING:
    import matplotlib.figure

# The dates that matplotlib would write make equal pictures differ.
METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None},
    ".png": {},
    ".svg": {"Date": None},
}


def save(figure: "matplotlib.figure.Figure", path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """Writes `figure` to `path` as PNG, SVG or PDF, by its suffix.

    A failure leaves what was there before (`files.write`).

    Args:
        figure: what any function of this package returns.
        path: ends in .png, .svg or .pdf.
        dpi: dots per inch of a PNG, and of the dense parts of the other two.

    Returns:
        The path written.

    Raises:
        ValueError: the suffix is another.
        OSError: the system refuses, for instance because there is no such folder.
    """
    path, picture = Path(path), io.BytesIO()
    suffix = path.suffix.lower()
    if suffix not in METADATA:
        raise ValueError(f"The name of the picture must end in one of {', '.join(METADATA)}, got {str(path)!r}.")
    figure.savefig(
        picture,
        format=suffix[1:],
        dpi=dpi,
        facecolor=figure.get_facecolor(),
        metadata=METADATA[suffix],
    )
    files.write(path, picture.getvalue())
    return path
