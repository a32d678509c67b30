"""plaza-server roots and plaza-server receipt: close and export roots, check receipts offline."""

from __future__ import annotations

import itertools
import json
import re
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import typer

from plaza_server.config import load_config
from plaza_server.rules.merkle_log import CLOSE_AFTER_MS
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.signing import SigningKey, load_signing_key, load_verifier
from plaza_server.store import Store, commit_group, open_for_reading, open_store, receipt_log
from plaza_server.store.receipt_audit import Counted, audit_receipts, audit_roots
from tolling.canonical import canonical_bytes, from_plain
from tolling.errors import BadInputError, SignatureError
from tolling.ids import parse_passage_id
from tolling.money import Money
from tolling.receipts import Receipt, SignedReceipt, check_receipt, check_token
from tolling.roots import (
    InclusionProof,
    RootHead,
    SignedRoot,
    check_growth,
    check_inclusion,
    check_root,
    day_end_ms,
    record_leaf,
)
from tolling.signed_sets import Verifier

roots_app = typer.Typer(no_args_is_help=True, help="Signed roots over all records.")
receipt_app = typer.Typer(no_args_is_help=True, help="Receipts, checked without a network.")
ConfigOption = Annotated[Path, typer.Option("--config", help="The plaza's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object, last line.")]
FILE_BYTES_MAX = 64 * 1024 * 1024
"""A hundred thousand roots; nothing that is larger is read into memory."""
_BEIJING = timezone(timedelta(hours=8))
_TOKEN = re.compile(r"[A-Za-z0-9_-]{100,}")


# ---- roots ----


@roots_app.command("close")
def close(
    config: ConfigOption,
    day: Annotated[
        str,
        typer.Option(
            help="Beijing day, 2026-11-22; today closes up to now. Without: all that end."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Close days that are over. A running plaza does it by itself at five past midnight.

    On SQLite the plaza must be stopped; while it runs, ask it: POST /v1/roots.
    """
    checked = load_config(config)
    home = config.resolve().parent
    key = load_signing_key(home / checked.keys.signing_key)
    now_ms = SystemClock().wall().utc_ms
    until_ms = _until(day, now_ms) if day else None
    store = open_store(checked.store_url(home))
    try:
        closed = _close_all(store, key, checked.plaza.id, until_ms=until_ms, now_ms=now_ms)
    finally:
        store.close()
    for root in closed:
        head = root.head
        _tell(f"root {head.root_no}: {head.day}, {head.size:,} records, {head.root}")
    if not closed:
        _tell("nothing to close")
    if as_json:
        _tell_json({"closed": [asdict(root) for root in closed]})


def _until(day: str, now_ms: int) -> int:
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=_BEIJING)
    except ValueError:
        raise BadInputError(where="--day", what="not a day as 2026-11-22") from None
    start_ms = int(start.timestamp()) * 1000
    if start_ms > now_ms:
        raise BadInputError(where="--day", what="that day has not begun")
    return min(day_end_ms(start_ms), now_ms)


def _close_all(
    store: Store, key: SigningKey, plaza_id: str, *, until_ms: int | None, now_ms: int
) -> list[SignedRoot]:
    # Brings the log library along, which no other command of this file needs.
    from plaza_server.shell.roots import sign_root

    closed: list[SignedRoot] = []
    while True:
        with store.reading() as connection:
            end_ms = until_ms if until_ms is not None else receipt_log.due(connection)
            over = end_ms is not None and end_ms + (0 if until_ms else CLOSE_AFTER_MS) <= now_ms
            plan = receipt_log.plan(connection, plaza_id, end_ms) if over and end_ms else None
        if plan is None:
            return closed
        unit = sign_root(plan, key, now_ms=now_ms)
        (result,) = commit_group(store.engine, [[unit]])
        if isinstance(result, Exception):
            raise result
        if result[0]:
            closed.append(unit.root)


@roots_app.command("check")
def check(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Prove every receipt and root from the records; exit 1 with the first that is wrong.

    Nothing is written to the database; a plaza may run on it meanwhile.
    """
    checked = load_config(config)
    home = config.resolve().parent
    verify = load_verifier(home / checked.keys.public_file)
    store = open_for_reading(checked.store_url(home))
    counted = Counted()
    try:
        with store.reading() as connection:
            wrong = itertools.chain(
                audit_receipts(connection, counted), audit_roots(connection, verify, counted)
            )
            first = next(wrong, None)
    finally:
        store.close()
    if as_json:
        _tell_json({"wrong": first, **asdict(counted)})
    elif first is None:
        _tell(f"good: {counted.receipts:,} receipts, {counted.roots:,} roots")
        _tell(f"good: {counted.leaves:,} records under them")
    else:
        _tell(f"WRONG: {first}")
    if first is not None:
        raise typer.Exit(1)


@roots_app.command("export")
def export(
    config: ConfigOption,
    since: Annotated[int, typer.Option(min=1, help="First root_no.")] = 1,
    out: Annotated[Path | None, typer.Option(help="File; without it, standard output.")] = None,
) -> None:
    """Write signed roots, one JSON line each, for a second party to keep.

    Nothing is written to the database; a plaza may run on it meanwhile.
    """
    checked = load_config(config)
    store = open_for_reading(checked.store_url(config.resolve().parent))
    lines = []
    try:
        with store.reading() as connection:
            while found := receipt_log.roots(connection, since):
                lines += [canonical_bytes(root).decode("utf-8") for root in found]
                since = found[-1].head.root_no + 1
    finally:
        store.close()
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(where=str(out), what=error.strerror or "cannot be written") from None
    _tell(f"{out}: {len(lines)} roots")


# ---- checking ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check proved."""

    kind: str
    """token, receipt or roots."""
    proved: tuple[str, ...]
    """Sentences."""
    facts: dict[str, Any]


@receipt_app.command("verify")
def verify(
    source: Annotated[
        str,
        typer.Argument(help="A receipt's file, the text of its QR, its token, or a roots file."),
    ],
    public_key: Annotated[
        list[Path], typer.Option("--public-key", help="The plaza's public key file; may repeat.")
    ],
    proof: Annotated[
        Path | None, typer.Option(help="Answer of /v1/receipts/{id}/proof for this receipt.")
    ] = None,
    roots: Annotated[
        Path | None, typer.Option(help="Roots a second party kept (plaza-server roots export).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check signature, proof and roots with nothing but the public key. Exit 1: not proven.

    Whether it was reimbursed or voided since is told only by the plaza: open its page.
    """
    check = load_verifier(*public_key)
    try:
        found = _checked(source, check, proof=proof, roots=roots)
    except SignatureError as error:
        if as_json:
            _tell_json({"valid": False, "what": str(error)})
        else:
            _tell(f"NOT VALID: {error}")
        raise typer.Exit(1) from None
    for sentence in found.proved:
        _tell(sentence)
    if as_json:
        _tell_json({"valid": True, "kind": found.kind, **found.facts})


def _checked(source: str, check: Verifier, *, proof: Path | None, roots: Path | None) -> Checked:
    if source.startswith(("http://", "https://")) or _TOKEN.fullmatch(source):
        if proof is not None or roots is not None:
            raise BadInputError(
                where="--proof, --roots",
                what="a token has no place in a log",
                do="Give the receipt's file, the answer of GET /v1/receipts/{id}",
            )
        return _check_token(source, check)
    text = _text(Path(source))
    plain = _json_lines(text, source)
    if all("head" in each for each in plain):
        return _check_roots(plain, check)
    if len(plain) != 1:
        raise BadInputError(where=source, what="neither one receipt nor a file of roots")
    return _check_receipt(plain[0], check, proof=proof, roots=roots)


def _check_token(text: str, check: Verifier) -> Checked:
    token = check_token(text, verify=check)
    said = f"{token.receipt_no}: {Money(token.toll_fen)}, class {token.vehicle_class}"
    if text.startswith("http"):
        _same_number(text, token.receipt_no)
    when = _when(token.exited_ms)
    return Checked(
        kind="token",
        proved=(f"good: signed by key {token.key_id}", f"{said}, {token.plate or '-'}, {when}"),
        facts=asdict(token),
    )


def _same_number(url: str, receipt_no: str) -> None:
    """Refuse a good token glued behind another receipt's address."""
    found = re.search(r"/r/([0-9]{21})(?=[?#])", url)
    if found is None or found.group(1) != receipt_no:
        raise SignatureError(where="token", what="it is of another receipt than its address")


def _check_receipt(
    plain: dict[str, Any], check: Verifier, *, proof: Path | None, roots: Path | None
) -> Checked:
    envelope = plain.get("receipt", plain)
    signed = from_plain(SignedReceipt, envelope)
    assert isinstance(signed, SignedReceipt)
    receipt = check_receipt(signed, verify=check)
    number, toll = receipt.receipt_no, Money(receipt.toll_fen)
    proved = [
        f"good: signed by key {signed.key_id}",
        f"{number}: {toll}, {receipt.plate or '-'}, {_when(receipt.exited_ms)}",
    ]
    facts: dict[str, Any] = {"receipt_no": number, "toll_fen": receipt.toll_fen}
    if proof is not None:
        root = _check_proof(receipt, proof, check)
        head = root.head
        proved.append(f"good: its record is under root {head.root_no} of {head.day}")
        facts |= {"root_no": head.root_no, "day": head.day}
        if roots is not None:
            _among(root, _json_lines(_text(roots), str(roots)), check)
            proved.append("good: the second party has that very root")
            facts["witnessed"] = True
    elif roots is not None:
        raise BadInputError(where="--roots", what="without --proof nothing leads to a root")
    return Checked(kind="receipt", proved=tuple(proved), facts=facts)


def _check_proof(receipt: Receipt, path: Path, check: Verifier) -> SignedRoot:
    (plain,) = _json_lines(_text(path), str(path))[:1]
    found = from_plain(InclusionProof, plain)
    assert isinstance(found, InclusionProof)
    leaf = record_leaf(
        plaza_id=parse_passage_id(receipt.receipt_no).plaza_id,
        lane_id=receipt.lane_id,
        epoch=receipt.epoch,
        seq=receipt.seq,
        chain_hash=receipt.chain_hash,
    )
    check_inclusion(leaf, found, verify=check)
    return found.root


def _among(root: SignedRoot, kept: list[dict[str, Any]], check: Verifier) -> None:
    """Check that a second party's roots grow from one to the next and hold this one."""
    heads = _grown(kept, check)
    if root.head not in heads:
        raise SignatureError(
            where=f"root {root.head.root_no}", what="it is not among the second party's"
        )


def _check_roots(plain: list[dict[str, Any]], check: Verifier) -> Checked:
    heads = _grown(plain, check)
    first, last = heads[0], heads[-1]
    return Checked(
        kind="roots",
        proved=(
            f"good: roots {first.root_no} to {last.root_no}, each only adds to the one before",
            f"{last.day}: {last.size:,} records, root {last.root}",
        ),
        facts={"roots": len(heads), "last": asdict(last)},
    )


def _grown(plain: list[dict[str, Any]], check: Verifier) -> list[RootHead]:
    heads: list[RootHead] = []
    for each in plain:
        signed = from_plain(SignedRoot, each)
        assert isinstance(signed, SignedRoot)
        head = check_root(signed, verify=check)
        if heads:
            check_growth(heads[-1], signed)
        heads.append(head)
    return heads


# ---- reading and telling ----


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInputError(where=str(path), what=f"longer than {FILE_BYTES_MAX} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(where=str(path), what=error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise BadInputError(where=str(path), what="not UTF-8 text") from None


def _json_lines(text: str, where: str) -> list[dict[str, Any]]:
    """Return the objects in *text*: one, a list of them, or one per line."""
    found: Any
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise BadInputError(where=where, what="no JSON") from None
    objects = found if isinstance(found, list) else [found]
    if not objects or not all(isinstance(each, dict) for each in objects):
        raise BadInputError(where=where, what="neither a receipt nor roots")
    return objects


def _when(utc_ms: int) -> str:
    try:
        when = datetime.fromtimestamp(utc_ms / 1000, _BEIJING)
    except (OverflowError, ValueError):
        return f"{utc_ms} ms since 1970"
    return f"{when:%Y-%m-%d %H:%M:%S} Beijing time"


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _tell_json(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
