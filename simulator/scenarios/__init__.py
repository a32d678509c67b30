"""Scenario files: their format and parser."""
