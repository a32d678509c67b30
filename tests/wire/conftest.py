"""Fixtures of this suite."""

from __future__ import annotations

from tests.stack.fixtures import nursery, true_nursery

__all__ = ["nursery", "true_nursery"]
