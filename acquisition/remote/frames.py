"""What stands before the packed value of each request and each answer."""

from __future__ import annotations

import struct

__all__ = ["HEAD", "KINDS", "MAX_ANSWER", "NUMBER"]

NUMBER = struct.Struct(">Q")
"""Before each request: its number."""

HEAD = struct.Struct(">QQB")
"""Before each answer: number of the request, number of the snapshot or 0, kind."""

KINDS = ("value", "same", "error")
"""Of answers; "same" is the snapshot that the remote has already."""

MAX_ANSWER = 64 << 20
"""Bytes of an answer."""
