"""``toll-sim money``: days of phone money in virtual time, closed and reconciled to the fen."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from simulator.money.run import FAULT_NAMES, MoneyResult, run_money
from simulator.money.world import MoneyConfig

CANNOT_RUN = 2
BROKEN = 1
ALL = "all"
NONE = "none"

_SEEDS = re.compile(r"([0-9]{1,9})\.\.([0-9]{1,9})", re.ASCII)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("money")
def money(
    days: Annotated[int, typer.Option(min=1, max=31, help="Days of payments.")] = 1,
    orders: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Drivers over all days, each seed.")
    ] = 200,
    faults: Annotated[
        str, typer.Option(help=f"all, none, or some of {', '.join(FAULT_NAMES)}.")
    ] = ALL,
    seed: Annotated[int | None, typer.Option(min=0, help="One seed; default 1.")] = None,
    seeds: Annotated[str | None, typer.Option(help="A..B, both included.")] = None,
    plazas: Annotated[int, typer.Option(min=1, max=2, help="Processes on the one store.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line is one JSON object.")
    ] = False,
) -> None:
    """Pay, refuse, wait, cancel and refund over days; fetch the bills; every fen must agree."""
    kinds, numbers = _kinds(faults), _numbers(seed, seeds)
    config = MoneyConfig(orders=orders, days=days, plazas=plazas)
    began = time.process_time()
    total: Counter[str] = Counter()
    bad: list[MoneyResult] = []
    kinds_seen: set[str] = set()
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("drivers", total=orders * len(numbers))
        for place, number in enumerate(numbers):

            def on_step(arrived: int, before: int = place * orders) -> None:
                progress.update(task, completed=before + arrived)

            result = run_money(number, config, kinds=kinds, on_step=on_step)
            total.update(_figures(result))
            kinds_seen.update(result.fault_kinds)
            if not result.good:
                bad.append(result)
                _tell(result, config)
    took_s = time.process_time() - began
    figures: dict[str, Any] = {
        **{name: total[name] for name in _NAMES},
        "orders_per_s": round(total["orders"] / max(took_s, 0.001), 1),
        "seeds": len(numbers),
        "failing_seeds": [result.seed for result in bad],
        "fault_kinds": sorted(kinds_seen),
        "core_s": round(took_s, 1),
    }
    if as_json:
        sys.stdout.write(json.dumps(figures, ensure_ascii=False) + "\n")
    else:
        _show(figures)
    raise typer.Exit(BROKEN if bad else 0)


_NAMES = (
    "orders",
    "captured_fen",
    "refunded_fen",
    "matched",
    "healed",
    "left_for_a_person",
    "bill_mistakes",
    "bill_mistakes_found",
    "difference_fen",
    "open_orders",
    "unsent_records",
)


def _figures(result: MoneyResult) -> dict[str, int]:
    return {name: getattr(result, name) for name in _NAMES}


def _kinds(text: str) -> tuple[str, ...]:
    if text == ALL:
        return FAULT_NAMES
    kinds = () if text == NONE else tuple(part.strip() for part in text.split(","))
    wrong = [kind for kind in kinds if kind not in FAULT_NAMES]
    if wrong:
        raise _cannot(f"--faults {wrong[0][:40]!r}: take all, none or {', '.join(FAULT_NAMES)}")
    return kinds


def _numbers(seed: int | None, seeds: str | None) -> range:
    if seed is not None and seeds is not None:
        raise _cannot("--seed and --seeds: give one of them")
    if seeds is None:
        number = 1 if seed is None else seed
        return range(number, number + 1)
    found = _SEEDS.fullmatch(seeds)
    if found is None or int(found[1]) > int(found[2]):
        raise _cannot(f"--seeds {seeds[:40]}: write A..B, both included, such as 1..200")
    return range(int(found[1]), int(found[2]) + 1)


def _tell(result: MoneyResult, config: MoneyConfig) -> None:
    sys.stdout.write(
        f"seed {result.seed}: {result.difference_fen} fen do not agree, {result.open_orders} orders"
        f" open, {result.unsent_records} records unsent. Run it alone: toll-sim money --seed"
        f" {result.seed} --orders {config.orders} --days {config.days} --plazas {config.plazas}\n"
    )
    for line in result.findings[:20]:
        sys.stdout.write(f"    {line}\n")


def _show(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        sys.stdout.write(f"{name:<20} {shown}\n")


def _cannot(text: str) -> typer.Exit:
    sys.stderr.write(f"toll-sim money: {text}\n")
    return typer.Exit(CANNOT_RUN)
