"""Plans that are written as Python: generators of steps, carried out as a sweep is."""

from . import steps

__all__ = ["steps"]
