"""Canonical bytes: one value, one text, on every machine. And back, for values we know the type of.

Used for hashes, signatures, journals and state snapshots: JSON with sorted keys, no white space,
UTF-8, integers only. A float is refused: its text differs between writers. Frozen dataclasses,
enums, tuples, frozensets and dicts with text keys go in; every dataclass is marked by its class
name under ``"_"``, which tells the members of a union apart. Errors never repeat a value, nor a key
that may be one.

Strategy. How a type is written and read is found out once and kept as a function: every event of a
lane comes through here, and a start reads a day of them.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Union

from tolling import canonical_text
from tolling.errors import BadInputError

MAX_INT = canonical_text.MAX_INT
_FIELD_NAME = re.compile(r"[a-z_]{1,40}")

_Convert = Callable[[Any], Any]


# ---- writing ----


def to_plain(value: object) -> Any:
    """Return *value* as plain JSON data.

    Raises: TypeError: a float, bytes or another foreign type, or an integer beyond 63 bits.
    """
    return _writer(type(value))(value)


def canonical_bytes(value: object) -> bytes:
    """Return the one text of *value* as UTF-8 bytes.

    Raises: TypeError: *value* holds what has no canonical form. ValueError: half a character.
    """
    return canonical_text.text_of(value).encode("utf-8")


def _itself(value: Any) -> Any:
    return value


def _make_writer(kind: Any) -> _Convert:
    """Return how values of exactly this type are written."""
    if kind is str or kind is bool or kind is type(None):
        return _itself
    if issubclass(kind, enum.Enum):
        return attrgetter("_value_")
    if issubclass(kind, str):
        return str
    if issubclass(kind, int):
        return _plain_int
    if issubclass(kind, (tuple, list)):
        return _plain_list
    if issubclass(kind, frozenset):
        return _plain_set
    if issubclass(kind, Mapping):
        return _plain_mapping
    if dataclasses.is_dataclass(kind):
        return _dataclass_writer(kind)
    raise TypeError(f"{kind.__name__} has no canonical form")


_writer: _Convert = functools.cache(_make_writer)


def _plain_int(value: int) -> int:
    if not -MAX_INT <= value <= MAX_INT:
        raise TypeError("integer beyond 63 bits")
    return int(value)


def _plain_list(value: Any) -> Any:
    return [_writer(type(item))(item) for item in value]


def _plain_set(value: Any) -> Any:
    return sorted(_plain_list(value))


def _plain_mapping(value: Any) -> Any:
    if not all(isinstance(key, str) for key in value):
        raise TypeError("mapping keys are text")
    return {str(key): to_plain(item) for key, item in value.items()}


def _dataclass_writer(kind: Any) -> _Convert:
    mark = kind.__name__
    names = tuple(field.name for field in dataclasses.fields(kind))
    if not names:
        return lambda value: {"_": mark}
    get = attrgetter(*names) if len(names) > 1 else _one(names[0])

    def write(value: Any) -> Any:
        plain = {
            name: item if item is None or type(item) is str else _writer(type(item))(item)
            for name, item in zip(names, get(value), strict=True)
        }
        plain["_"] = mark
        return plain

    return write


def _one(name: str) -> _Convert:
    get = attrgetter(name)
    return lambda value: (get(value),)


# ---- reading ----


def from_canonical(kind: Any, data: bytes) -> Any:
    """Return the value of type *kind* (a dataclass or a union of dataclasses) written in *data*.

    Raises: BadInputError: the bytes are no JSON or not such a value; names the path.
    """
    plain: Any = None
    try:
        text = data.decode("utf-8")
        plain = json.loads(text, parse_float=_refuse_float, parse_constant=_refuse_float)
        if "\\u" in text:
            # Half of a surrogate pair is a str in Python but can never be written again.
            json.dumps(plain, ensure_ascii=False).encode("utf-8")
        readable = True
    except (ValueError, RecursionError):
        # The cause is dropped on purpose: it holds the input.
        readable = False
    if not readable:
        raise BadInputError(where="canonical bytes", what="not JSON without floats")
    return from_plain(kind, plain, "$")


def from_plain(kind: Any, plain: Any, path: str = "$") -> Any:
    """Return *plain* JSON data as a value of type *kind*. Raises: BadInputError: names the path."""
    try:
        return _reader(kind)(plain)
    except _WrongError as wrong:
        where = path + "".join(reversed(wrong.path))
        raise BadInputError(where=where, what=wrong.what) from wrong.cause


class _WrongError(Exception):
    """A value that does not fit; its path grows on the way out."""

    def __init__(self, what: str, cause: BaseException | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.path: list[str] = []

    def under(self, step: str) -> _WrongError:
        """Return this error, one step further up."""
        self.path.append(step)
        return self


def shown_key(key: object) -> str:
    """Return *key* of a JSON object or list for an error text; "?" where it may be a secret.

    Field names are lower-case letters and ``_``; no pay code is.
    """
    if isinstance(key, int):
        return str(key)
    return key if isinstance(key, str) and _FIELD_NAME.fullmatch(key) else "?"


def _refuse_float(text: str) -> typing.NoReturn:
    raise ValueError("a float")


def _make_reader(kind: Any) -> _Convert:
    """Return how a value of this type is read. It raises: _WrongError."""
    kind = getattr(kind, "__supertype__", kind)
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(typing.get_args(kind))
    if origin is not None:
        return _collection_reader(origin, typing.get_args(kind))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    if kind is Any:
        return _itself
    return _SCALARS.get(kind) or _nothing_is(kind)


_reader: _Convert = functools.cache(_make_reader)


def _dataclass_reader(kind: Any) -> _Convert:
    mark = kind.__name__
    fields = {field.name: _has_default(field) for field in dataclasses.fields(kind)}
    # Readers are looked up when the first value comes: a type may hold its own kind.
    hints: dict[str, Any] = {}

    def read(plain: Any) -> Any:
        if not isinstance(plain, dict):
            raise _WrongError(f"expected an object of {mark}")
        if plain.get("_", mark) != mark:
            raise _WrongError(f"expected {mark}")
        if not hints:
            hints.update(typing.get_type_hints(kind))
        values = {}
        for name, has_default in fields.items():
            if name in plain:
                try:
                    values[name] = _reader(hints[name])(plain[name])
                except _WrongError as wrong:
                    raise wrong.under(f".{name}") from None
            elif not has_default:
                raise _unknown(plain, fields, mark) or _WrongError("missing").under(f".{name}")
        if len(values) + ("_" in plain) != len(plain):
            raise _unknown(plain, fields, mark) or AssertionError("a field was not read")
        try:
            return kind(**values)
        except AssertionError as error:
            raise _WrongError(str(error) or f"not a valid {mark}", error) from error

    return read


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _unknown(plain: dict[Any, Any], fields: Mapping[str, bool], mark: str) -> _WrongError | None:
    foreign = sorted(set(plain) - set(fields) - {"_"})
    return _WrongError(f"unknown field {shown_key(foreign[0])} in {mark}") if foreign else None


def _union_reader(members: tuple[Any, ...]) -> _Convert:
    may_be_none = type(None) in members
    rest = [member for member in members if member is not type(None)]
    named = {member.__name__: member for member in reversed(rest) if hasattr(member, "__name__")}
    loose = [member for member in rest if not dataclasses.is_dataclass(member)]

    def read(plain: Any) -> Any:
        if plain is None:
            if may_be_none:
                return None
            raise _WrongError("missing value")
        if isinstance(plain, dict):
            mark = plain.get("_")
            if isinstance(mark, str) and mark in named:
                return _reader(named[mark])(plain)
        if len(rest) == 1:
            return _reader(rest[0])(plain)
        for member in loose:
            try:
                return _reader(member)(plain)
            except _WrongError:
                continue
        raise _WrongError("none of the known kinds")

    return read


def _collection_reader(origin: Any, args: tuple[Any, ...]) -> _Convert:
    if origin in (frozenset, list) or (origin is tuple and args[1:] == (Ellipsis,)):
        return functools.partial(_read_many, origin, args[0])
    if origin is tuple:
        return functools.partial(_read_row, args)
    if origin in (dict, Mapping):
        return functools.partial(_read_mapping, *args)
    raise TypeError(f"{origin} has no canonical form")


def _read_many(origin: Any, kind: Any, plain: Any) -> Any:
    if not isinstance(plain, list):
        raise _WrongError("expected a list")
    return origin(_read_items([kind] * len(plain), plain))


def _read_row(kinds: tuple[Any, ...], plain: Any) -> Any:
    if not isinstance(plain, list) or len(plain) != len(kinds):
        raise _WrongError(f"expected a list of {len(kinds)}")
    return tuple(_read_items(kinds, plain))


def _read_items(kinds: Sequence[Any], plain: list[Any]) -> list[Any]:
    found = []
    for number, (kind, item) in enumerate(zip(kinds, plain, strict=True)):
        try:
            found.append(_reader(kind)(item))
        except _WrongError as wrong:
            raise wrong.under(f"[{number}]") from None
    return found


def _read_mapping(key_kind: Any, kind: Any, plain: Any) -> Any:
    if not isinstance(plain, dict):
        raise _WrongError("expected an object")
    found = {}
    for key, item in plain.items():
        try:
            found[_reader(key_kind)(key)] = _reader(kind)(item)
        except _WrongError as wrong:
            raise wrong.under(f".{shown_key(key)}") from None
    return found


def _enum_reader(kind: type[enum.Enum]) -> _Convert:
    # True and 1.0 equal 1, so a look-up by the value alone would take them for the member 1.
    members = {(type(member.value), member.value): member for member in kind}

    def read(plain: Any) -> Any:
        found = members.get((type(plain), plain)) if isinstance(plain, (str, int)) else None
        if found is None:
            raise _WrongError(f"not a {kind.__name__}")
        return found

    return read


def _read_bool(plain: Any) -> Any:
    if plain is True or plain is False:
        return plain
    raise _WrongError("expected bool")


def _read_int(plain: Any) -> Any:
    if type(plain) is not int:
        raise _WrongError("expected int")
    if not -MAX_INT <= plain <= MAX_INT:
        raise _WrongError("integer beyond 63 bits")
    return plain


def _read_str(plain: Any) -> Any:
    if type(plain) is str:
        return plain
    raise _WrongError("expected str")


def _nothing_is(kind: Any) -> _Convert:
    def read(plain: Any) -> Any:
        raise _WrongError(f"expected {getattr(kind, '__name__', kind)}")

    return read


_SCALARS: dict[Any, _Convert] = {bool: _read_bool, int: _read_int, str: _read_str}
