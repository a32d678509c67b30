"""toll-sim: the simulated outside of a toll plaza, in parts or whole."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from simulator import broker as brokers
from simulator.parent import end_with_parent

CANNOT_RUN = 2

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Of commands with a parser of their own, which is loaded when it is asked for."""


def main() -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    if not __debug__:
        sys.stderr.write("toll-sim: never run with -O: assertions guard money\n")
        sys.exit(CANNOT_RUN)
    app()


@app.command("demo", context_settings=PASSED_ON, add_help_option=False)
def demo(context: typer.Context) -> None:
    """Run a toll plaza whole: broker, plaza, lanes, cars and a page."""
    from simulator.demo import command

    command.app(args=context.args, prog_name="toll-sim demo")


@app.command("platforms", context_settings=PASSED_ON, add_help_option=False)
def platforms(context: typer.Context) -> None:
    """Serve the simulated payment platforms alone, on loopback."""
    from simulator import cli_platforms

    cli_platforms.app(args=context.args, prog_name="toll-sim platforms")


@app.command("site", context_settings=PASSED_ON, add_help_option=False)
def site(context: typer.Context) -> None:
    """Run road, people, devices and platform of a plaza; print one line of JSON with all URLs."""
    from simulator.site import app as site_app

    raise typer.Exit(site_app.main(context.args))


@app.command("fuzz", context_settings=PASSED_ON, add_help_option=False)
def fuzz(context: typer.Context) -> None:
    """Run whole plazas in virtual time, one for each seed, and judge every one."""
    from simulator.fuzz import command

    command.app(args=context.args, prog_name="toll-sim fuzz")


@app.command("day", context_settings=PASSED_ON, add_help_option=False)
def day(context: typer.Context) -> None:
    """Run a whole plaza through a day of traffic in virtual time, judged as it goes."""
    from simulator import cli_day

    cli_day.app(args=context.args, prog_name="toll-sim day")


@app.command("money", context_settings=PASSED_ON, add_help_option=False)
def money(context: typer.Context) -> None:
    """Run days of phone money in virtual time, closed and reconciled to the fen."""
    from simulator.money import command

    command.app(args=context.args, prog_name="toll-sim money")


@app.command("scenario", context_settings=PASSED_ON, add_help_option=False)
def scenario(context: typer.Context) -> None:
    """Run scenario files, in virtual time or on real processes."""
    from simulator.scenarios import command

    command.app(args=context.args, prog_name="toll-sim scenario")


@app.command("scenario-from", context_settings=PASSED_ON, add_help_option=False)
def scenario_from(context: typer.Context) -> None:
    """Make a scenario of a lane's journal."""
    from simulator.scenarios import command

    command.from_app(args=context.args, prog_name="toll-sim scenario-from")


@app.command("chaos", context_settings=PASSED_ON, add_help_option=False)
def chaos(context: typer.Context) -> None:
    """Kill, freeze, cut and fill up a plaza of real processes under traffic, and judge it."""
    from simulator.chaos import command

    command.app(args=context.args, prog_name="toll-sim chaos")


@app.command("faults")
def faults() -> None:
    """Print every fault there is: what breaks, where it exists and how it appears."""
    from simulator.world import catalogue

    typer.echo(catalogue.page(), nl=False)


@app.command("broker")
def broker(
    plaza: Annotated[str, typer.Option(help="The plaza's number, six digits.")] = "330101",
    lanes: Annotated[int, typer.Option(min=1, max=999, help="How many lanes.")] = 2,
    port: Annotated[int, typer.Option(min=0, max=65535, help="MQTT; 0 takes a free one.")] = 0,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Its files; default: a new temporary folder.")
    ] = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Outlive the process that started us.")
    ] = False,
) -> None:
    """Become nats-server with MQTT on loopback, one user per lane; its log says the port."""
    from simulator.demo.files import lane_names

    if len(plaza) != 6 or not plaza.isascii() or not plaza.isdigit():
        raise _cannot("--plaza: not six digits")
    home = directory or Path(tempfile.mkdtemp(prefix="toll-broker-"))
    try:
        made = brokers.prepare(home, plaza_id=plaza, lanes=lane_names(lanes), mqtt_port=port)
    except (brokers.BrokerMissingError, OSError) as error:
        raise _cannot(str(error)) from None
    facts = {"users_file": str((home / "users.json").resolve()), "pid": os.getpid()}
    typer.echo(json.dumps(facts))
    sys.stdout.flush()
    if not stay:
        end_with_parent()
    os.execv(made.argv[0], made.argv)  # noqa: S606 - the argument list is our own


def _cannot(text: str) -> typer.Exit:
    sys.stderr.write(f"toll-sim broker: {text}\n")
    return typer.Exit(CANNOT_RUN)


if __name__ == "__main__":
    main()
