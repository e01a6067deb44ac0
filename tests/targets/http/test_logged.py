"""What is logged in this process is read like the output of a server process."""

from __future__ import annotations

import logging

from targets.http.logged import logged_here

LOG = logging.getLogger("test.served")


def fail(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError:
        LOG.exception("a request failed")


def test_a_stack_trace_that_was_logged_is_read() -> None:
    with logged_here() as logged:
        fail("who")
        assert logged.output_after(0).splitlines()[:2] == ["a request failed", "Traceback (most recent call last):"]
        assert logged.output_after(0).endswith("KeyError: 'who'\n")


def test_only_what_came_afterwards_is_read() -> None:
    with logged_here() as logged:
        fail("first")
        start = logged.output_size()
        assert logged.output_after(start) == ""
        fail("second")
        assert "first" not in logged.output_after(start)
        assert "second" in logged.output_after(start)


def test_of_a_long_log_the_end_is_kept_and_places_stay_true() -> None:
    with logged_here() as logged:
        for _ in range(5):
            LOG.error("x" * 30_000)
        start = logged.output_size()
        LOG.error("the end")
        assert logged.output_after(start) == "the end\n"
        assert len(logged.output_after(0)) <= 64 * 1024


def test_what_is_no_error_is_not_kept() -> None:
    with logged_here() as logged:
        LOG.warning("a client is slow")
        assert logged.output_size() == 0


def test_nobody_listens_afterwards() -> None:
    handlers = list(logging.getLogger().handlers)
    with logged_here():
        pass
    assert logging.getLogger().handlers == handlers
