"""Run a site as one process: one line of JSON when it is ready, an end when told so."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from simulator.parent import end_with_parent
from simulator.platforms.keys import KeyFilesError
from simulator.platforms.server import LOOPBACK, PortTakenError, serving
from simulator.site.config import SiteConfig, SiteConfigError, read_config
from simulator.site.control import Control
from simulator.site.site import Site, prepare_run_dir

Announce = Callable[[dict[str, object]], None]
_STARTS = (PortTakenError, KeyFilesError, OSError)
"""What can keep a site from starting."""


def print_line(facts: dict[str, object]) -> None:
    """Print *facts* as one line of JSON on standard output."""
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def run_site(config: SiteConfig, *, announce: Announce = print_line) -> None:
    """Run the site until cancelled.

    Args:   announce: called once with all URLs and paths when everything listens.
    Raises: PortTakenError, KeyFilesError, OSError: something it needs cannot be had.
    """
    prepare_run_dir(config.run_dir)
    site = Site(config)
    application = Control(site).application()
    async with site.running(), serving(application, port=config.control_port) as port:
        announce({**site.facts(), "control_url": f"http://{LOOPBACK}:{port}"})
        await asyncio.get_running_loop().create_future()


async def _run_until_told(config: SiteConfig) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_site(config), name="site")
        ended = group.create_task(told.wait(), name="told to end")
        await asyncio.wait((running, ended), return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        ended.cancel()


def main(arguments: list[str] | None = None) -> int:
    """Run ``python -m simulator.site``. Returns the exit code: 2 where the site cannot start."""
    parser = argparse.ArgumentParser(prog="simulator.site", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file of the site")
    parser.add_argument(
        "--stay", action="store_true", help="outlive the process that started this one"
    )
    options = parser.parse_args(arguments)
    if not options.stay:
        end_with_parent()
    try:
        asyncio.run(_run_until_told(read_config(options.config)))
    except SiteConfigError as error:
        return _complain(str(error))
    except ExceptionGroup as group:
        known, rest = group.split(_STARTS)
        if rest is not None or known is None:
            raise
        return _complain("; ".join(_texts(known)))
    return 0


def _texts(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """Return the texts of all errors in *group*, however deep they lie."""
    found = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += _texts(error)
        else:
            found.append(str(error))
    return found


def _complain(text: str) -> int:
    sys.stderr.write(f"simulator.site: {text}\n")
    return 2
