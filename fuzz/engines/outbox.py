"""What a chooser has to tell between two cases."""

from __future__ import annotations

from dataclasses import dataclass, field

from fuzz.engines.model import Trial


@dataclass
class Outbox:
    """Failures and notes that nobody has taken yet; each is taken once."""

    failures: list[Trial] = field(default_factory=list)
    """Failures to tell now: those just learnt of, or the shrunk forms of earlier ones."""
    notes: list[str] = field(default_factory=list)
    """What people should know and is no failure."""

    def take(self) -> Outbox:
        """All that is there, which leaves nothing."""
        taken = Outbox(self.failures, self.notes)
        self.failures, self.notes = [], []
        return taken
