"""The simulated outside in real time, as one process with a control API."""

from simulator.site.app import run_site
from simulator.site.config import LaneConfig, PlatformsConfig, SiteConfig, read_config
from simulator.site.plates import plate_of

__all__ = ["LaneConfig", "PlatformsConfig", "SiteConfig", "plate_of", "read_config", "run_site"]
