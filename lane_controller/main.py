"""``lane-controller``: run one lane, check its file, replay its journal, attend it, look at it."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lane_controller.shell.attend import OperatorClient, status_line
from tolling.errors import BadInputError, TollError
from tolling.messages import OperatorAction

if TYPE_CHECKING:
    from lane_controller.config import LaneSettings
    from lane_controller.shell.devices import DeviceEars, Ports
    from lane_controller.shell.runner import LaneRunner
    from lane_controller.shell.serve import LanePlan, Serving

EXIT_DIFFERENCE = 1
"""A replay differs, a device is lost, a command was not confirmed."""
EXIT_BAD_INPUT = 2
_PR_SET_PDEATHSIG = 1

app = typer.Typer(
    help="One open toll lane, paid by phone.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
LaneFileArg = Annotated[Path, typer.Argument(metavar="FILE", help="The lane file (TOML).")]


def main() -> NoReturn:
    """Run the command line; errors are one line on stderr."""
    if not __debug__:
        typer.echo("lane-controller: never run with -O: its assertions guard money", err=True)
        sys.exit(EXIT_BAD_INPUT)
    try:
        app()
    except TollError as error:
        typer.echo(f"lane-controller: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    sys.exit(0)


@app.command()
def run(
    file: LaneFileArg,
    die_with_parent: Annotated[
        bool, typer.Option("--die-with-parent", help="Stop when the starting process ends.")
    ] = False,
) -> None:
    """Run the lane until SIGTERM. Prints one JSON line when it serves."""
    if die_with_parent:
        _die_with_parent()
    # An attendant's word must not wait for the libraries of a whole lane: each command loads its
    # own.
    from lane_controller.shell.logs import set_up_logs
    from lane_controller.shell.serve import serve
    from lane_controller.store import open_journal

    settings = _settings(file)
    set_up_logs()
    store = open_journal(f"sqlite:///{settings.journal}")
    try:
        asyncio.run(serve(_plan(settings), store, on_serving=_say_serving))
    except Exception as error:  # noqa: BLE001 - the supervisor: systemd reads the exit code
        _end(error)
    finally:
        store.close()


def _end(error: Exception) -> NoReturn:
    """Say why a lane ended: bad input in one line, a fault of the program with its place."""
    import structlog

    from lane_controller.shell.logs import place_of
    from lane_controller.shell.runner import EXIT_FAULT, EngineFaultError

    leaf: BaseException = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if isinstance(leaf, TollError) and not isinstance(leaf, EngineFaultError):
        typer.echo(f"lane-controller: {leaf}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    log = structlog.get_logger("lane")
    log.critical("fault", error=type(leaf).__name__, at=place_of(leaf))
    sys.exit(EXIT_FAULT)


def _settings(file: Path) -> LaneSettings:
    from lane_controller.config import read_lane_file

    return read_lane_file(file)


def _plan(settings: LaneSettings) -> LanePlan:
    from hw.registry import DeviceCallbacks, build_devices
    from lane_controller.shell.clock import jitter, monotonic_ns
    from lane_controller.shell.serve import LanePlan

    file = settings.file

    def make_ports(ears: DeviceEars) -> Ports:
        callbacks = DeviceCallbacks(
            on_health=ears.on_health,
            on_input=ears.on_input,
            on_scan=ears.on_scan,
            on_plate=ears.on_plate,
            on_etc_tag=ears.on_etc_tag,
            on_fault=ears.on_fault,
        )
        return build_devices(file.devices, callbacks, clock=monotonic_ns, jitter=jitter)

    return LanePlan(
        core=settings.core,
        journal=settings.journal,
        plaza=settings.plaza,
        broker=settings.broker,
        socket=settings.socket,
        people=settings.people,
        metrics_host=file.metrics.host,
        metrics_port=file.metrics.port,
        make_ports=make_ports,
        outputs=frozenset(file.devices.barrier.outputs),
        version=version("open-toll-lane"),
    )


def _say_serving(serving: Serving, runner: LaneRunner) -> None:
    config = runner.state.config
    line = {
        "lane": config.lane_id,
        "plaza": config.plaza_id,
        "pid": os.getpid(),
        "metrics": serving.metrics,
        "operator_socket": serving.operator_socket,
    }
    typer.echo(json.dumps(line))
    sys.stdout.flush()


def _die_with_parent() -> None:
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise BadInputError(where="--die-with-parent", what="this system has no such thing")
    if os.getppid() != parent:
        sys.exit(0)  # It ended before the wish was heard.


@app.command("check-config")
def check_config(file: LaneFileArg) -> None:
    """Check a lane file and everything it names; touch no device."""
    settings = _settings(file)
    core = settings.core
    devices = ", ".join(sorted(core.devices))
    typer.echo(f"{file}: good: plaza {core.plaza_id}, lane {core.lane_id}; devices: {devices}")
    if settings.broker is None:
        typer.echo(f"{file}: no [broker]: no telemetry and no remote commands")


@app.command()
def replay(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal (SQLite).")],
    segment: Annotated[int | None, typer.Option(help="Only this segment.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a segment.")] = False,
) -> None:
    """Step a journal's events again and compare every command digest.

    The first difference of each segment is explained. Exit code 0: the same commands everywhere; 1:
    a segment differs or lacks events; 2: no journal, or a row that this core cannot read.
    """
    from lane_controller.shell.replaying import replay_segments
    from lane_controller.store import open_journal

    store = open_journal(f"sqlite:///{journal}", read_only=True)
    try:
        results = replay_segments(store, segment)
    finally:
        store.close()
    for result in results:
        typer.echo(json.dumps(result.plain()) if as_json else result.text())
    if not results:
        typer.echo(f"{journal}: holds no segment", err=True)
    if not all(result.same for result in results):
        sys.exit(EXIT_DIFFERENCE)


@app.command()
def attend(
    action: Annotated[
        str | None, typer.Argument(help="status or an action; none = a conversation.")
    ] = None,
    socket: Annotated[Path, typer.Option(help="The lane's operator socket.")] = Path(
        "operator.sock"
    ),
    operator: Annotated[str, typer.Option(help="Your number.")] = "",
    pin: Annotated[str, typer.Option(envvar="LANE_PIN", help="Asked for when needed.")] = "",
    reason: Annotated[str, typer.Option(help="Why; raise, lower, arrears, set_kind ask.")] = "",
    text: Annotated[str, typer.Option(help="Entry station or plate.")] = "",
    number: Annotated[int, typer.Option(help="Class or kind code.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Act at the lane by its own port; works when plaza, broker and network are gone."""
    with OperatorClient(socket) as client:
        if action is None:
            _talk(client, operator, pin)
            return
        if action == "status":
            status = client.status()
            typer.echo(json.dumps(status, ensure_ascii=False) if as_json else status_line(status))
            return
        word = _word(action)
        _sign_in(client, operator, pin)
        result = client.order(word, reason=reason, text=text, number=number)
    _tell(result, as_json=as_json)
    if result["outcome"] != "confirmed":
        sys.exit(EXIT_DIFFERENCE)


def _word(action: str) -> OperatorAction:
    try:
        return OperatorAction(action)
    except ValueError:
        known = ", ".join(["status", *OperatorAction])
        raise BadInputError(where="action", what="unknown", do=f"Known: {known}") from None


def _sign_in(client: OperatorClient, operator: str, pin: str) -> None:
    name = operator or typer.prompt("operator")
    client.hello(name, pin or typer.prompt("PIN", hide_input=True))


def _tell(result: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        typer.echo(f"{result['outcome']} {result['reason']}".rstrip())


def _talk(client: OperatorClient, operator: str, pin: str) -> None:
    """Show the lane and take one word after the other until an empty line or end of input."""
    _sign_in(client, operator, pin)
    typer.echo(f"words: status, {', '.join(OperatorAction)}; then: reason=… text=… number=…")
    while True:
        typer.echo(status_line(client.status()))
        try:
            line = input("> ").strip()
        except EOFError:
            return
        if not line:
            return
        try:
            _one_word(client, line)
        except TollError as error:
            typer.echo(str(error), err=True)


def _one_word(client: OperatorClient, line: str) -> None:
    """Carry out ``action``, or ``action key=value …`` where the last value may hold spaces."""
    word, _, rest = line.partition(" ")
    if word == "status":
        return
    fields = {"reason": "", "text": "", "number": "0"}
    key = ""
    for part in rest.split():
        name, found, value = part.partition("=")
        if found and name in fields:
            key, fields[name] = name, value
        elif key:
            fields[key] += f" {part}"
        else:
            raise BadInputError(where="words", what="write reason=…, text=… or number=…")
    if not fields["number"].isdecimal():
        raise BadInputError(where="number", what="is not a whole number")
    result = client.order(
        _word(word), reason=fields["reason"], text=fields["text"], number=int(fields["number"])
    )
    _tell(result, as_json=False)


@app.command()
def doctor(file: LaneFileArg) -> None:
    """List serial ports and listen to every device of a lane file for 3 s; move nothing."""
    from lane_controller.shell import doctor as looking

    settings = _settings(file)
    for device, what in looking.serial_ports():
        typer.echo(f"serial port {device}: {what}")
    found = asyncio.run(looking.look(settings.file.devices))
    if not looking.report(found, typer.echo):
        sys.exit(EXIT_DIFFERENCE)


@app.command("hash-pin")
def hash_a_pin() -> None:
    """Ask for a PIN and print its hash for [[operator.people]] of a lane file."""
    from lane_controller.shell.staff import hash_pin

    typer.echo(hash_pin(typer.prompt("PIN (4 to 12 digits)", hide_input=True)))


if __name__ == "__main__":
    main()
