"""Fashion-MNIST from the files that Debian's package dataset-fashion-mnist installs.

The files are IDX, gzipped: two zero bytes, the type 8 (unsigned byte), the number of dimensions, the dimensions as
big-endian 32-bit numbers, then the bytes. What a header promises is checked before it is used.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms" (2017).
"""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from jaxnn.data.dataset import Dataset

FOLDER = "/usr/share/datasets/fashion-mnist"
LARGEST = 2**27  # bytes of one array; the largest file holds 60,000 images of 784 bytes, 47 million
CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def fashion_mnist(*, folder: str | os.PathLike[str] = FOLDER) -> Dataset:
    """70,000 grey images of clothing, 28 × 28: first the 60,000 of the training set, then the 10,000 of the test set.

    Args:
        folder: where the four files are.

    Raises:
        OSError: a file is not there or cannot be read.
        ValueError: a file is damaged, or is not what its name says.
    """
    images, labels = [], []
    for part in ("train", "t10k"):
        images.append(_part(Path(folder) / f"{part}-images-idx3-ubyte.gz", dimensions=3))
        labels.append(_part(Path(folder) / f"{part}-labels-idx1-ubyte.gz", dimensions=1))
        if images[-1].shape[1:] != (28, 28) or len(images[-1]) != len(labels[-1]):
            raise ValueError(
                f"The {part} files in {os.fspath(folder)!r} must hold n images of 28 × 28 and n labels,"
                f" got {images[-1].shape} and {labels[-1].shape}."
            )
    y = np.concatenate(labels).astype(np.int64)
    if y.size and y.max() >= len(CLASSES):
        raise ValueError(f"Labels in {os.fspath(folder)!r} must be 0 to 9, got {y.max()}.")
    return Dataset(
        name="fashion_mnist",
        x=np.concatenate(images).reshape(-1, 28 * 28),
        y=y,
        feature_names=tuple(f"pixel {row},{column}" for row in range(28) for column in range(28)),
        class_names=CLASSES,
        target_name="garment",
        problem="classes",
        description="70,000 images of clothing, 28 × 28 pixels with values 0 to 255; the last 10,000 are the test set.",
        source="Zalando Research, MIT licence, through Debian's package dataset-fashion-mnist",
        image_shape=(28, 28),
    )


def _part(path: Path, *, dimensions: int) -> np.ndarray:
    """Reads one file; if it is absent, the error says how to get it."""
    try:
        return read_idx(path, dimensions=dimensions)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{os.fspath(path)!r} is not there: run apt install dataset-fashion-mnist, or pass the folder that has it."
        ) from None


def read_idx(path: str | os.PathLike[str], *, dimensions: int) -> np.ndarray:
    """The unsigned bytes in a gzipped IDX file, with `dimensions` axes.

    Raises:
        OSError: the system refuses, or the file is not gzip.
        ValueError: the header promises something else, more than `LARGEST` bytes, or other data than follow.
    """
    name = os.fspath(path)
    try:
        with gzip.open(path, "rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, 8, dimensions)):
                raise ValueError(f"{name!r} is not an IDX file of unsigned bytes with {dimensions} dimensions.")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
            size = math.prod(shape)
            if size > LARGEST:
                raise ValueError(f"{name!r} promises {size} bytes, more than the {LARGEST} that are accepted.")
            body = file.read(size + 1)
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{name!r} is damaged or cut short ({error}): reinstall it.") from None
    if len(body) != size:
        held = "more" if len(body) > size else f"{len(body)}"
        raise ValueError(f"{name!r} promises {size} bytes but holds {held}: reinstall it.")
    return np.frombuffer(body, np.uint8).reshape(shape)
