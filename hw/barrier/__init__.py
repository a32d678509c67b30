"""The barrier and everything wired to its I/O modules."""
