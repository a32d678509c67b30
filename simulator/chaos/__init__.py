"""Kills and faults done to child processes."""
