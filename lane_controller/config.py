"""The lane file: one TOML file says everything about one lane.

Paths in it are relative to the file's own folder. Everything is checked before anything is opened;
an error names the file, the key and what to do, and an unknown key the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
import traceback
from pathlib import Path
from typing import Annotated, Any, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hw.config import DevicesConfig
from lane_controller.core.limits import Limits
from lane_controller.core.states import LaneConfig
from lane_controller.shell.mqtt_link import BrokerAccess, parse_broker_url
from lane_controller.shell.plaza_link import PlazaAccess
from lane_controller.shell.staff import Operator, is_pin_hash
from tolling.devices import Device
from tolling.errors import BadInputError
from tolling.ids import lane_id, plaza_id
from tolling.signed_sets import Verifier

LOOP_GAP_MM_MAX = 2_500
"""The shortest car (2.5 m) must cover both loops, else it could vanish between them."""
TOKEN_MAX = 512
ERRORS_SHOWN = 5
_SOCKET_PATH_MAX = 107
"""Bytes of a unix socket's name in Linux."""


def _plaza_id(text: str) -> str:
    return plaza_id(text)


def _lane_id(text: str) -> str:
    return lane_id(text)


def _http_url(text: str) -> str:
    if re.fullmatch(r"https?://[^/\s?#@]+/?", text) is None:
        raise ValueError("write http://host:port or https://host:port, without a path")
    return text.rstrip("/")


def _listen(text: str) -> str:
    found = re.fullmatch(r"(\[[0-9a-f:]+\]|[0-9A-Za-z.-]+):(\d{1,5})", text)
    if found is None or int(found.group(2)) > 65_535:
        raise ValueError("write host:port, as in 127.0.0.1:9101; port 0 takes a free one")
    return text


def _pin_hash(text: str) -> str:
    if not is_pin_hash(text):
        raise ValueError("not a PIN hash; make one with 'lane-controller hash-pin'")
    return text


class _Part(BaseModel):
    """A table of the lane file."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LaneTable(_Part):
    """``[lane]``"""

    plaza_id: Annotated[str, AfterValidator(_plaza_id)]
    lane_id: Annotated[str, AfterValidator(_lane_id)]
    journal: Path
    """SQLite file on a disk of this machine; its helpers lie beside it."""
    attended: bool = True
    """Somebody sits in the booth."""
    opens_at_start: bool = True
    """A lane that has never run opens by itself."""
    loop_gap_mm: Annotated[int, Field(ge=0, le=LOOP_GAP_MM_MAX)]
    """Between the end of loop 1 and the beginning of loop 2."""


class PlazaTable(_Part):
    """``[plaza]``"""

    url: Annotated[str, AfterValidator(_http_url)]
    token_file: Path
    """The lane's bearer token, one line."""
    key_file: Path
    """The plaza's public Ed25519 key as it gives it: JSON with key_id and public_key, or a list."""
    ca_file: Path | None = None


class BrokerTable(_Part):
    """``[broker]``; without it the lane has no telemetry and no remote commands."""

    url: str
    """``mqtt://user:password@host:port``"""
    password_file: Path | None = None
    """Takes the place of the password in the URL."""


class PersonTable(_Part):
    """``[[operator.people]]``: known even where the plaza was never reached."""

    operator: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,16}$")]
    name: Annotated[str, Field(min_length=1, max_length=32)] = "bootstrap"
    pin_hash: Annotated[str, AfterValidator(_pin_hash)]


class OperatorTable(_Part):
    """``[operator]``"""

    socket: Path
    people: tuple[PersonTable, ...] = ()


class MetricsTable(_Part):
    """``[metrics]``"""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:0"

    @property
    def host(self) -> str:
        """Return where to listen."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Return the port, 0 for a free one."""
        return int(self.listen.rpartition(":")[2])


class LaneFile(_Part):
    """One lane file, checked."""

    lane: LaneTable
    plaza: PlazaTable
    operator: OperatorTable
    broker: BrokerTable | None = None
    metrics: MetricsTable = MetricsTable()
    limits: dict[str, Annotated[int, Field(ge=0, le=3_600_000, strict=True)]] = {}
    devices: DevicesConfig


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """A lane file with its paths made whole, its secrets read, its relations checked."""

    path: Path
    file: LaneFile
    core: LaneConfig
    journal: Path
    socket: Path
    plaza: PlazaAccess
    broker: BrokerAccess | None
    people: tuple[Operator, ...]


def read_lane_file(path: Path) -> LaneSettings:
    """Return a lane file's settings.

    Raises: BadInputError: names file, key and what is wrong; secrets are not repeated.
    """
    file = _parse(path)
    here = path.absolute().parent
    socket = here / file.operator.socket
    if len(str(socket).encode()) > _SOCKET_PATH_MAX:
        raise _bad(path, "operator.socket", "the path is too long for a unix socket")
    return LaneSettings(
        path=path,
        file=file,
        core=_core(path, file),
        journal=here / file.lane.journal,
        socket=socket,
        plaza=PlazaAccess(
            url=file.plaza.url,
            token=_token(here / file.plaza.token_file, where=f"{path}, key plaza.token_file"),
            plaza_id=plaza_id(file.lane.plaza_id),
            lane_id=lane_id(file.lane.lane_id),
            verify=read_verifier(here / file.plaza.key_file, where=f"{path}, key plaza.key_file"),
            ca_file=_ca(here, file, path),
        ),
        broker=_broker(here, file, path),
        people=tuple(
            Operator(operator_id=each.operator, name=each.name, pin_hash=each.pin_hash)
            for each in file.operator.people
        ),
    )


def _bad(path: Path, key: str, what: str, do: str = "") -> BadInputError:
    return BadInputError(where=f"{path}, key {key}", what=what, do=do)


def _parse(path: Path) -> LaneFile:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(where=str(path), what=f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInputError(where=str(path), what="is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(where=str(path), what=f"is not TOML: {error}") from None
    try:
        return LaneFile.model_validate(tables)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        lines = [_problem(each["type"], each["loc"], each["msg"]) for each in problems]
    shown = "; ".join(lines[:ERRORS_SHOWN])
    more = len(lines) - ERRORS_SHOWN
    raise BadInputError(where=str(path), what=shown + (f"; and {more} more" if more > 0 else ""))


def _problem(kind: str, loc: tuple[int | str, ...], msg: str) -> str:
    key = ".".join(str(part) for part in loc if part != "[key]")
    if kind == "missing":
        return f"key {key} is missing"
    known = _known_keys(loc[:-2] if loc[-1:] == ("[key]",) else loc[:-1])
    last = [part for part in loc if part != "[key]"][-1]
    if kind == "extra_forbidden" or loc[-1:] == ("[key]",):
        near = difflib.get_close_matches(str(last), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
        return f"key {key} is unknown{hint}"
    return f"key {key}: {msg.removeprefix('Value error, ')}"


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand in the table at *loc*."""
    kind: Any = LaneFile
    for part in loc:
        fields = getattr(kind, "model_fields", None)
        if fields is not None:
            kind = _inner(fields[str(part)].annotation) if str(part) in fields else None
        else:
            kind = _inner(get_args(kind)[-1]) if get_args(kind) else None
    fields = getattr(kind, "model_fields", None)
    if fields is not None:
        return sorted(fields)
    for key in get_args(kind)[:1]:
        return [str(member.value) for member in getattr(key, "__members__", {}).values()]
    return []


def _inner(annotation: Any) -> Any:
    """Return the table class within an optional or annotated one."""
    if getattr(annotation, "__origin__", None) is dict:
        return annotation
    inner = [each for each in get_args(annotation) if hasattr(each, "model_fields")]
    return inner[0] if inner else annotation


def _core(path: Path, file: LaneFile) -> LaneConfig:
    devices = file.devices
    names = {Device.BARRIER, Device.INPUTS, Device.LAMPS}
    optional = {
        Device.SCANNER: devices.scanner,
        Device.DISPLAY: devices.display,
        Device.CAMERA: devices.camera,
        Device.ETC: devices.etc,
    }
    names |= {device for device, config in optional.items() if config is not None}
    if devices.display is not None and devices.display.voice:
        names.add(Device.VOICE)
    return LaneConfig(
        plaza_id=plaza_id(file.lane.plaza_id),
        lane_id=lane_id(file.lane.lane_id),
        attended=file.lane.attended,
        under_boom=devices.barrier.point_map().under_boom,
        devices=frozenset(name.value for name in names),
        opens_at_start=file.lane.opens_at_start,
        limits=_limits(path, file.limits),
    )


def _limits(path: Path, changed: dict[str, int]) -> Limits:
    known = [field.name for field in dataclasses.fields(Limits)]
    for name in changed:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            raise _bad(path, f"limits.{name}", "is unknown", hint)
    try:
        return Limits(**changed)
    except AssertionError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        rule = (frame.line or "").removeprefix("assert ").replace("self.", "")
    raise _bad(path, "limits", f"the bounds do not fit together: {rule} must hold")


# ---- secrets and keys ----


def _secret(path: Path, *, where: str) -> str:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise BadInputError(where=where, what=f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInputError(where=where, what="is not one line of ASCII") from None
    if not text or len(text) > TOKEN_MAX or not text.isprintable() or " " in text:
        raise BadInputError(where=where, what="is not one line of ASCII without spaces")
    return text


def _token(path: Path, *, where: str) -> str:
    return _secret(path, where=where)


def _ca(here: Path, file: LaneFile, path: Path) -> Path | None:
    if file.plaza.ca_file is None:
        return None
    ca_file = here / file.plaza.ca_file
    if not ca_file.is_file():
        raise _bad(path, "plaza.ca_file", "there is no such file")
    return ca_file


def _broker(here: Path, file: LaneFile, path: Path) -> BrokerAccess | None:
    if file.broker is None:
        return None
    password = None
    if file.broker.password_file is not None:
        where = f"{path}, key broker.password_file"
        password = _secret(here / file.broker.password_file, where=where)
    return parse_broker_url(file.broker.url, password=password, where=f"{path}, key broker.url")


def read_verifier(path: Path, *, where: str) -> Verifier:
    """Return a check of the plaza's signatures by the public keys in a file.

    Raises: BadInputError: no such file, or no such keys.
    """
    try:
        plain = json.loads(path.read_text(encoding="ascii"))
    except OSError as error:
        raise BadInputError(where=where, what=f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadInputError(where=where, what="is not the plaza's public key file") from None
    keys: dict[str, Ed25519PublicKey] = {}
    for each in plain if isinstance(plain, list) else [plain]:
        try:
            raw = bytes.fromhex(each["public_key"])
            keys[str(each["key_id"])] = Ed25519PublicKey.from_public_bytes(raw)
        except (KeyError, TypeError, ValueError):
            what = "holds no Ed25519 key: key_id and public_key (64 hex digits)"
            raise BadInputError(where=where, what=what) from None
    if not keys:
        raise BadInputError(where=where, what="holds no key")

    def verify(key_id: str, signature: bytes, message: bytes) -> bool:
        key = keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify
