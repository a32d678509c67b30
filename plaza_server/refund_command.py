"""plaza-server refund: ask for, decide about and list claims, at the running plaza.

Strategy. A claim is a person's word, so these commands go to the plaza's API with that person's
token; the database is not touched. The token comes from the environment, never from the command
line, which others can read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from plaza_server.api_call import call_plaza
from plaza_server.rules.claims import ClaimState
from plaza_server.rules.claims_units import Decision
from plaza_server.shell.clock import random_bytes
from tolling.money import Money

refund_app = typer.Typer(no_args_is_help=True, help="Claims on settled passages.")
PATH = "/v1/refunds"
ConfigOption = Annotated[Path, typer.Option("--config", help="The plaza's TOML file.")]
UrlOption = Annotated[
    str, typer.Option("--url", help="Where the plaza serves; else host and port of the file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, last line.")]


@refund_app.command("ask")
def ask(
    receipt: Annotated[str, typer.Argument(help="The receipt's number, 21 digits.")],
    config: ConfigOption,
    reason: Annotated[str, typer.Option(help="Why; kept with the claim.")],
    fen: Annotated[int | None, typer.Option(help="How much; else all that is left.")] = None,
    leg: Annotated[int | None, typer.Option(help="Which leg, where there are several.")] = None,
    request_id: Annotated[
        str, typer.Option(help="Yours; repeat it to ask again for the same claim.")
    ] = "",
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """Ask for money back. Nothing is paid before it is approved."""
    body = {
        "request_id": request_id or random_bytes(12).hex(),
        "receipt_no": receipt,
        "reason": reason,
        "leg": leg,
        "amount_fen": fen,
    }
    given = {name: value for name, value in body.items() if value is not None}
    _tell(call_plaza(config, url, "POST", PATH, given), as_json)


@refund_app.command("approve")
def approve(
    claim: Annotated[str, typer.Argument(help="The claim's id.")],
    config: ConfigOption,
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """Approve a claim: a platform's is sent at once, cash is handed out by an attendant."""
    body = {"decision": Decision.APPROVE.value}
    _tell(call_plaza(config, url, "POST", f"{PATH}/{claim}/decision", body), as_json)


@refund_app.command("refuse")
def refuse(
    claim: Annotated[str, typer.Argument(help="The claim's id.")],
    config: ConfigOption,
    reason: Annotated[str, typer.Option(help="Why; the driver may ask.")],
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """Refuse a claim; no money moves."""
    body = {"decision": Decision.REFUSE.value, "reason": reason}
    _tell(call_plaza(config, url, "POST", f"{PATH}/{claim}/decision", body), as_json)


@refund_app.command("paid-out")
def paid_out(
    claim: Annotated[str, typer.Argument(help="The claim's id.")],
    config: ConfigOption,
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say that an approved claim's cash was handed out."""
    body = {"decision": Decision.PAID_OUT.value}
    _tell(call_plaza(config, url, "POST", f"{PATH}/{claim}/decision", body), as_json)


@refund_app.command("list")
def listing(
    config: ConfigOption,
    state: Annotated[ClaimState | None, typer.Option(help="Only those in this state.")] = None,
    receipt: Annotated[str, typer.Option(help="Only those of this receipt.")] = "",
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """List claims, the newest first, at most 200."""
    asked = {"state": "" if state is None else state.value, "receipt_no": receipt}
    query = urlencode({name: value for name, value in asked.items() if value})
    answer = call_plaza(config, url, "GET", f"{PATH}?{query}" if query else PATH, None)
    if as_json:
        _say(answer)
        return
    for claim in answer["claims"]:
        _tell(claim, as_json=False)


def _tell(claim: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _say(claim)
        return
    yuan = Money(claim["amount_fen"]).yuan_text()
    who = f"asked by {claim['asked_by']}"
    if claim["decided_by"] is not None:
        who += f", decided by {claim['decided_by']}"
    sys.stdout.write(
        f"{claim['claim_id']}  {claim['state']:<9} {yuan:>9} yuan  {claim['tender']:<9} {who}\n"
    )


def _say(fields: Any) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
