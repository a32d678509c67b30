"""Synchronous store functions on the plaza's database."""
