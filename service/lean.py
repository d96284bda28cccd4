"""What libraries bring along for others, and no worker here has to keep in memory: 6 MB of 120.

It only counts for the first who imports such a library.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without(name: str) -> Iterator[None]:
    """Who looks meanwhile for this optional module does not find it. One that is loaded already stays."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast("ModuleType", None)  # the import system's word for "there is none"
    try:
        yield
    finally:
        sys.modules.pop(name, None)
