"""How the journal can fail, told apart for the engine."""

from __future__ import annotations

from tolling.errors import JournalError

SQLITE_FULL = 13
"""The disk, the quota or max_page_count is full."""


class StoreFullError(JournalError):
    """The journal cannot grow; nothing of the commit is in it."""


def journal_error(error: BaseException | None, *, where: str) -> JournalError:
    """Return SQLite's own error as ours. Values of the statement are never repeated."""
    number = getattr(error, "sqlite_errorcode", 0)
    # Extended codes carry the primary one in their low byte.
    if isinstance(number, int) and number & 0xFF == SQLITE_FULL:
        return StoreFullError(
            where=where, what="the disk is full", do="Free space on the lane's disk"
        )
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return JournalError(where=where, what=f"the database failed ({name})")
