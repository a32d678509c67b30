"""plaza-server etc: tag debits that settled nothing, and what their issuers said.

Strategy. The list is read from the store. What an issuer said is a person's word, so it goes to the
running plaza's API with that person's token.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from plaza_server.api_call import call_plaza
from plaza_server.config import load_config
from plaza_server.rules.etc_dues import EtcDueState, EtcOutcome
from plaza_server.store import etc_due_units, open_for_reading
from tolling.money import Money

etc_app = typer.Typer(no_args_is_help=True, help="Tag debits that are owed back.")
ConfigOption = Annotated[Path, typer.Option("--config", help="The plaza's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, last line.")]
LIST_MAX = 1_000


@etc_app.command("list")
def listing(
    config: ConfigOption,
    state: Annotated[EtcDueState | None, typer.Option(help="Only those in this state.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List debits that settled nothing, the oldest first, with one action each."""
    checked = load_config(config)
    store = open_for_reading(checked.store_url(config.resolve().parent))
    try:
        with store.reading() as connection:
            states = () if state is None else (state,)
            found = etc_due_units.dues_in(connection, states, LIST_MAX)
    finally:
        store.close()
    if as_json:
        _say({"dues": [_fields(due) for due in found]})
        return
    for due in found:
        yuan = Money(due.amount_fen).yuan_text()
        line = f"{due.passage_id}  {due.state:<10} {yuan:>9} yuan  {due.tag_id}"
        sys.stdout.write(f"{line}  {due.action}".rstrip() + "\n")


@etc_app.command("say")
def say(
    passage: Annotated[str, typer.Argument(help="The passage's number, 21 digits.")],
    outcome: Annotated[EtcOutcome, typer.Argument(help="What the issuer said.")],
    config: ConfigOption,
    issuer_ref: Annotated[str, typer.Option(help="The issuer's own number of it.")] = "",
    url: Annotated[
        str, typer.Option("--url", help="Where the plaza serves; else host and port of the file.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell the running plaza what an issuer said about a debit."""
    body = {"outcome": outcome.value, "issuer_ref": issuer_ref}
    due = call_plaza(config, url, "POST", f"/v1/etc-dues/{passage}/outcome", body)
    if as_json:
        _say(due)
        return
    sys.stdout.write(f"{due['passage_id']}  {due['state']}  {due['action']}".rstrip() + "\n")


def _fields(due: Any) -> dict[str, Any]:
    fields = {name: getattr(due, name) for name in due.__dataclass_fields__}
    return fields | {"state": due.state.value, "action": due.action}


def _say(fields: Any) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
