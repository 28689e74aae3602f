"""optobind: runs optical-binding experiments with levitated nanoparticles and explains their data.

The public API: what a laboratory needs, from a rig or a record to a fitted number. Its names stand
in ``__init__.pyi``, once, for type checkers and for Python, which loads each on first use: ``import
optobind`` is quick and works without Qt, nidaqmx or any vendor package. What the Letter derives
beyond the measured pair has a namespace of its own, :mod:`optobind.theory`.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
