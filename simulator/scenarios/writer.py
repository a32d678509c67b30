"""Plain data as the YAML of a scenario file: one line for each vehicle and each fault.

What is written reads back the same in any YAML reader: a text that one of them could take for a
number, a truth value or a date is quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Union

Plain = Union[str, int, bool, Sequence["Plain"], Mapping[str, "Plain"]]  # noqa: UP007 - recursive
"""What a file is made of."""

_SAFE = re.compile(
    r"[A-Za-z_\u4e00-\u9fff](?:[A-Za-z0-9_.\u4e00-\u9fff-]| (?=[A-Za-z0-9_\u4e00-\u9fff]))*",
    re.ASCII,
)
_SPAN = re.compile(r"-?[0-9]+(?:us|ms|s|min|h|d)", re.ASCII)
_GUESSED = frozenset({"yes", "no", "on", "off", "true", "false", "null", "y", "n", "nan", "inf"})
"""Words that some YAML reader takes for something else."""


def text_of(text: str) -> str:
    """Return a text as YAML."""
    plain = _SAFE.fullmatch(text) or _SPAN.fullmatch(text)
    if plain and text.lower() not in _GUESSED:
        return text
    return json.dumps(text, ensure_ascii=False)


def _flow(value: Plain) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)}: {_flow(each)}" for name, each in value.items())
        return f"{{{inner}}}"
    return f"[{', '.join(_flow(each) for each in value)}]"


def _key(name: str) -> str:
    # `on` is a key of every fault and stays bare: as a key no reader of this format guesses.
    return name if name == "on" else text_of(name)


def to_yaml(top: Mapping[str, Plain], *, heading: Sequence[str] = ()) -> str:
    """Return the file: *heading* as comments, then each key of *top* in its order."""
    lines = [f"# {' '.join(each.split())}" for each in heading]
    for name, value in top.items():
        if isinstance(value, Mapping) and value:
            lines.append(f"{_key(name)}:")
            lines += _block(value)
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            lines.append(f"{_key(name)}:")
            lines += [f"  - {_flow(each)}" for each in value]
        else:
            lines.append(f"{_key(name)}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _block(table: Mapping[str, Plain]) -> list[str]:
    lines = []
    for name, value in table.items():
        nested = isinstance(value, Sequence) and not isinstance(value, str)
        if nested and any(isinstance(each, Mapping) for each in value):  # type: ignore[union-attr]
            lines.append(f"  {_key(name)}:")
            lines += [f"    - {_flow(each)}" for each in value]  # type: ignore[union-attr]
        else:
            lines.append(f"  {_key(name)}: {_flow(value)}")
    return lines
