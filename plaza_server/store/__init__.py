"""The plaza's store: synchronous SQL functions over SQLite or PostgreSQL."""

from plaza_server.store.books import audit_books, verify_books
from plaza_server.store.migrate import migrate
from plaza_server.store.opening import Store, open_for_reading, open_store
from plaza_server.store.tokens import new_token, token_hash
from plaza_server.store.units import GroupWriter, commit_group

__all__ = [
    "GroupWriter",
    "Store",
    "audit_books",
    "commit_group",
    "migrate",
    "new_token",
    "open_for_reading",
    "open_store",
    "token_hash",
    "verify_books",
]
