"""Fixtures of the tests of a stack's parts."""

from __future__ import annotations

from tests.stack.fixtures import nursery

__all__ = ["nursery"]
