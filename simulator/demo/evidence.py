"""Collects what the auditor may see of a demo: it is asked of the outside while that still runs,
and gathered with stores, wires and files when all has ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from simulator.auditor import Evidence, Restart, Tapped
from simulator.demo.files import Layout
from simulator.demo.http import Api, SiteApi
from simulator.stack import evidence
from simulator.stack.evidence import Outside, outside_of, texts_below


async def ask_outside(site: SiteApi, platforms: Mapping[str, Api], lanes: Iterable[str]) -> Outside:
    """Ask road, platforms (by name) and drivers for all they know.

    Raises: CallFailedError: the site does not answer.
    """
    return outside_of(
        log=await site.log(),
        books={
            name: (await platform.call("GET", "/trades"))["trades"]
            for name, platform in platforms.items()
        },
        memories=await site.memories(),
        codes=await site.call("GET", "/codes"),
        timings=await site.timings(),
        charges=[charge for lane in lanes for charge in await site.tag_charges(lane)],
    )


def gather(
    layout: Layout,
    outside: Outside,
    *,
    tapped: tuple[Tapped, ...],
    restarts: tuple[Restart, ...],
    at_rest: bool,
) -> Evidence:
    """Return the evidence of a run whose lanes and plaza have ended.

    Raises: sqlite3.Error: a store cannot be read.
    """
    return evidence.gather(
        outside,
        plaza_store=layout.plaza_store,
        journals=[layout.journal(lane) for lane in layout.lanes],
        tapped=tapped,
        restarts=restarts,
        texts=texts_below(layout.root),
        at_rest=at_rest,
        misread_plates=False,
    )
