"""What to say of a load that has failed half way."""

from __future__ import annotations

__all__ = ["stopped"]


def stopped(error: Exception, done: int, unknown: int, noun: str) -> str:
    """The message of an error, and how much of the file is stored.

    Args:
        done: rows at the beginning of the file that are stored.
        unknown: rows after them that may be stored.
        noun: what the rows are, such as "records".
    """
    begun = (
        f"after {done:,} {noun} of the file, which are stored (go on with --skip {done}): " if done else ""
    )
    lost = f"; it is not known whether the {unknown:,} {noun} that were sent are stored" if unknown else ""
    return f"{begun}{error}{lost}"
