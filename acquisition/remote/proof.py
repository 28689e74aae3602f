"""Tokens, and the proof that both sides know one: it never travels, nor can a proof be repeated.

Each side sends a number that is used once; each answers with the HMAC-SHA256 of both numbers under
the token. A program that has taken the port of an experiment that is over learns nothing, and a
client notices that.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

__all__ = ["new_number", "new_token", "proof", "proves"]


def new_token() -> str:
    """Return a new secret, fit for an address."""
    return secrets.token_urlsafe(24)


def new_number() -> str:
    """Return a number that is used once."""
    return secrets.token_hex(16)


def proof(token: str, side: str, theirs: str, own: str) -> str:
    """Prove that the token is known.

    Parameters
    ----------
    token : str
        The secret.
    side : {"client", "server"}
        Who proves it: the proof of one side is none of the other.
    theirs, own : str
        Numbers of the other side and of this one.
    """
    text = "\n".join((side, theirs, own))
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


def proves(given: object, token: str, side: str, theirs: str, own: str) -> bool:
    """Whether the other side, whose number is ``own`` to it, has proved that it knows the token."""
    if not isinstance(given, str) or not given.isascii():
        return False
    return hmac.compare_digest(given, proof(token, side, theirs, own))
