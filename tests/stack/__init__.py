"""Fixtures of the suites that run whole plazas of real processes (simulator.stack)."""
