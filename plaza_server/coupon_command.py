"""plaza-server coupons: take an issuer's file, list what became of coupons.

Strategy. The file goes into the store by itself. On SQLite a plaza that serves has the store: then
the file goes to its API (POST /v1/coupons) with the administrator's token.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from plaza_server.config import load_config
from plaza_server.rules.coupon_file import parse_coupons
from plaza_server.rules.coupons import CouponState, ImportCoupons
from plaza_server.shell.clock import SystemClock
from plaza_server.store import commit_group, coupon_queries, open_store
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
    store = open_store(checked.store_url(config.resolve().parent))
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


def _say(fields: Any) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
