"""Synchronous store functions on the lane's SQLite journal."""
