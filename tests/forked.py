"""Something that runs in a forked child, and how the parent learns what came of it.

By a pipe, not by `os.waitpid`: gevent's own waits for ever, now and then, for a child that ends quickly.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable

__all__ = ["forked"]


def forked(work: Callable[[], object]) -> Callable[[], str]:
    """Run `work` in a child from now on. What is returned waits for its end: "fine", or what it raised."""
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads of the parent do not matter here
        child = os.fork()
    if child == 0:
        said = "fine"
        try:
            work()
        except BaseException:
            said = traceback.format_exc()
        finally:
            os.write(writable, said.encode())
            os._exit(0)
    # Not to its end: gevent closes a file when its hub has a turn, and this process may stand still.
    return lambda: os.read(readable, 65_536).decode()
