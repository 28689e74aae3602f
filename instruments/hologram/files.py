"""Arrays from files: .npy, .npz, text and images, read without executing anything."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError

__all__ = ["read_image", "read_numbers"]

_Array = NDArray[np.float64]


def read_numbers(path: str | Path, what: str) -> _Array:
    """Read an array from ``.npy``, from the only array of an ``.npz``, or from text.

    Parameters
    ----------
    path : path
        The file; text may separate by commas or blanks and comment with ``#``.
    what : str
        What it should be, for messages.

    Raises
    ------
    FileError
        For a file that is missing, of another kind, or that holds no finite numbers.
    """
    file = Path(path)
    try:
        if file.suffix == ".npy":
            array = np.load(file, allow_pickle=False)
        elif file.suffix == ".npz":
            array = _only_array(file, what)
        else:
            text = file.read_text(encoding="utf-8").replace(",", " ").replace(";", " ")
            rows = [line.split("#")[0].split() for line in text.splitlines()]
            array = np.array([[float(word) for word in row] for row in rows if row])
    except OSError as error:
        raise FileError(f"{what} {file} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{what} {file} is not an array of numbers: {error}") from None
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise FileError(f"{what} {file} must hold real numbers, it holds {array.dtype}")
    if array.size == 0 or not np.all(np.isfinite(array)):
        raise FileError(f"{what} {file} is empty or holds values that are not finite")
    return np.asarray(array, dtype=float)


def read_image(path: str | Path, what: str) -> tuple[_Array, int]:
    """Read a grey image and the number of its levels (256, or 65536 for 16 bits).

    Raises
    ------
    FileError
        For a file that is missing or no grey image.
    """
    from matplotlib import image  # loads slowly; few rigs need it

    file = Path(path)
    try:
        pixels = np.asarray(image.imread(file))
    except OSError as error:
        raise FileError(f"{what} {file} cannot be read: {error.strerror or error}") from None
    except (SyntaxError, ValueError) as error:  # what the decoders raise on broken files
        raise FileError(f"{what} {file} is no image: {error}") from None
    if pixels.ndim == 3:
        if np.any(pixels[..., :3] != pixels[..., :1]):
            raise FileError(f"{what} {file} is in colour: save it as a grey image")
        pixels = pixels[..., 0]
    if np.issubdtype(pixels.dtype, np.floating):  # PNG files are scaled to 0 … 1
        eight = pixels * 255.0
        levels = 256 if np.allclose(eight, np.rint(eight), atol=1e-4) else 65536
        return np.rint(pixels.astype(float) * (levels - 1)), levels
    return pixels.astype(float), 256 if pixels.dtype == np.uint8 else 65536


def _only_array(file: Path, what: str) -> NDArray[np.generic]:
    """The array of an archive that holds one."""
    with np.load(file, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            names = ", ".join(archive.files)
            raise FileError(f"{what} {file} must hold one array, it holds: {names or 'none'}")
        return np.asarray(archive[archive.files[0]])
