"""``toll-sim platforms``: the simulated payment platforms alone, on loopback, until told to end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Annotated

import typer

from simulator.parent import end_with_parent
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import (
    AlipayMode,
    Facts,
    Hosted,
    Setup,
    WechatMode,
    host_alipay,
    host_unionpay,
    host_wechat,
)
from simulator.platforms.keys import KeyFilesError
from simulator.platforms.server import LOOPBACK, PortTakenError, serving

app = typer.Typer(add_completion=False, help=__doc__)

_PORT = typer.Option(min=0, max=65535, help="0 takes a free port.")


@app.command("platforms")
def platforms(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Alipay's; 0 takes a free one.")] = 0,
    wechat_port: Annotated[int, _PORT] = 0,
    unionpay_port: Annotated[int, _PORT] = 0,
    keys_dir: Annotated[
        Path | None,
        typer.Option(help="Where key files are kept or made; default: one for this run only."),
    ] = None,
    latency_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long every answer takes.")
    ] = 600,
    jitter_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="At most so much is added to it.")
    ] = 0,
    alipay_mode: Annotated[
        AlipayMode, typer.Option(help="How Alipay's answers are verified.")
    ] = "key",
    wechat_mode: Annotated[
        WechatMode, typer.Option(help="How WeChat signs where a request does not say.")
    ] = "certificates",
    seed: Annotated[
        int | None, typer.Option(help="Seed of codes and chance; default: any.")
    ] = None,
    stay: Annotated[
        bool, typer.Option("--stay", help="Outlive the process that started us.")
    ] = False,
) -> None:
    """Serve the simulated Alipay, WeChat Pay and UnionPay on loopback and print their addresses,
    ids and key files."""
    if not stay:
        end_with_parent()
    try:
        with ExitStack() as kept:
            if keys_dir is None:
                # Keys nobody asked to keep go with the platform they belong to.
                made = kept.enter_context(tempfile.TemporaryDirectory(prefix="toll-sim-keys-"))
                keys_dir = Path(made)
            setup = Setup(
                keys_dir=keys_dir,
                clock=RealClock(),
                latency_ms=latency_ms,
                jitter_ms=jitter_ms,
                seed=seed,
                alipay_mode=alipay_mode,
                wechat_mode=wechat_mode,
            )
            hosted = (host_alipay(setup)[1], host_wechat(setup)[1], host_unionpay(setup)[1])
            ports = (port, wechat_port, unionpay_port)
            asyncio.run(_serve(tuple(zip(hosted, ports, strict=True)), as_json=as_json))
    except (KeyFilesError, PortTakenError) as error:
        typer.echo(f"toll-sim platforms: {error}", err=True)
        raise typer.Exit(2) from error


async def _serve(hosted: tuple[tuple[Hosted, int], ...], *, as_json: bool) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with AsyncExitStack() as lines:
        found: dict[str, Facts] = {}
        for host, port in hosted:
            bound = await lines.enter_async_context(serving(host.application, port=port))
            found[host.name] = host.opened(f"http://{LOOPBACK}:{bound}")
            if host.second is not None:
                beside = await lines.enter_async_context(serving(host.second))
                found[host.name]["second_url"] = f"http://{LOOPBACK}:{beside}"
        # Alipay's own facts stand at the top too, where a caller with one platform looks for them.
        facts: Facts = {**found["alipay"], "pid": os.getpid(), "platforms": found}
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            for name, known in found.items():
                typer.echo(name)
                for key, value in known.items():
                    typer.echo(f"  {key:26} {value}")
            typer.echo(f"pid {os.getpid()}")
        await told.wait()


if __name__ == "__main__":
    app()
