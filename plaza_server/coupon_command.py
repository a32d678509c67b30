"""plaza-server coupons: take an issuer's file, list what became of coupons, let one go by hand.

Strategy. The file goes into the store by itself. On SQLite a plaza that serves has the store: then
the file goes to its API (POST /v1/coupons) with the administrator's token. Lists are read beside
it. That a coupon may go is a person's word, so it goes to the running plaza's API with that
person's token.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from plaza_server.api_call import call_plaza
from plaza_server.config import load_config
from plaza_server.rules.coupon_file import parse_coupons
from plaza_server.rules.coupons import CouponState, ImportCoupons, held_text
from plaza_server.shell.clock import SystemClock
from plaza_server.store import commit_group, coupon_queries, open_for_reading, open_store
from tolling.errors import BadInputError
from tolling.money import Money

coupons_app = typer.Typer(no_args_is_help=True, help="Coupons of issuers.")
ConfigOption = Annotated[Path, typer.Option("--config", help="The plaza's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, last line.")]
LIST_MAX = 1_000


@coupons_app.command("import")
def take(
    file: Annotated[Path, typer.Argument(help="CSV; its columns are in docs/ledger.md.")],
    config: ConfigOption,
    as_json: JsonOption = False,
) -> None:
    """Take every coupon of a file, or none and say which line is wrong. Again changes nothing."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadInputError(where=str(file), what=error.strerror or "cannot be read") from None
    read = parse_coupons(data, file=file.name)
    unit = ImportCoupons(
        coupons=read.coupons,
        lines=read.lines,
        file=file.name,
        now_ms=SystemClock().wall().utc_ms,
    )
    checked = load_config(config)
    store = open_store(checked.store_url(config.resolve().parent))
    try:
        (result,) = commit_group(store.engine, [(unit,)])
    finally:
        store.close()
    if isinstance(result, Exception):
        raise result
    said = {"coupons": len(read.coupons), "new": result[0]}
    if as_json:
        _say(said)
    else:
        sys.stdout.write(f"{file}: {said['coupons']} coupons, {said['new']} of them new\n")


@coupons_app.command("list")
def listing(
    config: ConfigOption,
    state: Annotated[CouponState | None, typer.Option(help="Only those in this state.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List coupons by number, at most 1,000, with the passage that holds or used each."""
    checked = load_config(config)
    store = open_for_reading(checked.store_url(config.resolve().parent))
    try:
        with store.reading() as connection:
            found = coupon_queries.coupon_lines(connection, state=state, limit=LIST_MAX)
    finally:
        store.close()
    if as_json:
        _say({"coupons": found})
        return
    for each in found:
        where = f"  {each['passage_id']}" if each["passage_id"] else ""
        took = f"  {Money(each['amount_fen']).yuan_text()} yuan" if each["passage_id"] else ""
        sys.stdout.write(f"{each['coupon_no']:<32}  {each['state']:<9}{where}{took}\n")


@coupons_app.command("held")
def held(config: ConfigOption, as_json: JsonOption = False) -> None:
    """List coupons that wait for their passage's record, the oldest first, and what to do."""
    checked = load_config(config)
    store = open_for_reading(checked.store_url(config.resolve().parent))
    try:
        with store.reading() as connection:
            found = coupon_queries.held_lines(connection, limit=LIST_MAX)
    finally:
        store.close()
    if as_json:
        _say({"holds": [_fields(line) for line in found]})
        return
    for line in found:
        hold = line.hold
        what = held_text(line.held_by, hold.lane_id)
        took = f"{Money(hold.amount_fen).yuan_text():>9} yuan"
        sys.stdout.write(f"{hold.hold_id}  {hold.coupon_no}  {took}  {what}\n")


@coupons_app.command("release")
def release(
    hold: Annotated[str, typer.Argument(help="The reservation: passage, C, two digits.")],
    config: ConfigOption,
    reason: Annotated[str, typer.Option(help="Why; kept with the reservation.")],
    url: Annotated[
        str, typer.Option("--url", help="Where the plaza serves; else host and port of the file.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Let a coupon go whose lane lost its journal. Refused while a record may still name it."""
    body = {"reason": reason}
    done = call_plaza(config, url, "POST", f"/v1/coupons/holds/{hold}/release", body)
    if as_json:
        _say(done)
        return
    who = f"by {done['released_by']}"
    sys.stdout.write(f"{done['hold_id']}  {done['state']}  {done['coupon_no']}  {who}\n")


def _fields(line: coupon_queries.HeldLine) -> dict[str, Any]:
    hold = line.hold
    return {
        "hold_id": hold.hold_id,
        "passage_id": hold.passage_id,
        "lane_id": hold.lane_id,
        "coupon_no": hold.coupon_no,
        "amount_fen": hold.amount_fen,
        "reserved_ms": hold.reserved_ms,
        "held_by": line.held_by.value,
    }


def _say(fields: Any) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
