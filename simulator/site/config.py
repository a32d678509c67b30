"""What a site is made of: lanes, their wires, platforms. Read from JSON; errors name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.emulators.modbus_server import Wire
from simulator.emulators.modbus_units import USUAL_INPUTS, USUAL_OUTPUTS, Profile
from simulator.emulators.scanner import Family
from simulator.models.wallets import ALL_WALLETS, PLATFORM_OF
from simulator.plant import LaneGeometry, PowerFail
from tolling.inputs import Output, Point
from tolling.paycodes import Wallet

LANES_MAX = 64
Port = Annotated[int, Field(ge=0, le=65_535)]
"""0 takes a free one."""
Baud = Annotated[int, Field(ge=1_200, le=1_000_000)]


class SiteConfigError(Exception):
    """A site's file cannot be used; the text names the file, the key and what is wrong with it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LaneConfig(_Part):
    """One lane and the wires to its devices."""

    lane_id: Annotated[str, Field(pattern=r"^[0-9]{3}$")]
    wire: Wire = Wire.TCP
    profile: Profile = Profile.WAVESHARE_RELAY_8CH
    device_id: Annotated[int, Field(ge=1, le=247)] = 1
    modbus_port: Port = 0
    modbus_baud: Baud = 115_200
    inputs: dict[Point, Annotated[int, Field(ge=0, le=15)]] = Field(
        default_factory=lambda: dict(USUAL_INPUTS)
    )
    outputs: dict[Output, Annotated[int, Field(ge=0, le=15)]] = Field(
        default_factory=lambda: dict(USUAL_OUTPUTS)
    )
    scanner: Family = Family.PLAIN
    scanner_baud: Baud = 115_200
    camera_port: Port = 0
    """Where the lane controller will listen for plates; 0: a port that is free now is named."""
    etc: bool = True
    etc_port: Port = 0
    raise_ms: Annotated[int, Field(ge=300, le=10_000)] = 900
    lower_ms: Annotated[int, Field(ge=300, le=10_000)] = 1_200
    power_fail: PowerFail = PowerFail.OPEN

    def geometry(self) -> LaneGeometry:
        """Return the lane's measures for the plant."""
        return LaneGeometry(
            raise_us=self.raise_ms * 1_000,
            lower_us=self.lower_ms * 1_000,
            power_fail=self.power_fail,
            has_curtain=Point.CURTAIN in self.inputs,
        )


class PlatformsConfig(_Part):
    """The simulated platforms in the same process: those that take the drivers' wallets."""

    ports: dict[str, Port] = Field(default_factory=dict)
    """By platform; one that is not named takes a free port."""
    keys_dir: Path | None = None
    """Where key files are kept or made; none: made for this run, in the site's folder."""
    latency_ms: Annotated[int, Field(ge=0, le=600_000)] = 600
    jitter_ms: Annotated[int, Field(ge=0, le=600_000)] = 0


class SiteConfig(_Part):
    """One site: a plaza's outside."""

    run_dir: Path
    """Folder for the serial lines' symlinks and the platforms' keys; made where it is missing."""
    lanes: Annotated[tuple[LaneConfig, ...], Field(min_length=1, max_length=LANES_MAX)]
    platforms: PlatformsConfig | None = Field(default_factory=PlatformsConfig)
    """None: no platform here; the drivers' codes then belong to no wallet anywhere."""
    wallets: Annotated[tuple[Wallet, ...], Field(min_length=1)] = ALL_WALLETS
    """On the drivers' phones, in turn as they show them."""
    control_port: Port = 0
    seed: int = 1
    people_percent: Annotated[int, Field(ge=1, le=1_000)] = 100
    """How long drivers and attendants take for everything, in percent of the usual."""

    def takes(self, wallet: Wallet) -> bool:
        """Return whether a platform here takes that wallet's codes."""
        platforms = {PLATFORM_OF[each] for each in self.wallets}
        return self.platforms is not None and PLATFORM_OF[wallet] in platforms

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [lane.lane_id for lane in self.lanes]
        if len(set(names)) != len(names):
            raise ValueError("two lanes have one lane_id")
        served = {PLATFORM_OF[wallet] for wallet in self.wallets}
        others = () if self.platforms is None else sorted(set(self.platforms.ports) - served)
        if others:
            raise ValueError(f"platforms.ports names one that takes no wallet here: {others[0]}")
        return self


def read_config(path: Path) -> SiteConfig:
    """Return the config in a JSON file.

    Raises: SiteConfigError: it cannot be read, is no JSON, or a key is wrong.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SiteConfigError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return SiteConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SiteConfigError(f"{path}: {key}: {first['msg']}") from None
