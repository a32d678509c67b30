"""plaza-server: make a plaza's files, register lanes and people, run it, verify its books."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plaza_server.config import PlazaConfig, load_config
from plaza_server.coupon_command import coupons_app
from plaza_server.etc_command import etc_app
from plaza_server.receipt_command import receipt_app, roots_app
from plaza_server.refund_command import refund_app
from plaza_server.rules.units import AddLane, AddOperator, PutSet, Unit
from plaza_server.sample import sample_entries, sample_tariff
from plaza_server.shell.clock import SystemClock, random_bytes
from plaza_server.shell.signing import (
    CODE_KEY_BYTES,
    make_secret,
    make_signing_key,
)
from plaza_server.shell.staff import Role, StaffMember, hash_pin
from plaza_server.store import Store, commit_group, open_store, queries, tokens
from tolling.errors import BadInputError, TollError
from tolling.ids import PlazaId, lane_id
from tolling.signed_sets import SetKind, wrap_tariff

if TYPE_CHECKING:
    from plaza_server.shell.parts import Parts

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
app.add_typer(roots_app, name="roots")
app.add_typer(receipt_app, name="receipt")
app.add_typer(refund_app, name="refund")
app.add_typer(coupons_app, name="coupons")
app.add_typer(etc_app, name="etc")
ConfigOption = Annotated[Path, typer.Option("--config", help="The plaza's TOML file.")]

_TEMPLATE = """\
# One plaza. Relative paths are beside this file. Check it with: plaza-server check-config FILE
[plaza]
id = {plaza_id}
name = {name}
{simulation}
[store]
url = {store_url}

[http]
host = {host}
port = {port}

[keys]
signing_key = "keys/plaza_ed25519.pem"
public_file = "keys/plaza_public.json"
code_hash_key = "keys/code_hash.key"
admin_token = "keys/admin.token"

[staff]
file = "staff.json"

[log]
level = "info"
"""


_TEXTS = {
    "alipay": {"gateway_url": "alipay_url", "app_id": "alipay_app_id"},
    "wechat": {
        "base_url": "wechat_url",
        "mchid": "wechat_mchid",
        "appid": "wechat_appid",
        "merchant_serial": "wechat_serial",
        "wechatpay_public_key_id": "wechat_public_key_id",
    },
    "unionpay": {
        "gateway_url": "unionpay_url",
        "query_url": "unionpay_query_url",
        "merchant_id": "unionpay_merchant",
    },
}
"""By platform: keys of its part of the file, and the options of ``init`` they come from."""
_FILES = {
    "alipay": {
        "app_private_key": "alipay_app_key",
        "alipay_public_key": "alipay_public_key",
    },
    "wechat": {
        "merchant_private_key": "wechat_key",
        "wechatpay_public_key": "wechat_public_key",
        "apiv3_key": "wechat_apiv3_key",
    },
    "unionpay": {
        "sign_private_key": "unionpay_key",
        "sign_certificate": "unionpay_cert",
        "middle_certificate": "unionpay_middle",
        "root_certificate": "unionpay_root",
    },
}
"""The same for those that name files."""


def _sections(given: dict[str, Any]) -> str:
    """Return the platforms' parts of the file, by the options that were given."""
    parts = []
    for platform, names in _TEXTS.items():
        texts = {key: str(given[option]) for key, option in names.items()}
        if platform == "wechat" and given["wechat_apiv3_key"]:
            texts["mode"] = "certificates"
        files = {key: str(given[option]) for key, option in _FILES[platform].items()}
        parts.append(_section(platform, texts, files))
    return "".join(parts)


def _section(platform: str, texts: dict[str, str], files: dict[str, str]) -> str:
    """Return a platform's part of the file, with what was given; nothing where nothing was. What is
    missing the check of the whole file names."""
    keys = texts | {key: str(Path(file).resolve()) for key, file in files.items() if file}
    lines = [f"{key} = {_quoted(value)}" for key, value in keys.items() if value]
    return "\n".join(["", f"[platforms.{platform}]", *lines, ""]) if lines else ""


def _quoted(text: str) -> str:
    """Return *text* as a TOML string."""
    return json.dumps(text, ensure_ascii=False)


def main() -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    if not __debug__:
        sys.stderr.write("plaza-server: refuses to run without assertions (option -O)\n")
        sys.exit(2)
    try:
        app()
    except TollError as error:
        sys.stderr.write(f"plaza-server: {error}\n")
        sys.exit(2)


def _say(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _opened(config: PlazaConfig, home: Path) -> Iterator[Store]:
    store = open_store(config.store_url(home))
    try:
        yield store
    finally:
        store.close()


def _commit(store: Store, *units: Unit) -> tuple[object, ...]:
    (result,) = commit_group(store.engine, [units])
    if isinstance(result, Exception):
        raise result
    return result


@app.command()
def run(config: ConfigOption) -> None:
    """Serve. Prints one JSON line with url and pid once requests are welcome."""
    # The web framework takes seconds to load: only the command that serves needs it.
    import uvloop

    from plaza_server.shell.logs import set_up_logs
    from plaza_server.shell.serve import serve

    checked = load_config(config)
    set_up_logs(checked.log.level)
    well = uvloop.run(
        serve(checked, config.resolve().parent, version=installed_version("open-toll-lane"))
    )
    if not well:
        raise typer.Exit(1)


@app.command("check-config")
def check_config(file: Annotated[Path, typer.Argument(help="The plaza's TOML file.")]) -> None:
    """Check the file and every key file it names; open no socket and no store."""
    from plaza_server.shell.certificate_watch import ending
    from plaza_server.shell.parts import Parts

    checked = load_config(file)
    parts = Parts(checked, file.resolve().parent)
    now_ms = SystemClock().wall().utc_ms
    for platform, channel in parts.channels.items():
        for end in channel.expiries():
            if said := ending(end, now_ms=now_ms):
                sys.stderr.write(f"plaza-server: {file}: platforms.{platform}: {said}\n")
    names = dict.fromkeys(name for _, name in checked.platforms.enabled())
    platforms = ", ".join(names) or "none"
    sys.stdout.write(f"{file}: good. Plaza {checked.plaza.id}, platforms: {platforms}\n")


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where the plaza's files go.")],
    plaza_id: Annotated[str, typer.Option(help="Six digits.")] = "330101",
    name: Annotated[str, typer.Option(help="Shown to drivers.")] = "云岭站",
    store_url: Annotated[str, typer.Option(help="SQLite or PostgreSQL.")] = "sqlite:///plaza.db",
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8080,
    alipay_url: Annotated[str, typer.Option(help="Gateway; empty leaves Alipay out.")] = "",
    alipay_app_id: Annotated[str, typer.Option()] = "",
    alipay_app_key: Annotated[str, typer.Option(help="Our private key, PEM.")] = "",
    alipay_public_key: Annotated[str, typer.Option(help="The platform's, PEM.")] = "",
    wechat_url: Annotated[str, typer.Option(help="Left out: WeChat Pay's own.")] = "",
    wechat_mchid: Annotated[str, typer.Option(help="Empty leaves WeChat Pay out.")] = "",
    wechat_appid: Annotated[str, typer.Option()] = "",
    wechat_serial: Annotated[str, typer.Option(help="Of our merchant certificate, hex.")] = "",
    wechat_key: Annotated[str, typer.Option(help="Our private key, PEM.")] = "",
    wechat_public_key: Annotated[str, typer.Option(help="The platform's, PEM.")] = "",
    wechat_public_key_id: Annotated[str, typer.Option(help="PUB_KEY_ID_...")] = "",
    wechat_apiv3_key: Annotated[
        str, typer.Option(help="File of the APIv3 key: certificates instead of a public key.")
    ] = "",
    unionpay_url: Annotated[str, typer.Option(help="Empty leaves UnionPay out.")] = "",
    unionpay_query_url: Annotated[str, typer.Option()] = "",
    unionpay_merchant: Annotated[str, typer.Option(help="15 characters.")] = "",
    unionpay_key: Annotated[str, typer.Option(help="Our private key, PEM.")] = "",
    unionpay_cert: Annotated[str, typer.Option(help="Our certificate, PEM.")] = "",
    unionpay_middle: Annotated[str, typer.Option(help="The platform's, PEM.")] = "",
    unionpay_root: Annotated[str, typer.Option(help="The platform's, PEM.")] = "",
    simulation: Annotated[bool, typer.Option(help="No real money moves here.")] = False,
) -> None:
    """Make config, keys, database, a sample tariff and entries. What is there already stays."""
    given: dict[str, Any] = dict(locals())
    text = _TEMPLATE.format(
        plaza_id=_quoted(plaza_id),
        name=_quoted(name),
        simulation="simulation = true\n" if simulation else "",
        store_url=_quoted(store_url),
        host=_quoted(host),
        port=port,
    )
    _make_plaza(directory, text + _sections(given))


def _make_plaza(directory: Path, text: str) -> None:
    """Make what ``init`` makes, with *text* as the plaza's file where there is none."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "plaza.toml"
    made = not path.exists()
    if made:
        path.write_text(text, encoding="utf-8")
    try:
        checked = load_config(path)
    except BadInputError:
        if made:
            # The next try with the right options must not find it and keep it.
            path.unlink()
        raise
    home = directory.resolve()
    keys = checked.keys
    make_signing_key(home / keys.signing_key)
    make_secret(home / keys.code_hash_key, CODE_KEY_BYTES)
    make_secret(home / keys.admin_token, 24)
    from plaza_server.shell.parts import Parts

    parts = Parts(checked, home)
    parts.write_public_file()
    with _opened(checked, home) as store:
        _fill(store, parts)
    _say(
        {
            "config": str(path.resolve()),
            "public_file": str(home / keys.public_file),
            "admin_token_file": str(home / keys.admin_token),
        }
    )


def _fill(store: Store, parts: Parts) -> None:
    """Store the sample tariff and entries where there is no tariff yet."""
    now_ms = SystemClock().wall().utc_ms
    with store.reading() as connection:
        if queries.current_sets(connection, SetKind.TARIFF, now_ms):
            return
    tariff = sample_tariff(PlazaId(parts.config.plaza.id), now_ms=now_ms)
    envelope = wrap_tariff(tariff, key_id=parts.key.key_id, sign=parts.key.sign)
    _commit(store, PutSet(envelope=envelope, now_ms=now_ms), *sample_entries(now_ms=now_ms))


@app.command("add-lane")
def add_lane(
    lane: Annotated[str, typer.Argument(help="Three digits.")], config: ConfigOption
) -> None:
    """Register a lane, or give it a new token. The token is printed once and not kept."""
    try:
        number = lane_id(lane)
    except ValueError as error:
        raise BadInputError(where="lane", what=str(error)) from None
    checked = load_config(config)
    token = tokens.new_token(random_bytes(32))
    unit = AddLane(
        lane_id=number,
        plaza_id=PlazaId(checked.plaza.id),
        token_hash=tokens.token_hash(token),
        now_ms=SystemClock().wall().utc_ms,
    )
    with _opened(checked, config.resolve().parent) as store:
        _commit(store, unit)
    _say({"lane_id": number, "token": token})


@app.command("add-operator")
def add_operator(
    operator_id: Annotated[str, typer.Argument(help="1 to 16 letters and digits.")],
    config: ConfigOption,
    name: Annotated[str, typer.Option()],
    role: Annotated[Role, typer.Option()] = Role.ATTENDANT,
    pin: Annotated[
        str, typer.Option(prompt=True, hide_input=True, envvar="PLAZA_PIN", help="4 to 12 digits.")
    ] = "",
) -> None:
    """Register a person, or give them a new PIN, role and token. The token is printed once."""
    if not (operator_id.isascii() and operator_id.isalnum() and len(operator_id) <= 16):
        raise BadInputError(where="operator_id", what="not 1 to 16 letters and digits")
    checked = load_config(config)
    home = config.resolve().parent
    from plaza_server.shell.parts import Parts

    parts = Parts(checked, home)
    token = tokens.new_token(random_bytes(32))
    member = StaffMember(operator_id=operator_id, name=name, role=role, pin_hash=hash_pin(pin))
    unit = AddOperator(
        operator_id=operator_id,
        name=name,
        role=role.value,
        token_hash=tokens.token_hash(token),
        now_ms=SystemClock().wall().utc_ms,
    )
    with _opened(checked, home) as store:
        _commit(store, unit)
    parts.staff.put(member)
    _say({"operator_id": operator_id, "token": token})


@app.command()
def verify(
    config: ConfigOption,
    store: Annotated[
        str, typer.Option(help="Another database than the file's, such as a restored backup.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, last line.")] = False,
) -> None:
    """Prove ledger, orders and records of a database; exit 1 with the first bad row.

    Nothing is written; a plaza may run on the database meanwhile.
    """
    from plaza_server.verify_command import verify as prove

    if not prove(config, store=store, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def reconcile(
    config: ConfigOption,
    day: Annotated[str, typer.Option(help="yyyy-MM-dd in Beijing.")],
    platform: Annotated[str, typer.Option(help="Left out: every configured one.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="The platform's bill as it came; else it is fetched.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, last line.")] = False,
) -> None:
    """Take a day's bills and match them with the books; exit 1 where anything is left to do.

    Running it again changes nothing. A plaza that serves on SQLite is asked over its API instead.
    """
    from plaza_server.reconcile_command import reconcile as close

    if not close(config, day=day, platform=platform, file=file, as_json=as_json):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
