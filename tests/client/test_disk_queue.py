"""The disk queue: what was taken in comes out in order, once, whatever happens to the files in between."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wearwatch_client import Closed, QueueFailed, QueueFull, QueueInUse, files
from wearwatch_client import disk_queue as queue_module
from wearwatch_client.disk_queue import DiskQueue
from wearwatch_client.frames import frame, parse
from wearwatch_client.kept import Refusal

ROOM = 1 << 20
Open = Callable[..., DiskQueue]


@pytest.fixture
def open_queue(tmp_path: Path) -> Iterator[Open]:
    opened: list[DiskQueue] = []

    def open_queue(most_bytes: int = ROOM, **options: bool) -> DiskQueue:
        opened.append(DiskQueue(tmp_path / "queue", most_bytes, **options))
        return opened[-1]

    yield open_queue
    for queue in opened:
        queue.close()


def body(number: int) -> bytes:
    return b'{"machine":"m-%d","measured_at":"2026-11-20T08:00:00Z"}' % number


def rest(queue: DiskQueue, at_once: int = 7) -> list[bytes]:
    found: list[bytes] = []
    while rows := queue.read(at_once, ROOM):
        found += [queued.body for queued in rows]
        queue.acknowledge(len(rows))
    return found


def fill(open_queue: Open, count: int) -> Path:
    """A queue that was left with readings 0 to `count` in one segment; where that is."""
    queue = open_queue()
    queue.append([body(number) for number in range(count)])
    queue.close()
    [segment] = queue._folder.glob("*.segment")
    return segment


def test_readings_come_out_in_order_over_restarts_and_segments(open_queue, monkeypatch):
    monkeypatch.setattr(queue_module, "SEGMENT_BYTES", 1000)
    for start in range(0, 300, 50):
        queue = open_queue()
        for number in range(start, start + 50, 5):
            queue.append([body(each) for each in range(number, number + 5)])
        queue.close()
    queue = open_queue()
    assert queue.waiting == 300
    assert len(list(queue._folder.glob("*.segment"))) > 10
    assert rest(queue) == [body(number) for number in range(300)]
    assert queue.waiting == queue.lost == 0
    assert len(list(queue._folder.glob("*.segment"))) == 1


def test_what_was_acknowledged_never_comes_again_and_what_was_only_read_does(open_queue):
    fill(open_queue, 10)
    queue = open_queue()
    assert [queued.body for queued in queue.read(4, ROOM)] == [body(number) for number in range(4)]
    queue.acknowledge(3)
    queue.close()
    queue = open_queue()
    assert queue.waiting == 7
    assert rest(queue) == [body(number) for number in range(3, 10)]


def test_a_batch_keeps_to_its_size_but_holds_at_least_one_reading(open_queue):
    queue = open_queue()
    queue.append([body(0), b"x" * 5000, body(1)])
    assert [len(queue.read(10, 1000)) for _ in range(2)] == [1, 1]
    queue.acknowledge(1)
    assert [queued.body for queued in queue.read(10, 1000)] == [b"x" * 5000]


def test_numbers_go_on_after_everything_was_delivered_and_its_files_removed(open_queue):
    fill(open_queue, 5)
    queue = open_queue()
    rest(queue)
    queue.close()
    queue = open_queue()
    assert list(queue._folder.glob("*.segment")) == []
    queue.append([body(5)])
    assert [queued.number for queued in queue.read(9, ROOM)] == [6]


def test_a_crash_at_any_byte_of_the_last_write_costs_nothing_that_was_queued(open_queue, tmp_path):
    queued = fill(open_queue, 3).read_bytes()
    torn = frame(4, body(3))
    for length in range(len(torn)):
        segment = tmp_path / "queue" / f"{1:020d}.segment"
        (tmp_path / "queue" / "position").unlink(missing_ok=True)
        for old in segment.parent.glob("*.segment"):
            old.unlink()
        segment.write_bytes(queued + torn[:length])
        queue = open_queue()
        assert segment.read_bytes() == queued
        queue.append([body(9)])
        assert rest(queue) == [body(0), body(1), body(2), body(9)]
        assert queue.lost == 0
        queue.close()


@pytest.mark.parametrize("torn", [b"", b"4", frame(4, body(3))[:-1]])
def test_a_crash_before_the_first_line_of_a_new_file_does_not_stop_the_queue(open_queue, tmp_path, torn):
    fill(open_queue, 3)
    (tmp_path / "queue" / f"{4:020d}.segment").write_bytes(torn)
    queue = open_queue()
    assert queue.waiting == 3
    queue.append([body(3)])
    queue.append([body(4)])
    assert rest(queue) == [body(number) for number in range(5)]
    assert queue.lost == 0


def test_any_damaged_byte_costs_one_reading_or_two_and_is_said_and_set_aside(open_queue, tmp_path, caplog):
    segment = fill(open_queue, 4)
    whole = segment.read_bytes()
    for place in range(len(whole)):
        segment.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        for file in ("position", "damaged"):
            (tmp_path / "queue" / file).unlink(missing_ok=True)
        caplog.clear()
        queue = open_queue()
        found = rest(queue)
        good = [body(number) for number in range(4)]
        assert [each for each in good if each in found] == found
        assert len(found) >= 2
        last_line_break = place == len(whole) - 1
        # Two readings run together at the very end count as one: nothing after them says how many there were.
        assert queue.lost == (0 if last_line_break else 4 - len(found)) or found == good[:2]
        assert queue.waiting == 0
        assert caplog.records
        assert last_line_break or (tmp_path / "queue" / "damaged").stat().st_size
        queue.close()
        segment.write_bytes(whole)


def test_a_hole_of_zeros_larger_than_any_reading_is_passed_over(open_queue, tmp_path):
    segment = fill(open_queue, 3)
    queue = open_queue()
    queue.append([body(3)])
    queue.close()
    segment.write_bytes(segment.read_bytes() + bytes(600_000))
    queue = open_queue()
    assert rest(queue) == [body(number) for number in range(4)]
    assert (tmp_path / "queue" / "damaged").stat().st_size >= 600_000


def test_a_line_that_vanished_is_counted_as_lost(open_queue):
    segment = fill(open_queue, 5)
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:2] + lines[4:]))
    queue = open_queue()
    assert rest(queue) == [body(0), body(1), body(4)]
    assert queue.lost == 2


@pytest.mark.parametrize("content", [b"", b"garbage", b"0" * 20 + b" 00000000\n", b"\0" * 30])
def test_a_lost_position_means_sending_again_not_losing(open_queue, tmp_path, content):
    fill(open_queue, 5)
    queue = open_queue()
    queue.read(2, ROOM)
    queue.acknowledge(2)
    queue.close()
    (tmp_path / "queue" / "position").write_bytes(content)
    assert rest(open_queue()) == [body(number) for number in range(5)]


def test_a_queue_of_which_only_the_rejected_are_left_waits_for_nothing(open_queue, tmp_path):
    queue = open_queue()
    queue.append([body(0), body(1)])
    queue.rejected.keep([(queued, Refusal(422, None, "wrong")) for queued in queue.read(2, ROOM)])
    queue.acknowledge(2)
    queue.close()
    for name in ("position", f"{1:020d}.segment"):
        (tmp_path / "queue" / name).unlink()
    queue = open_queue()
    assert queue.waiting == 0
    queue.append([body(2)])
    assert [queued.number for queued in queue.read(9, ROOM)] == [3]


def test_a_position_beyond_what_the_power_left_does_not_swallow_new_readings(open_queue):
    segment = fill(open_queue, 5)
    queue = open_queue()
    rest(queue)
    queue.append([body(5)])
    queue.close()
    segment.unlink(missing_ok=True)
    for left in queue._folder.glob("*.segment"):
        left.unlink()
    queue = open_queue()
    queue.append([body(6)])
    assert rest(queue) == [body(6)]
    assert queue.lost == 0


def test_a_full_queue_refuses_with_figures_and_takes_again_once_delivered(open_queue):
    queue = open_queue(most_bytes=20_000)
    taken = 0
    with suppress(QueueFull):
        while True:
            queue.append([body(taken)])
            taken += 1
    with pytest.raises(QueueFull, match=r"of 20,000 bytes, \d+ readings wait; nothing was queued"):
        queue.append([body(taken)])
    assert queue.size <= 20_000
    assert queue.waiting == taken > 100
    assert rest(queue) == [body(number) for number in range(taken)]
    queue.append([body(0)])


def test_a_batch_that_does_not_fit_is_refused_whole(open_queue):
    queue = open_queue(most_bytes=5_000)
    queue.append([body(0)])
    with pytest.raises(QueueFull):
        queue.append([body(number) for number in range(100)])
    assert rest(queue) == [body(0)]


class Disk:
    """Writes only so many more bytes, then reports that the disk is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        write = os.write

        def limited(file: int, data: bytes) -> int:
            if self.room is None:
                return write(file, data)
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = write(file, bytes(data[: self.room]))
            self.room -= written
            return written

        monkeypatch.setattr(files.os, "write", limited)


def test_a_full_disk_refuses_and_leaves_no_half_reading(open_queue, monkeypatch):
    disk = Disk(monkeypatch)
    queue = open_queue()
    queue.append([body(0)])
    for room in range(len(frame(2, body(1)))):
        disk.room = room
        with pytest.raises(QueueFailed, match="No space left"):
            queue.append([body(1)])
    disk.room = None
    queue.append([body(2)])
    assert rest(queue) == [body(0), body(2)]
    queue.append([body(3)])
    queue.close()
    queue = open_queue()
    assert rest(queue) == [body(3)]
    assert queue.lost == 0


def test_after_a_disk_that_was_full_at_a_new_file_the_next_start_takes_readings_again(open_queue, monkeypatch):
    disk = Disk(monkeypatch)
    fill(open_queue, 2)
    queue = open_queue()
    disk.room = 0
    with pytest.raises(QueueFailed, match="No space left"):
        queue.append([body(2)])
    disk.room = None
    queue.close()
    queue = open_queue()
    queue.append([body(2)])
    assert rest(queue) == [body(number) for number in range(3)]
    assert queue.lost == 0


def test_a_disk_that_takes_back_nothing_gets_a_new_file_and_unused_numbers(open_queue, monkeypatch):
    disk = Disk(monkeypatch)
    queue = open_queue()
    queue.append([body(0)])
    disk.room = 40
    with monkeypatch.context() as broken:
        broken.setattr(files.os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
        with pytest.raises(QueueFailed):
            queue.append([body(1)])
    disk.room = None
    queue.append([body(2)])
    queue.close()
    assert rest(open_queue()) == [body(0), body(2)]


def test_an_interrupted_write_is_never_written_behind(open_queue, monkeypatch):
    queue = open_queue()
    queue.append([body(0)])
    fsync = os.fsync

    def interrupted(file: int) -> None:
        fsync(file)
        raise KeyboardInterrupt

    with monkeypatch.context() as ctrl_c:
        ctrl_c.setattr(files.os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            queue.append([body(1)])
    queue.append([body(2)])
    queue.close()
    assert [each for each in rest(open_queue()) if each != body(1)] == [body(0), body(2)]


def test_a_second_client_is_refused_while_the_first_lives(open_queue, tmp_path):
    queue = open_queue()
    with pytest.raises(QueueInUse, match="a folder of its own"):
        open_queue()
    queue.close()
    open_queue()


def test_a_folder_that_cannot_be_used_is_one_sentence_and_is_not_kept_locked(open_queue, tmp_path):
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "position").mkdir()
    with pytest.raises(QueueFailed, match="cannot be opened"):
        open_queue()
    (tmp_path / "queue" / "position").rmdir()
    open_queue()


def test_a_closed_queue_takes_nothing(open_queue):
    queue = open_queue()
    queue.close()
    queue.close()
    with pytest.raises(Closed):
        queue.append([body(0)])
    with pytest.raises(Closed):
        queue.acknowledge(0)


def test_every_write_is_on_disk_before_append_returns_and_threads_share_it(open_queue, monkeypatch):
    synced: list[int] = []
    fsync = os.fsync

    def slow(file: int) -> None:
        fsync(file)
        synced.append(os.fstat(file).st_size)

    queue = open_queue()
    queue.append([body(0)])
    monkeypatch.setattr(files.os, "fsync", slow)
    queue._writing.acquire()
    threads = [threading.Thread(target=queue.append, args=([body(number)],)) for number in range(1, 33)]
    for thread in threads:
        thread.start()
    while len(queue._entries) < len(threads):
        pass
    queue._writing.release()
    for thread in threads:
        thread.join()
    assert len(synced) == 1
    assert sorted(rest(queue)) == sorted(body(number) for number in range(33))
    assert synced[-1] == queue.size


def test_without_durable_no_append_waits_for_the_disk(open_queue, monkeypatch):
    queue = open_queue(durable=False)
    queue.append([body(0)])
    monkeypatch.setattr(files.os, "fsync", lambda _: pytest.fail("waited for the disk"))
    queue.append([body(1)])
    monkeypatch.undo()
    queue.close()
    assert rest(open_queue()) == [body(0), body(1)]


@given(st.binary(max_size=60), st.integers(1, 2**60))
def test_a_line_is_read_as_what_was_framed(data, number):
    line = data.replace(b"\n", b"")
    assert parse(frame(number, line)[:-1]) == (number, line)


@given(st.binary(max_size=60))
def test_no_other_line_is_taken_for_a_reading(line):
    queued = parse(line)
    assert queued is None or frame(*queued)[:-1].lower() == line.lower()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 9)),
        st.tuples(st.just("read"), st.integers(1, 9)),
        st.tuples(st.just("acknowledge"), st.integers(1, 9)),
        st.tuples(st.sampled_from(["restart", "crash", "crash at a new file"]), st.integers(0, 70)),
        st.tuples(st.just("full disk"), st.integers(0, 70)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_any_history_of_adding_delivering_and_crashing_is_that_of_a_list(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("history")
    queue, expected, added = DiskQueue(folder, 4_000), [], 0
    for step, size in steps:
        if step == "add":
            bodies = [body(added + each) for each in range(size)]
            try:
                queue.append(bodies)
                expected += bodies
                added += size
            except QueueFull:
                assert len(expected) > 15
        elif step == "read":
            assert [queued.body for queued in queue.read(size, ROOM)] == expected[:size]
        elif step == "acknowledge":
            done = len(queue.read(size, ROOM))
            queue.acknowledge(done)
            del expected[:done]
        elif step == "full disk":
            with pytest.MonkeyPatch.context() as full:
                Disk(full).room = size
                with pytest.raises((QueueFailed, QueueFull)):
                    queue.append([body(added), b"x" * 100])
        else:
            queue.close()
            if step == "crash at a new file":
                (folder / f"{queue.next:020d}.segment").touch()
            segments = sorted(folder.glob("*.segment"))
            if step != "restart" and segments:
                with segments[-1].open("ab") as torn:
                    torn.write(frame(999, body(999))[:-1][:size])
            queue = DiskQueue(folder, 4_000)
        assert queue.waiting == len(expected)
    assert rest(queue) == expected
    assert queue.lost == 0
    queue.close()
