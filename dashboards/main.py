"""toll-dash: the plaza's pages. They read the lanes' topics; what people decide about money goes to
the plaza with their own token."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from tolling.brokers import broker_address
from tolling.errors import BadInputError, TollError
from tolling.ids import plaza_id as checked_plaza_id

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def main() -> None:
    """Run the command line; every expected error is one line and exit code 2."""
    if not __debug__:
        sys.exit("toll-dash: never run with -O: assertions guard money")
    try:
        app()
    except TollError as error:
        sys.stderr.write(f"toll-dash: {error}\n")
        sys.exit(2)


@app.command()
def run(
    plaza: Annotated[str, typer.Option(help="The plaza's number, six digits.")],
    broker_url: Annotated[str, typer.Option(help="mqtt://host:port")],
    broker_user: Annotated[str, typer.Option(help="A user that may read states.")] = "page",
    broker_password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is that user's password.")
    ] = None,
    plaza_url: Annotated[
        str,
        typer.Option(help="The plaza's API; empty: no pages of money, no health."),
    ] = "",
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8090,
) -> None:
    """Serve the pages; print one JSON line with url and pid once they can be opened."""
    try:
        number = checked_plaza_id(plaza)
    except ValueError as error:
        raise BadInputError(where="--plaza", what=str(error)) from None
    address = broker_address(broker_url, where="--broker-url")
    secret = _password(broker_password_file)
    listener = _listen(host, port)
    # The page framework takes seconds to load: a wrong option is told before.
    from dashboards import serving

    source = serving.make_source(address, user=broker_user, password=secret, plaza_id=number)
    serving.serve(source, plaza_id=number, plaza_url=plaza_url, listener=listener)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInputError(
            where=f"{host}:{port}",
            what=error.strerror or "cannot be bound",
            do="Choose another --port, or 0 for a free one",
        ) from None
    return listener


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        raise BadInputError(where=str(path), what="cannot be read") from None


if __name__ == "__main__":
    main()
