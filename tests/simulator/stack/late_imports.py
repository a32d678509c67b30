"""A planter for a nursery: a process writes down each module it imports after its start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


class Watcher:
    """Finds nothing, and notes what it was asked to find, one name on a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Write the name down, and leave the finding to who comes after."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return None


def plant(module: str, plan: Path) -> None:
    """Watch the imports of this process from here on. *module*: its main module."""
    path = plan.with_name(f"{plan.name}.imports")
    path.touch()
    sys.meta_path.insert(0, Watcher(path))
