"""What the steps of a certification work on, and what they answer with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from targets.contract import Target


class StepFailed(Exception):  # noqa: N818 - an answer, not a defect of ours
    """What should have been proven does not hold."""


class NotApplicable(Exception):  # noqa: N818 - an answer
    """The target does not offer what the step is about."""


@dataclass(frozen=True)
class Proof:
    """A step that passed."""

    detail: str
    proof: str = ""
    """What a repetition in another process must show again."""


@dataclass
class Subject:
    """A target on one device; its model is loaded by the first step that needs it."""

    target: Target
    device: str
    dtype: str

    @cached_property
    def model(self) -> Any:
        """The loaded model. Raises whatever loading raises."""
        return self.target.load(self.device, self.dtype)

    @cached_property
    def opened(self) -> Any:
        """What the target opens with its default knobs, for steps that share one."""
        return self.fresh()

    def fresh(self) -> Any:
        """What the target opens with its default knobs, anew. Raises whatever opening raises."""
        return self.target.open(self.model, **{knob.name: knob.default for knob in self.target.knobs})


Steps = Mapping[str, Callable[[Subject], Proof]]
