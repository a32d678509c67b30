"""Part of M1: what a record says is due is what the tariff said, computed here once more.

The tariff is the auditor's own copy of what was put into the plaza; the arithmetic is written down
here a second time, from the tariff's rules and not from the code that quotes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from simulator.auditor.evidence import AuditedRecord, AuditedTariff, Evidence
from simulator.plant.events import Display

NORMAL = 0
"""The vehicle kind that pays its toll; every other is free."""
FARTHEST = "farthest"
PRICED_US = 5_000_000
"""A toll is journalled before it is shown, and a journal may be slow: it was the price this long
before at the most."""
NEWS_US = 1_000_000
"""So long after a version was answered to a lane the lane knows it."""

Shown = dict[str, list[tuple[int, str]]]
"""Lane -> (when, what the display said), in order."""


def m1_prices(
    seen: Evidence, records: Iterator[tuple[AuditedRecord, dict[str, Any]]]
) -> Iterator[str]:
    """Yield every record whose toll is not what the tariff of its time says."""
    if not seen.tariffs:
        return
    tariffs = {tariff.version: tariff for tariff in seen.tariffs}
    shown = _shown(seen)
    for record, body in records:
        name, quote = f"record {record.lane_id}/{record.seq}", body.get("quote")
        if quote is None:
            if body["toll_due_fen"]:
                yield f"{name}: {body['toll_due_fen']} due, and nothing says why"
            continue
        tariff = tariffs.get(quote["tariff_version"])
        if tariff is None:
            yield f"{name}: priced by version {quote['tariff_version']}, which nobody made"
            continue
        due_fen = _due_fen(tariff, quote, body)
        if due_fen != body["toll_due_fen"]:
            yield f"{name}: {body['toll_due_fen']} due, the tariff says {due_fen}"
        may = _in_force(seen, record, body, shown)
        if may is not None and tariff.version not in may:
            versions = ", ".join(map(str, sorted(may)))
            yield f"{name}: priced by version {tariff.version}, in force was {versions}"


def _shown(seen: Evidence) -> Shown:
    """Return what displays said. What one shows again after the dark, as it was before, says
    nothing: it is dark until the next picture."""
    shown: Shown = defaultdict(list)
    before: dict[str, str] = {}
    for entry in seen.plant_log:
        if isinstance(entry, Display):
            said, lane = " ".join(entry.lines), shown[entry.lane]
            if said and lane and not lane[-1][1] and said == before.get(entry.lane):
                continue
            lane.append((entry.at_us, said))
            before[entry.lane] = said or before.get(entry.lane, "")
    return shown


def _due_fen(tariff: AuditedTariff, quote: dict[str, Any], body: dict[str, Any]) -> int | None:
    """Return what the vehicle owes, None where no row of the tariff is for it."""
    if body["vehicle_kind"] != NORMAL:
        return 0
    rows = [row for row in tariff.rows if row[1] == body["vehicle_class"]]
    if quote["entry_source"] == FARTHEST:
        farthest_m = max((row[3] for row in rows), default=0)
        return max((row[2] for row in rows if row[3] == farthest_m), default=None)
    return next((row[2] for row in rows if row[0] == quote["entry_station"]), None)


def _in_force(
    seen: Evidence, record: AuditedRecord, body: dict[str, Any], shown: Shown
) -> frozenset[int] | None:
    """Return the versions a lane that knows its tariffs may have priced this record by; None where
    its clock does not say."""
    arrived, sealed = body["arrived"], body["sealed"]
    told = {arrived["quality"], sealed["quality"]} == {"synced"}
    if seen.wall_base_ms is None or record.lane_id in seen.clocks_off or not told:
        return None
    from_us = (arrived["utc_ms"] - seen.wall_base_ms) * 1_000
    until_us = (sealed["utc_ms"] - seen.wall_base_ms) * 1_000
    first = _first_shown(shown[record.lane_id], from_us, until_us, body["toll_due_fen"])
    if first is not None:
        from_us, until_us = max(from_us, first[0] - PRICED_US), first[1]
    moments = {from_us, until_us}
    moments |= {t.from_us for t in seen.tariffs if t.from_us is not None}
    return frozenset(
        version
        for at_us in moments
        if from_us <= at_us <= until_us
        for version in _versions_at(seen, record.lane_id, at_us, from_us)
    )


def _first_shown(
    shown: list[tuple[int, str]], from_us: int, until_us: int, toll_fen: int
) -> tuple[int, int] | None:
    """Return when a toll first stood on a lane's display while its vehicle was there: from when on
    it may have been sent there, and when it could be read. The two differ where the display was
    dark or unplugged until then."""
    text = f"{toll_fen // 100}.{toll_fen % 100:02d}"
    for place in range(bisect_left(shown, (from_us, "")), len(shown)):
        at_us, said = shown[place]
        if at_us > until_us:
            return None
        if text in said:
            sent_us = at_us
            while place > 0 and not shown[place - 1][1]:
                place -= 1
                sent_us = shown[place][0]
            return sent_us, at_us
    return None


def _versions_at(seen: Evidence, lane_id: str, at_us: int, from_us: int) -> Iterator[int]:
    """Yield the newest version in force by what the lane knew at the start of that while and by
    what it may have heard during it. A lane that was told only of later ones, by a plaza whose
    clock is ahead, has nothing else to price by than the first of them."""
    heard = {v: us for lane, v, us in seen.tariffs_heard if lane == lane_id}
    for know_us in (from_us - NEWS_US, at_us + NEWS_US):
        known = [
            (tariff.from_us, tariff.version)
            for tariff in seen.tariffs
            if tariff.from_us is not None and heard.get(tariff.version, know_us + 1) <= know_us
        ]
        if known:
            begun = [each for each in known if each[0] <= at_us]
            yield (max(begun) if begun else min(known))[1]
