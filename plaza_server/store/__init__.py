"""The plaza's store: synchronous SQL functions over SQLite or PostgreSQL."""

from plaza_server.store.books import BookProblem, verify_books
from plaza_server.store.migrate import migrate
from plaza_server.store.opening import Store, open_store
from plaza_server.store.tokens import new_token, token_hash
from plaza_server.store.units import commit_group

__all__ = [
    "BookProblem",
    "Store",
    "commit_group",
    "migrate",
    "new_token",
    "open_store",
    "token_hash",
    "verify_books",
]
