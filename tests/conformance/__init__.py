"""Suites that every implementation of one port must pass alike."""
