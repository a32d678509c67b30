"""Faults of every wire, against real processes."""
