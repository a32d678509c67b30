"""What a stack is made of, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.models.wallets import PLATFORM_OF
from tolling.paycodes import Wallet
from tolling.tariffs import TariffSet

PLAZA = "330101"
OPERATOR, PIN = "101", "271828"
"""Who serves at every lane's window; a made-up number."""
QUICK: Mapping[str, int] = {
    "order_deadline_ms": 1_200,
    "second_tender_ms": 2_500,
    "poll_wait_ms": 1_000,
    "poll_retry_ms": 200,
    "waiting_order_ms": 8_000,
    "entry_wait_ms": 1_000,
    "etc_wait_ms": 1_500,
}
"""``[limits]`` of a lane whose people do not wait for other tenders for long."""
PLAZA_BROKER = "plaza-broker"
PLAZA_DATABASE = "plaza-database"


def plaza_platform(platform: str) -> str:
    """Return the name of the plaza's line to a payment platform."""
    return f"plaza-{platform}"


def lane_plaza(lane: str) -> str:
    """Return the name of a lane's line to the plaza."""
    return f"lane {lane}-plaza"


def lane_broker(lane: str) -> str:
    """Return the name of a lane's line to the broker."""
    return f"lane {lane}-broker"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack is made of."""

    lanes: tuple[str, ...] = ("001",)
    limits: Mapping[str, int] = field(default_factory=dict)
    """``[limits]`` of every lane file."""
    site: Mapping[str, Any] = field(default_factory=dict)
    """More keys of every lane in the site's file."""
    wallets: tuple[Wallet, ...] = (Wallet.ALIPAY,)
    """On the drivers' phones, in turn as they show them; only their platforms are there."""
    platforms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """More keys of ``[platforms.<name>]``, by name."""
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """URLs that take the place of the site's, by lane and device."""
    latency_ms: int = 30
    jitter_ms: int = 0
    """Of every platform."""
    boom_ms: int | None = 300
    """None: the boom's usual times."""
    people_percent: int = 20
    """How long drivers and attendants take for everything."""
    attended: bool = True
    seed: int = 1
    """Draws drivers, codes and the lines' jitter."""
    plaza_mqtt: bool = False
    """The plaza listens to the lanes at the broker."""
    postgres: bool = False
    """The plaza's store is a PostgreSQL server of the stack's own."""
    tariff: TariffSet | None = None
    """In force at the plaza; None: its sample tariff. Its times must lie in the last day."""
    plazas: int = 1
    """Plaza processes on one store; more than one needs PostgreSQL."""

    def __post_init__(self) -> None:
        assert self.lanes, "a stack has lanes"
        assert self.wallets, "a driver has some wallet"
        assert 1 <= self.plazas <= 4, "plazas: 1..4"
        assert self.plazas == 1 or self.postgres, "SQLite serves exactly one plaza process"

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the names of all lines between the processes."""
        of_lanes = [name for lane in self.lanes for name in (lane_plaza(lane), lane_broker(lane))]
        database = (PLAZA_DATABASE,) if self.postgres else ()
        return (*of_lanes, *self.platform_lines, PLAZA_BROKER, *database)

    @property
    def platform_names(self) -> tuple[str, ...]:
        """Return the names of the payment platforms that are there."""
        return tuple(dict.fromkeys(PLATFORM_OF[wallet] for wallet in self.wallets))

    @property
    def platform_lines(self) -> tuple[str, ...]:
        """Return the names of the plaza's lines to them."""
        return tuple(plaza_platform(name) for name in self.platform_names)

    @property
    def plaza_names(self) -> tuple[str, ...]:
        """Return the names of the plaza's processes."""
        return ("plaza", *(f"plaza {number}" for number in range(2, self.plazas + 1)))
