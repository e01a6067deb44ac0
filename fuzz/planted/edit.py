"""One edit of a module's source. Imports nothing of the targets, so that it can be used before they are loaded."""

from __future__ import annotations

import msgspec


class EditError(Exception):
    """The text to replace does not occur exactly once."""


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """Replace a text that occurs exactly once."""

    module: str
    """Import name."""
    before: str
    after: str

    def apply(self, source: str) -> str:
        """The edited source. Raises `EditError`."""
        count = source.count(self.before)
        if count != 1:
            raise EditError(
                f"the text to replace occurs {count} times in {self.module} and must occur once:\n{self.before}"
            )
        return source.replace(self.before, self.after)

    def line(self, source: str) -> int:
        """Number (from 1) of the first line of the edited source that differs. `source` is the plain one."""
        plain, edited = source.splitlines(), self.apply(source).splitlines()
        same = next((place for place, pair in enumerate(zip(plain, edited, strict=False)) if pair[0] != pair[1]), None)
        return 1 + (min(len(plain), len(edited)) - 1 if same is None else same)
