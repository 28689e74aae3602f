"""Files of programs whose formats are not read: what they are, and how to convert them."""

from __future__ import annotations

__all__ = ["named_format"]

_AS_TEXT = "export it as CSV with a column of time"
_AS_NPZ = "store it as NPZ: numpy.savez(file, samples=…, sample_rate=…)"
# First bytes, where they stand, what the file is, and what to do with it.
_KNOWN: tuple[tuple[bytes, int, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", 0, "a workbook of Excel (or another Office file)", "save it as CSV"),
    (b"PAR1", 0, "a Parquet file", _AS_NPZ),
    (
        b"ARROW1",
        0,
        "a Feather file",
        "store it as NPZ: numpy.savez(file, samples=…, sample_rate=…)",
    ),
    (b"CDF\x01", 0, "a NetCDF file of version 3", "store it as NetCDF 4 (HDF5) or NPZ"),
    (b"CDF\x02", 0, "a NetCDF file of version 3", "store it as NetCDF 4 (HDF5) or NPZ"),
    (b"\x1f\x8b", 0, "packed (gzip)", "unpack it"),
    (b"BZh", 0, "packed (bzip2)", "unpack it"),
    (b"\xfd7zXZ", 0, "packed (xz)", "unpack it"),
    (b"7z\xbc\xaf", 0, "packed (7z)", "unpack it"),
    (b"Rar!", 0, "packed (rar)", "unpack it"),
    (b"%PDF", 0, "a PDF document", "it holds no samples"),
    (b"\x89PNG", 0, "a picture", "it holds no samples: save the waveform, not the screen"),
    (b"\xff\xd8\xff", 0, "a picture", "it holds no samples: save the waveform, not the screen"),
    (b"BM", 0, "a picture", "it holds no samples: save the waveform, not the screen"),
    (b"<SALEAE>", 0, "a binary export of Saleae Logic", "export it as CSV"),
    (b":WFM", 2, "a waveform of Tektronix (.wfm)", _AS_TEXT),
    (b"AG", 0, "a binary waveform of Keysight or Agilent", _AS_TEXT),
    (b"RG", 0, "a binary waveform of Rigol", _AS_TEXT),
    (b"fLaC", 0, "a FLAC file", "convert it to WAV"),
    (b"OggS", 0, "an Ogg file", "convert it to WAV"),
)
_TEXT_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"<!doctype html", "a web page", "it holds no samples"),
    (b"<html", "a web page", "it holds no samples"),
    (b"<?xml", "an XML file", _AS_TEXT),
    (b"{", "a JSON file", _AS_NPZ),
)
_BY_NAME = {
    "isf": ("a waveform of Tektronix (.isf)", _AS_TEXT),
    "wfm": ("a waveform of Tektronix or Rigol (.wfm)", _AS_TEXT),
    "psdata": ("a file of PicoScope", "export it as CSV or MATLAB file there"),
    "sal": ("a capture of Saleae Logic", "export it as CSV there"),
    "pkl": ("a pickle", "it is never loaded, as it can run programs; store it as NPZ"),
    "pickle": ("a pickle", "it is never loaded, as it can run programs; store it as NPZ"),
    "li": ("a binary log of Moku", "convert it to CSV or MATLAB file with mokucli"),
    "wdf": ("a waveform of Yokogawa (.wdf)", _AS_TEXT),
    "wvf": ("a waveform of Yokogawa (.wvf)", _AS_TEXT),
    "lvm": ("a measurement of LabVIEW", _AS_TEXT),
    "dat": ("a file of bare bytes", "store it as NPY or NPZ: numpy.save(file, samples)"),
    "bin": ("a file of bare bytes", "store it as NPY or NPZ: numpy.save(file, samples)"),
}  # fmt: skip


def named_format(head: bytes, extension: str) -> tuple[str, str] | None:
    """What a file is that cannot be read, and what to do; None if that is not known.

    Parameters
    ----------
    head : bytes
        Its first bytes.
    extension : str
        End of its name with the dot, which says what bytes alone do not.

    Examples
    --------
    >>> named_format(b"PAR1", ".parquet")[0]
    'a Parquet file'
    """
    for mark, at, what, remedy in _KNOWN:
        if head[at:].startswith(mark) and (len(mark) > 2 or not _is_text(head)):
            return what, remedy
    plain = head[:64].lstrip().lower()
    for mark, what, remedy in _TEXT_STARTS:
        if plain.startswith(mark):
            return what, remedy
    if b":WFMP" in head[:16] or b"WFMPRE" in head[:16] or b"WFMOUTPRE" in head[:16]:
        return _BY_NAME["isf"]
    if not _is_text(head):
        return _BY_NAME.get(extension.lstrip(".").lower())
    return None


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are letters, digits and signs."""
    return all(byte in (9, 10, 13) or byte > 31 for byte in head[:256])
