"""Synchronous store functions on the lane's SQLite journal."""

from lane_controller.store.ballast import BALLAST_BYTES, Ballast
from lane_controller.store.errors import StoreFullError
from lane_controller.store.journal import LaneStore, beside, open_journal, store_warnings

__all__ = [
    "BALLAST_BYTES",
    "Ballast",
    "LaneStore",
    "StoreFullError",
    "beside",
    "open_journal",
    "store_warnings",
]
