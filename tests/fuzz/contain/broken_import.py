"""An import that raises."""

1 / 0  # noqa: B018
