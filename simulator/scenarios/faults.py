"""Faults as a file says them: target, verb, when, and what the verb needs.

``{on: platform.alipay, verb: answer_lost, when: {nth: 1}}``. Every ``WorldFault`` has a grammar
here; one that gets none is still written and read, under the target ``world`` and its class's name.
Grammars take fields and words from the classes themselves, so a new verb or field needs no line.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from simulator.models import camera, display, etc_reader, io_modules, scanner
from simulator.scenarios.derived import fields_of, key_for, key_of
from simulator.scenarios.nodes import Node, Problems, Table, Text
from simulator.scenarios.shapes import (
    BAD,
    Key,
    Maybe,
    Record,
    Schema,
    Shape,
    Whole,
    did_you_mean,
)
from simulator.scenarios.writer import Plain
from simulator.world import faults as world_faults
from simulator.world.faults import PLAZA_BROKER, WorldFault, kind_of
from tolling.inputs import Output, Point

DEVICES = {
    "io": io_modules._FAULTS,
    "scanner": scanner._FAULTS,
    "display": display._FAULTS,
    "camera": camera._FAULTS,
    "etc": etc_reader._FAULTS,
}
"""Devices of a lane and the faults each can have."""
WIRES = tuple(each.value for each in (*Point, *Output))
"""Points and outputs of the I/O modules: targets of their own."""
LANE = r"lane [0-9]{3}"
PLAZA = r"plaza(?: [2-9])?"
PROCESS = f"(?P<process>{LANE}|{PLAZA})"
IN_LANE = r"lane (?P<lane_id>[0-9]{3})"

_WHEN = {
    "at_ms": "at",
    "for_ms": "for",
    "step": "step",
    "skip": "nth",
    "times": "times",
    "permille": "permille",
}
"""Fields that say when, of any class."""


class _Usual:
    """As often as is usual: once from the n-th on where ``nth`` is said, else as the fault is."""


USUAL = _Usual()


def _to_process(fault: Any) -> str:
    return str(fault.process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How one class of faults is written."""

    kind: type
    target: str
    """Pattern of ``on``; its named groups are fields."""
    shown: str
    """The target in words for people."""
    to_target: Callable[[Any], str]
    inner: str | None = None
    """The field whose own fields are written as if they were the fault's."""
    verb_field: str | None = None
    """The field the verb says; None: ``verbs`` are fixed words."""
    verbs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    """Of the verb field's words; empty = all."""
    fixed: dict[str, Any] = field(default_factory=dict)
    """Fields that are so for this target; they have no key."""
    implied: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Fields a verb sets by itself; they have no key."""
    whole: bool = False
    """Every field is a key of its own: nothing is taken from the target."""

    def fields(self) -> dict[str, tuple[Any, Any]]:
        """Return all fields with their types and defaults, those of *inner* among them."""
        found = dict(fields_of(self.kind))
        if self.inner is not None:
            found |= fields_of(found.pop(self.inner)[0])
        return found

    def words(self) -> tuple[str, ...]:
        """Return the verbs."""
        if self.verb_field is None:
            return self.verbs
        if self.only:
            return self.only
        kind = self.fields()[self.verb_field][0]
        assert issubclass(kind, StrEnum), "a verb is a word"
        return tuple(each.value for each in kind)

    def _hidden(self) -> set[str]:
        silent = {name for given in self.implied.values() for name in given}
        named = set(re.compile(self.target).groupindex) | set(self.fixed)
        return silent | named | ({self.verb_field} if self.verb_field else set())

    def when(self) -> Record:
        """Return the shape of ``when``."""
        keys: dict[str, Key] = {}
        for name, (hint, default) in self.fields().items():
            if name not in _WHEN or name in self._hidden():
                continue
            key = key_for(name, hint, default)
            if name == "times":
                inner = typing.cast(Maybe, key.shape).inner
                often = Maybe(inner=inner, word="always")
                key = dataclasses.replace(key, shape=often, default=USUAL)
            elif name == "skip":
                about = "the n-th it could hit, and no other unless `times` says so"
                key = Key(shape=Whole(least=1, most=1_000_000), default=None, about=about)
            elif name == "at_ms":
                key = dataclasses.replace(key, default=0)
            keys[_WHEN[name]] = key
        return Record(keys=keys, what="`when` of this fault")

    def params(self) -> dict[str, Key]:
        """Return the keys beside on, verb and when."""
        hidden = self._hidden() | set(_WHEN)
        return {
            key_of(name): key_for(name, hint, default)
            for name, (hint, default) in self.fields().items()
            if name not in hidden
        }

    # ---- reading and writing ----

    def make(self, target: str, verb: str, when: dict[str, Any], rest: dict[str, Any]) -> Any:
        """Return the fault. Raises: ValueError: verb and fields do not fit."""
        found = re.fullmatch(self.target, target)
        assert found is not None, "the grammar was chosen by its target"
        values: dict[str, Any] = {**found.groupdict(), **self.fixed, **self.implied.get(verb, {})}
        for name, (hint, default) in self.fields().items():
            if name == self.verb_field:
                values[name] = hint(verb)
            elif name == "skip" and name not in values:
                values[name] = (when["nth"] or 1) - 1
            elif name == "times" and when.get("times") is USUAL:
                values[name] = default if when["nth"] is None else 1
            elif name in _WHEN and _WHEN[name] in when:
                values[name] = when[_WHEN[name]]
            elif key_of(name) in rest and name not in values:
                values[name] = rest[key_of(name)]
        if self.inner is not None:
            outer = fields_of(self.kind)
            inside = fields_of(outer[self.inner][0])
            own = {name: values.pop(name) for name in list(values) if name in inside}
            values[self.inner] = outer[self.inner][0](**own)
        made = self.kind(**values)
        said = self.verb_of(made)
        if said != verb:
            keys = ", ".join(self.params())
            raise ValueError(f"verb `{verb}` needs its own key of {keys}: as it is, it is `{said}`")
        return made

    def verb_of(self, fault: Any) -> str:
        """Return the verb of a fault."""
        if self.verb_field is not None:
            return str(self.value_of(fault, self.verb_field))
        if len(self.verbs) == 1:
            return self.verbs[0]
        return kind_of(fault).removeprefix("line_")

    def value_of(self, fault: Any, name: str) -> Any:
        """Return a field of the fault or of its inner value."""
        if name in fields_of(self.kind):
            return getattr(fault, name)
        assert self.inner is not None
        return getattr(getattr(fault, self.inner), name)

    def take(self, fault: Any) -> dict[str, Any]:
        """Return ``when`` and the rest as read."""
        when: dict[str, Any] = {}
        rest = {}
        for name in self.fields():
            if name in self._hidden():
                continue
            value = self.value_of(fault, name)
            if name == "skip":
                # The first of all needs no number.
                when["nth"] = value + 1 if value else None
            elif name == "times":
                usual = self.fields()[name][1] if not self.value_of(fault, "skip") else 1
                when["times"] = USUAL if value == usual else value
            elif name in _WHEN:
                when[_WHEN[name]] = value
            else:
                rest[key_of(name)] = value
        return {"when": when, **rest}


def _device_target(fault: Any) -> str:
    if fault.device == "io" and fault.trouble.where in WIRES:
        return f"lane {fault.lane_id}.{fault.trouble.where}"
    return f"lane {fault.lane_id}.{fault.device}"


_NAMED: tuple[Grammar, ...] = (
    Grammar(
        kind=world_faults.KillAtStep,
        target=PROCESS,
        shown="plaza, lane 001",
        to_target=_to_process,
        verbs=("kill",),
    ),
    Grammar(
        kind=world_faults.KillAt,
        target=PROCESS,
        shown="plaza, lane 001",
        to_target=_to_process,
        verbs=("kill",),
    ),
    Grammar(
        kind=world_faults.CommitTrouble,
        target=rf"{PROCESS}\.disk",
        shown="plaza.disk, lane 001.disk",
        to_target=lambda fault: f"{fault.process}.disk",
        verb_field="fate",
    ),
    Grammar(
        kind=world_faults.LineTrouble,
        target=rf"line (?P<line>{LANE}-(?:plaza|broker)|{PLAZA}-platform|{PLAZA_BROKER})",
        shown="line lane 001-plaza, line lane 001-broker, line plaza-platform, line plaza-broker",
        to_target=lambda fault: f"line {fault.line}",
        verbs=("cut", "lossy", "doubles", "late", "reorders", "slow"),
        implied={"cut": {"cut": True}},
    ),
    Grammar(
        kind=world_faults.ClockJump,
        target=rf"{PROCESS}\.clock",
        shown="plaza.clock, lane 001.clock",
        to_target=lambda fault: f"{fault.process}.clock",
        verbs=("jump",),
    ),
    Grammar(
        kind=world_faults.PlatformTrouble,
        target=r"platform\.(?P<platform>alipay|wechat|unionpay)",
        shown="platform.alipay, platform.wechat, platform.unionpay",
        to_target=lambda fault: f"platform.{fault.platform}",
        inner="fault",
        verb_field="kind",
    ),
    Grammar(
        kind=world_faults.ClockDrift,
        target=rf"{PROCESS}\.clock",
        shown="plaza.clock, lane 001.clock",
        to_target=lambda fault: f"{fault.process}.clock",
        verbs=("drift",),
    ),
    Grammar(
        kind=world_faults.LanePowerLoss,
        target=IN_LANE,
        shown="lane 001",
        to_target=lambda fault: f"lane {fault.lane_id}",
        verbs=("power_loss",),
    ),
    Grammar(
        kind=world_faults.BarrierTrouble,
        target=rf"{IN_LANE}\.barrier",
        shown="lane 001.barrier",
        to_target=lambda fault: f"lane {fault.lane_id}.barrier",
        verb_field="kind",
    ),
    Grammar(
        kind=world_faults.TariffSwitch,
        target="tariff",
        shown="tariff",
        to_target=lambda fault: "tariff",
        verbs=("switch",),
    ),
    Grammar(
        kind=world_faults.DeviceTroubleAt,
        target=rf"{IN_LANE}\.(?P<where>{'|'.join(WIRES)})",
        shown="lane 001.loop_2 or another point or output",
        to_target=_device_target,
        inner="trouble",
        verb_field="kind",
        only=tuple(sorted(DEVICES["io"])),
        fixed={"device": "io"},
    ),
    *(
        Grammar(
            kind=world_faults.DeviceTroubleAt,
            target=rf"{IN_LANE}\.(?P<device>{device})",
            shown=f"lane 001.{device}",
            to_target=_device_target,
            inner="trouble",
            verb_field="kind",
            only=tuple(sorted(kinds)),
        )
        for device, kinds in DEVICES.items()
    ),
)


def _snake(kind: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


_CLASSES: dict[str, type] = {_snake(kind): kind for kind in typing.get_args(WorldFault)}
GRAMMARS: tuple[Grammar, ...] = (
    *_NAMED,
    *(
        Grammar(
            kind=kind,
            target="world",
            shown="world, with the fault's class as its verb",
            to_target=lambda fault: "world",
            verbs=(name,),
            whole=True,
        )
        for name, kind in _CLASSES.items()
    ),
)
"""Every class of faults, most of them by a name people use; what has none is a fault of `world`."""


def grammar_of(fault: WorldFault) -> Grammar:
    """Return the first grammar that can write *fault*."""
    for grammar in GRAMMARS:
        if grammar.kind is not type(fault):
            continue
        target = grammar.to_target(fault)
        fits = re.fullmatch(grammar.target, target) and grammar.verb_of(fault) in grammar.words()
        if fits:
            return grammar
    raise AssertionError(f"{type(fault).__name__} is a fault of the world")


def targets() -> tuple[str, ...]:
    """Return what ``on`` may say, in words for people."""
    return tuple(dict.fromkeys(grammar.shown for grammar in GRAMMARS))


class FaultShape(Shape):
    """One fault."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the fault."""
        if not isinstance(node, Table):
            hint = "write {on: target, verb: word, when: {at: 12s}}"
            problems.add(node.line, f"a fault is a table: {hint}")
            return BAD
        target, verb = _said(node, "on", problems), _said(node, "verb", problems)
        if target is None or verb is None:
            return BAD
        here = [each for each in GRAMMARS if re.fullmatch(each.target, target.text)]
        if not here:
            known = "; ".join(targets())
            problems.add(target.line, f"`{target.text[:40]}` is no target: use one of {known}")
            return BAD
        fitting = [each for each in here if verb.text in each.words()]
        if not fitting:
            words = tuple(word for each in here for word in each.words())
            hint = did_you_mean(verb.text, tuple(dict.fromkeys(words)))
            said = f"`{verb.text[:40]}` is no verb of {target.text}"
            problems.add(verb.line, f"{said}: {hint}")
            return BAD
        chosen = fitting[0] if _tells_step(node) else fitting[-1]
        return self._record(chosen, target.text, verb.text).read(node, problems)

    def write(self, value: Any) -> Plain:
        """Return the fault's table."""
        grammar = grammar_of(value)
        target, verb = grammar.to_target(value), grammar.verb_of(value)
        table = self._record(grammar, target, verb).write(value)
        assert isinstance(table, dict)
        if not table.get("when", True):
            del table["when"]
        return {"on": target, "verb": verb, **table}

    def _record(self, grammar: Grammar, target: str, verb: str) -> Record:
        def make(read: dict[str, Any]) -> Any:
            when = read["when"]
            if when is None:
                when = {name: key.default for name, key in grammar.when().keys.items()}
            rest = {name: value for name, value in read.items() if name not in _HEAD}
            return grammar.make(target, verb, when, rest)

        when = grammar.when()
        needed = any(key.required for key in when.keys.values())
        plain = _Taken()
        keys = {
            "on": Key(shape=plain, default=None),
            "verb": Key(shape=plain, default=None),
            "when": Key(shape=when) if needed else Key(shape=when, default=None),
            **grammar.params(),
        }
        if not when.keys:
            del keys["when"]
        what = f"fault `{verb}` on {target}"
        return Record(keys=keys, what=what, make=make, take=grammar.take)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"anyOf": [self._schema_of(grammar) for grammar in GRAMMARS]}

    def _schema_of(self, grammar: Grammar) -> Schema:
        made = self._record(grammar, grammar.shown, "").schema()
        pattern = re.sub(r"\?P<[a-z_]+>", "", grammar.target)
        made["properties"]["on"] = {"type": "string", "pattern": f"^{pattern}$"}
        made["properties"]["verb"] = {"enum": list(grammar.words())}
        made["required"] = ["on", "verb", *made.get("required", [])]
        made["title"] = f"{grammar.shown}: {', '.join(grammar.words()[:4])}"
        return made


_HEAD = frozenset({"on", "verb", "when"})


class _Taken(Shape):
    """A key that was read before."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return nothing: its text is known."""

    def write(self, value: Any) -> Plain:
        """Return nothing."""
        return ""

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "string"}


def _said(node: Table, name: str, problems: Problems) -> Text | None:
    for entry in node.entries:
        if entry.key == name and isinstance(entry.value, Text):
            return entry.value
        if entry.key == name:
            problems.add(entry.line, f"`{name}` is one word")
            return None
    problems.add(node.line, f"key `{name}` is missing in this fault: add it")
    return None


def _tells_step(node: Table) -> bool:
    return any(
        each.key == "step"
        for entry in node.entries
        if entry.key == "when" and isinstance(entry.value, Table)
        for each in entry.value.entries
    )
