"""What a certification does and says, as plain data."""

from __future__ import annotations

import enum

import msgspec

FORMAT = 1


class Status(enum.StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    """The target does not offer what the step is about."""
    UNREACHED = "unreached"
    """Something before it failed, or the time was up."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was proven, or was not."""

    name: str
    status: Status
    seconds: float = 0.0
    detail: str = ""


class DeviceReport(msgspec.Struct, frozen=True, kw_only=True):
    """The steps on one device."""

    device: str
    dtype: str
    model: str = ""
    """Fingerprint of the weights (`fuzz.certify.fingerprint`); empty if the model was not loaded."""
    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed and everything was reached."""
        return all(step.status in (Status.PASSED, Status.NOT_APPLICABLE) for step in self.steps)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The result, written as JSON."""

    format: int = FORMAT
    target: str
    certified: bool
    made: str
    """UTC time in ISO 8601."""
    seconds: float
    limit: float
    """Seconds after which everything would have been ended."""
    devices: tuple[DeviceReport, ...]
    code: dict[str, str] = {}
    """Module of the target to a fingerprint of its source, or to the reason why it has none."""
    versions: dict[str, str] = {}
    problem: str = ""
    """Why nothing could be tried at all; empty otherwise."""


class CertifyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to certify."""

    target: str
    devices: tuple[str, ...] = ()
    """Empty is every device that the target offers."""
    dtype: str = ""
    """Empty is the target's first one."""
    limit: float = 30.0
    """Seconds, everything included."""


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """The target was found."""

    units: tuple[tuple[str, str], ...]
    """(device, dtype) in the order in which they are tried."""
    steps: tuple[str, ...]
    code: dict[str, str]
    versions: dict[str, str]


class Began(msgspec.Struct, frozen=True, kw_only=True, tag="began"):
    """A step is being tried."""

    device: str
    step: str


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """A step has ended."""

    device: str
    step: Step
    model: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The user named or wrote something wrong, so there is nothing to certify."""

    message: str


Event = Opened | Began | Done | Refused


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says about one step."""

    status: Status
    detail: str = ""
    proof: str = ""
    """What a later repetition of the step must show again."""
    model: str = ""
