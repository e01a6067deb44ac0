"""Messages in shared memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from fuzz.contain import system
from fuzz.contain.mailbox import HEADER_BYTES, Mailbox, MailboxError
from fuzz.contain.recorder import FlightRecorder


@pytest.fixture
def ends() -> Iterator[tuple[Mailbox, Mailbox]]:
    fd = system.memory_file("test", HEADER_BYTES + 100)
    mine, theirs = Mailbox(fd), Mailbox(os.dup(fd))
    yield mine, theirs
    mine.close()
    theirs.close()


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 4096, 1_000_000])
def test_a_message_arrives_whatever_its_size(ends: tuple[Mailbox, Mailbox], size: int) -> None:
    mine, theirs = ends
    message = os.urandom(size)
    mine.write(message, kind=3, stamp=5)
    assert (theirs.read(), theirs.kind, theirs.stamp) == (message, 3, 5)
    theirs.write(b"back")
    assert mine.read() == b"back"


def test_a_mark_leaves_the_message(ends: tuple[Mailbox, Mailbox]) -> None:
    mine, theirs = ends
    mine.write(b"message", kind=1)
    theirs.mark(77, kind=2)
    assert (mine.read(), mine.kind, mine.stamp) == (b"message", 2, 77)


def test_a_length_beyond_the_file_is_an_error(ends: tuple[Mailbox, Mailbox]) -> None:
    mine, theirs = ends
    os.pwrite(mine.fd, struct.pack("<Q", 1 << 40), 0)
    with pytest.raises(MailboxError, match="1099511627776 bytes"):
        theirs.read()


def test_the_recorder_tells_a_running_case_from_one_that_has_run(ends: tuple[Mailbox, Mailbox]) -> None:
    recorder, seen = (FlightRecorder(end) for end in ends)
    assert seen.read().since == 0
    recorder.begin(b"case")
    begun = seen.read()
    assert (begun.case, begun.running) == (b"case", True)
    recorder.end()
    ended = seen.read()
    assert (ended.case, ended.running) == (b"case", False)
    assert ended.since >= begun.since > 0
