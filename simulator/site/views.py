"""The site's values as JSON: frozen dataclasses by their field names, with their kind beside
them."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any


def as_json(value: object) -> Any:
    """Return *value* as JSON types. A dataclass becomes an object with its class as ``kind``.

    A ``kind`` field of its own wins. Properties are not included.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: as_json(getattr(value, field.name)) for field in fields_of(value)}
        return {"kind": _snake(type(value).__name__), **fields}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(as_json(key)): as_json(one) for key, one in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [as_json(one) for one in value]
    assert value is None or isinstance(value, str | int | bool), f"no JSON: {type(value).__name__}"
    return value


def fields_of(value: Any) -> tuple[dataclasses.Field[Any], ...]:
    """Return the fields that may be seen: those not hidden from repr."""
    return tuple(field for field in dataclasses.fields(value) if field.repr)


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
