"""What a harness has beside its workers when the target is a server."""

from __future__ import annotations

from fuzz.contain.outcome import Fate, Outcome
from fuzz.lab.server_lab import HEALTH
from fuzz.lab.servers import WOUNDS
from fuzz.properties.model import Verdict, Violation
from targets.contract import Target
from targets.http.keeper import VARIABLE, Keeper
from targets.http.locate import answer_seconds

ANSWERS = 24
"""Times the deadline of one answer that a case may take: several exchanges, and the questions about them."""


class Served:
    """Keeps the server that workers start, and knows what the loss of a worker says about it."""

    def __init__(self, target: Target) -> None:
        self._keeper = Keeper()
        self.within = bool(target.modules)
        """Whether the server runs in the worker's own process."""
        self.deadline = ANSWERS * answer_seconds()
        """Seconds that a case may take."""
        self.environment = {VARIABLE: str(self._keeper.path)}
        """For workers."""

    def lost(self, outcome: Outcome) -> Verdict | None:
        """The verdict on a case that cost the worker; None if the server has no part in it."""
        self._keeper.discard()
        if not self.within or outcome.fate is Fate.HUNG:
            return None
        message = f"the server died: {outcome.message or outcome.fate.value}"
        return Verdict(violations=(Violation(code=HEALTH, slug="server-died", message=message),), checked=(HEALTH,))

    def wounded(self, verdict: Verdict) -> bool:
        """Whether the server lives in the worker and is not to be trusted with the next case."""
        return self.within and any(violation.code in WOUNDS for violation in verdict.violations)

    def discard(self) -> None:
        """End the server; the next worker starts another."""
        self._keeper.discard()

    def close(self) -> None:
        """End the server for good."""
        self._keeper.close()
