"""The canonical text of a value, written straight from it: ``text_of``.

The same text as JSON's encoder makes of ``canonical.to_plain``, without the plain data in between:
every event of a lane and every message is written so, and the encoder sorts the keys of each object
again that a class's field names sort once.

Strategy. How a type is written is found out once and kept as a function; a dataclass is one format
string with its keys in order.
"""

from __future__ import annotations

import dataclasses
import enum
import json.encoder
from collections.abc import Callable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

MAX_INT = 2**63 - 1
"""Larger integers do not fit a database's column."""

_quote: Callable[[str], str] = json.encoder.encode_basestring
_Write = Callable[[Any], str]
_STR_ALONE = frozenset({str})
_NULL = "null"


class _Writers(dict[type, _Write]):
    """How values of exactly this type are written."""

    def __missing__(self, kind: type) -> _Write:
        made = self[kind] = _make(kind)
        return made


def _make(kind: Any) -> _Write:
    if kind is bool:
        return _bool_text
    if kind is type(None):
        return _null_text
    if issubclass(kind, enum.Enum):
        return _enum_writer(kind)
    if issubclass(kind, str):
        return _str_text
    if issubclass(kind, int):
        return _int_text
    if issubclass(kind, (tuple, list)):
        return _list_text
    if issubclass(kind, frozenset):
        return _set_text
    if issubclass(kind, Mapping):
        return _mapping_text
    if dataclasses.is_dataclass(kind):
        return _dataclass_writer(kind)
    raise TypeError(f"{kind.__name__} has no canonical form")


_writers = _Writers()


def text_of(value: object) -> str:
    """Return the one text of *value*.

    Raises: TypeError: *value* holds what has no canonical form.
    """
    return _writers[type(value)](value)


def _bool_text(value: Any) -> str:
    return "true" if value else "false"


def _null_text(value: Any) -> str:
    del value
    return _NULL


def _str_text(value: Any) -> str:
    return _quote(str(value))


def _int_text(value: Any) -> str:
    if not -MAX_INT <= value <= MAX_INT:
        raise TypeError("integer beyond 63 bits")
    return int.__repr__(value)


def _enum_writer(kind: type[enum.Enum]) -> _Write:
    texts = {member: text_of(member.value) for member in kind}
    return texts.__getitem__


def _list_text(value: Any) -> str:
    return "[" + ",".join([_writers[type(item)](item) for item in value]) + "]"


def _set_text(value: Any) -> str:
    plain = [item.value if isinstance(item, enum.Enum) else item for item in value]
    return _list_text(sorted(plain))


def _mapping_text(value: Any) -> str:
    if set(map(type, value)) <= _STR_ALONE:
        items = sorted(value.items(), key=itemgetter(0))
    elif all(isinstance(key, str) for key in value):
        items = sorted([(str(key), item) for key, item in value.items()], key=itemgetter(0))
    else:
        raise TypeError("mapping keys are text")
    texts = [
        f"{_quote(key)}:{_quote(item) if type(item) is str else _writers[type(item)](item)}"
        for key, item in items
    ]
    return "{" + ",".join(texts) + "}"


def _dataclass_writer(kind: Any) -> _Write:
    names = sorted(field.name for field in dataclasses.fields(kind))
    keys = sorted(["_", *names])
    mark = _quote(kind.__name__)
    text = ",".join([f"{_quote(key)}:{mark if key == '_' else '%s'}" for key in keys])
    form = "{" + text + "}"
    if not names:
        return lambda value: form
    get = attrgetter(*names) if len(names) > 1 else _one(names[0])

    def write(value: Any) -> str:
        return form % tuple(
            [
                _quote(item)
                if (its := type(item)) is str
                else (_NULL if item is None else _writers[its](item))
                for item in get(value)
            ]
        )

    return write


def _one(name: str) -> Callable[[Any], tuple[Any]]:
    get = attrgetter(name)
    return lambda value: (get(value),)
