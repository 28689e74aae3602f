"""What the Letter derives beyond the linear pair: quantum states, moving light, many particles.

``optobind.theory`` is its public face: its names stand in ``__init__.pyi`` and are loaded on first
use. It builds on :mod:`optobind.models`; nothing of the laboratory depends on it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
