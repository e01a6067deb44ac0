"""The one exception of containment."""

from __future__ import annotations


class ContainmentError(Exception):
    """Containment cannot be set up: a module does not import, the platform lacks what is needed, a wrong setting.

    Never raised for what a contained call does; that is an `Outcome`.
    """
