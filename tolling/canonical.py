"""Canonical bytes: one value, one text, on every machine. And back, for values we know the type of.

Used for hashes, signatures, journals and state snapshots: JSON with sorted keys, no white space,
UTF-8, integers only. A float is refused: its text differs between writers. Frozen dataclasses,
enums, tuples, frozensets and dicts with text keys go in; every dataclass is marked by its class
name under ``"_"``, which tells the members of a union apart. Errors never repeat a value, nor a key
that may be one.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import re
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, Union

from tolling.errors import BadInputError

_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""Made once: ``json.dumps`` makes an encoder for each call with these arguments."""
MAX_INT = 2**63 - 1
"""Larger integers do not fit a database's column."""
_FIELD_NAME = re.compile(r"[a-z_]{1,40}")


def to_plain(value: object) -> Any:
    """Return *value* as plain JSON data.

    Raises: TypeError: a float, bytes or another foreign type, or an integer beyond 63 bits.
    """
    kind: Any = type(value)
    # What most values are, by their exact type; every event of a lane comes through here.
    if kind is str or kind is bool or value is None:
        return value
    names = _field_names(kind)
    if names:
        plain = {name: to_plain(getattr(value, name)) for name in names}
        plain["_"] = kind.__name__
        return plain
    return _other_to_plain(value)


@functools.cache
def _field_names(kind: Any) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; nothing for one without, and for other types."""
    if not dataclasses.is_dataclass(kind):
        return ()
    return tuple(field.name for field in dataclasses.fields(kind))


def _other_to_plain(value: object) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        if abs(value) > MAX_INT:
            raise TypeError("integer beyond 63 bits")
        return int(value)
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("mapping keys are text")
        return {str(key): to_plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"_": type(value).__name__}
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_bytes(value: object) -> bytes:
    """Return the one text of *value* as UTF-8 bytes.

    Raises: TypeError: *value* holds what has no canonical form. ValueError: half a character.
    """
    plain = to_plain(value)
    return _write(plain).encode("utf-8")


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


def shown_key(key: object) -> str:
    """Return *key* of a JSON object or list for an error text; "?" where it may be a secret.

    Field names are lower-case letters and ``_``; no pay code is.
    """
    if isinstance(key, int):
        return str(key)
    return key if isinstance(key, str) and _FIELD_NAME.fullmatch(key) else "?"


def from_plain(kind: Any, plain: Any, path: str = "$") -> Any:
    """Return *plain* JSON data as a value of type *kind*. Raises: BadInputError: names the path."""
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _from_union(kind, plain, path)
    if origin is not None:
        return _from_collection(origin, typing.get_args(kind), plain, path)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _from_dataclass(kind, plain, path)
    return _from_scalar(kind, plain, path)


def _refuse_float(text: str) -> typing.NoReturn:
    raise ValueError("a float")


def _bad(path: str, what: str) -> BadInputError:
    return BadInputError(where=path, what=what)


@functools.cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _from_dataclass(kind: Any, plain: Any, path: str) -> Any:
    if not isinstance(plain, dict):
        raise _bad(path, f"expected an object of {kind.__name__}")
    if plain.get("_", kind.__name__) != kind.__name__:
        raise _bad(path, f"expected {kind.__name__}")
    hints = _hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(plain) - set(fields) - {"_"})
    if unknown:
        raise _bad(path, f"unknown field {shown_key(unknown[0])} in {kind.__name__}")
    values = {}
    for name, field in fields.items():
        if name in plain:
            values[name] = from_plain(hints[name], plain[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _bad(f"{path}.{name}", "missing")
    try:
        return kind(**values)
    except AssertionError as error:
        raise _bad(path, str(error) or f"not a valid {kind.__name__}") from error


def _from_union(kind: Any, plain: Any, path: str) -> Any:
    members = typing.get_args(kind)
    if plain is None:
        if type(None) in members:
            return None
        raise _bad(path, "missing value")
    rest = [member for member in members if member is not type(None)]
    if isinstance(plain, dict):
        named = [m for m in rest if getattr(m, "__name__", None) == plain.get("_")]
        if named:
            return from_plain(named[0], plain, path)
    if len(rest) == 1:
        return from_plain(rest[0], plain, path)
    for member in rest:
        if not dataclasses.is_dataclass(member):
            try:
                return from_plain(member, plain, path)
            except BadInputError:
                continue
    raise _bad(path, "none of the known kinds")


def _from_collection(origin: Any, args: tuple[Any, ...], plain: Any, path: str) -> Any:
    if origin in (frozenset, list) or (origin is tuple and args[1:] == (Ellipsis,)):
        if not isinstance(plain, list):
            raise _bad(path, "expected a list")
        return origin(from_plain(args[0], item, f"{path}[{i}]") for i, item in enumerate(plain))
    if origin is tuple:
        if not isinstance(plain, list) or len(plain) != len(args):
            raise _bad(path, f"expected a list of {len(args)}")
        pairs = zip(args, plain, strict=True)
        return tuple(from_plain(a, item, f"{path}[{i}]") for i, (a, item) in enumerate(pairs))
    if not isinstance(plain, dict):
        raise _bad(path, "expected an object")
    if origin not in (dict, Mapping):
        raise TypeError(f"{origin} has no canonical form")
    found = {}
    for key, item in plain.items():
        inner = f"{path}.{shown_key(key)}"
        found[from_plain(args[0], key, inner)] = from_plain(args[1], item, inner)
    return found


def _from_scalar(kind: Any, plain: Any, path: str) -> Any:
    kind = getattr(kind, "__supertype__", kind)
    if kind is Any:
        return plain
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        # True and 1.0 equal 1, so a look-up alone would take them for the member 1.
        for member in kind:
            if type(plain) is type(member.value) and plain == member.value:
                return member
        raise _bad(path, f"not a {kind.__name__}")
    if kind is bool and isinstance(plain, bool):
        return plain
    if kind is int and isinstance(plain, int) and not isinstance(plain, bool):
        if abs(plain) > MAX_INT:
            raise _bad(path, "integer beyond 63 bits")
        return plain
    if kind is str and isinstance(plain, str):
        return plain
    raise _bad(path, f"expected {getattr(kind, '__name__', kind)}")
