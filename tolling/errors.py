"""All errors of the project under one root, each with one stable code from errors.toml.

TollError 9001                    the root
├── BadInputError 2001            a file, frame, message or request is wrong
├── DeviceError 1000              a device or its line
│   ├── DeviceUnavailableError 1001   the line or device is not there
│   ├── DeviceTimeoutError 1002       no answer in time
│   ├── DeviceProtocolError 1003      bytes that mean nothing in its protocol
│   └── DeviceBusyError 1004          somebody else holds the line
├── LaneError 2100                the lane itself
│   ├── JournalError 2101             the lane's own store failed
│   └── PlazaLinkError 2102           the plaza could not be reached or did not answer
├── TariffGapError 2201           no row covers what was asked
├── SignatureError 2301           a signed set or record is not provably its maker's
├── RefusedError 2401             the caller may not do this, or not now
├── GatewayError 3000             a payment platform
│   ├── GatewayUnreachableError 3001  the platform was not reached: nothing was sent
│   ├── GatewayRejectedError 3002     the platform refused the call itself (configuration)
│   └── GatewaySignatureError 3003    an answer that is not provably the platform's
└── LedgerError 4000              the ledger
    ├── LedgerConflictError 4001      same id, other content
    └── LedgerInsufficientError 4002  a transfer would overdraw an account that may not be
"""

from __future__ import annotations

from typing import ClassVar


class TollError(Exception):
    """Root of every error this project raises on purpose: facts are attributes, str is the text."""

    code: ClassVar[int] = 9001

    def __init__(self, *, where: str, what: str, do: str = "") -> None:
        super().__init__(where, what, do)
        self.where = where
        """File, key, device, path or call."""
        self.what = what
        """What is wrong; never the input itself where it could hold a pay code."""
        self.do = do
        """What a person can do about it; may be empty."""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text}. {self.do}" if self.do else text


class BadInputError(TollError):
    """A file, frame, message or request is wrong; it is refused whole."""

    code = 2001


class DeviceError(TollError):
    """A device or its line failed."""

    code = 1000


class DeviceUnavailableError(DeviceError):
    """The line or device is not there."""

    code = 1001


class DeviceTimeoutError(DeviceError):
    """The device did not answer in time."""

    code = 1002


class DeviceProtocolError(DeviceError):
    """Bytes that mean nothing in the device's protocol."""

    code = 1003


class DeviceBusyError(DeviceError):
    """Somebody else holds the line."""

    code = 1004


class LaneError(TollError):
    """The lane itself, or its link to the plaza, failed."""

    code = 2100


class JournalError(LaneError):
    """The lane's own store failed."""

    code = 2101


class PlazaLinkError(LaneError):
    """The plaza could not be reached or did not answer."""

    code = 2102


class TariffGapError(TollError):
    """No row of the tariff covers what was asked."""

    code = 2201


class SignatureError(TollError):
    """A signed set or record is not provably its maker's."""

    code = 2301


class RefusedError(TollError):
    """The caller may not do this, or not now."""

    code = 2401


class GatewayError(TollError):
    """A payment platform failed."""

    code = 3000


class GatewayUnreachableError(GatewayError):
    """The platform was not reached: the request was not sent."""

    code = 3001


class GatewayRejectedError(GatewayError):
    """The platform refused the call itself: key, clock or configuration."""

    code = 3002


class GatewaySignatureError(GatewayError):
    """An answer that is not provably the platform's."""

    code = 3003


class LedgerError(TollError):
    """The ledger refused a transfer."""

    code = 4000


class LedgerConflictError(LedgerError):
    """The same id came with other content."""

    code = 4001


class LedgerInsufficientError(LedgerError):
    """A transfer would overdraw an account that may not be overdrawn."""

    code = 4002
