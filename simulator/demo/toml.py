"""Writes the TOML of a lane file: tables, texts, numbers and truths, nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def toml_text(tables: Mapping[str, Any], *, head: str = "") -> str:
    """Return nested mappings as TOML. *head*: comment lines, without the mark."""
    lines = [f"# {line}" for line in head.splitlines()]
    _write(lines, tables, ())
    return "\n".join(lines).lstrip("\n") + "\n"


def _write(lines: list[str], table: Mapping[str, Any], path: tuple[str, ...]) -> None:
    own: list[str] = []
    inner: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in table.items():
        if not isinstance(value, Mapping):
            own += [] if value is None else [f"{key} = {_value(value)}"]
        elif path and _is_inline(value):
            own.append(f"{key} = {_inline(value)}")
        else:
            inner.append((key, value))
    if path and (own or not inner):
        lines += ["", f"[{'.'.join(path)}]"]
    lines += own
    for key, value in inner:
        _write(lines, value, (*path, key))


def _is_inline(table: Mapping[str, Any]) -> bool:
    """Return whether a table is written in one line: small, and without tables of its own."""
    return len(table) <= 2 and not any(isinstance(value, Mapping) for value in table.values())


def _inline(table: Mapping[str, Any]) -> str:
    inner = ", ".join(f"{key} = {_value(value)}" for key, value in table.items())
    return f"{{ {inner} }}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    assert isinstance(value, str | int | float), f"no TOML: {type(value).__name__}"
    # A JSON text without escapes beyond the basic ones is a TOML text as well.
    return json.dumps(value, ensure_ascii=False)
