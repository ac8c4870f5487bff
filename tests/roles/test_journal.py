"""The journal against crashes: whatever is cut off where, a restart is the detector that went on, or one before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.model.events import AnyEvent
from monitor.model.signals import Signal
from monitor.roles import journal as module
from monitor.roles import state_file
from monitor.roles.journal import Journal, lines_of, mark_of, segments
from monitor.storage.kept_file import read_state
from tests.detect.scenarios import START, crash, encoded, in_order

EVENTS = in_order(crash(START))
OPENED: list[Journal] = []


class Keeper:
    """A detector whose state and journal are kept as the decider keeps them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.detector = state_file.load(path, DETECTOR)
        self.journal = Journal(path)
        OPENED.append(self.journal)
        self.calls = 0
        self.pending = self.journal.restore(self.detector, read_state(path))

    def take(self, events: Sequence[AnyEvent], *, marked: bool = True) -> list[Signal]:
        """Write down, decide, and note that the signals were handed on."""
        self.append(lines_of(events))
        signals = self.detector.apply(events)
        if marked:
            self.append(mark_of(self.detector.second))
        return signals

    def append(self, lines: bytes) -> None:
        """Write lines."""
        self.calls += 1
        self.journal.append(self.calls, lines)

    def save(self, *, crash_before: str = "") -> None:
        """Keep the state, up to a crash."""
        snapshot = self.detector.snapshot()
        self.calls += 1
        self.journal.rotate(self.calls, snapshot)
        if crash_before == "save":
            return
        state_file.save(self.path, snapshot)
        if crash_before != "saved":
            self.journal.saved(snapshot)


def same(one: Detector, other: Detector) -> bool:
    """Whether two detectors know the same."""
    return one.snapshot() == other.snapshot()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where the state is kept; open files are closed afterwards."""
    yield tmp_path / "state" / "detector.state"
    for journal in OPENED:
        journal.close()
    OPENED.clear()


def test_a_restart_is_where_the_process_ended(path: Path) -> None:
    """Without a snapshot, after one and after several restarts the state is that of a detector that went on."""
    whole = Detector(DETECTOR)
    third = len(EVENTS) // 3
    for number in range(3):
        part = EVENTS[number * third : (number + 1) * third]
        keeper = Keeper(path)
        assert same(keeper.detector, whole)
        assert not keeper.pending
        assert encoded(keeper.take(part)) == encoded(whole.apply(part))
        if number == 1:
            keeper.save()
            keeper.take(EVENTS[:1])
            whole.apply(EVENTS[:1])
    assert same(Keeper(path).detector, whole)


@pytest.mark.parametrize("step", ["save", "saved", ""])
def test_a_crash_at_any_step_of_a_save_loses_and_doubles_nothing(path: Path, step: str) -> None:
    """Between the new segment, the new state and the deletion of the old segments the chain stays whole."""
    keeper = Keeper(path)
    keeper.take(EVENTS[:500])
    keeper.save()
    keeper.take(EVENTS[500:900])
    keeper.save(crash_before=step)
    keeper.take(EVENTS[900:1_000])
    again = Keeper(path)
    assert same(again.detector, keeper.detector)
    again.save()
    assert len(segments(path)) == 1
    assert same(Keeper(path).detector, keeper.detector)


def test_signals_that_were_not_handed_on_are_pending(path: Path) -> None:
    """What comes after the last mark is given back to be sent, and nothing before it."""
    keeper = Keeper(path)
    before = [signal for event in EVENTS[:-300] for signal in keeper.take([event])]
    unsent = keeper.take(EVENTS[-300:], marked=False)
    assert before
    assert unsent
    assert encoded(Keeper(path).pending) == encoded(unsent)


def test_seconds_closed_by_the_clock_are_closed_again(path: Path) -> None:
    """A mark carries the second that the clock reached without any event."""
    keeper = Keeper(path)
    keeper.take(EVENTS[:100])
    keeper.detector.advance(START + 4_000)
    keeper.append(mark_of(keeper.detector.second))
    assert same(Keeper(path).detector, keeper.detector)


def test_a_torn_line_is_cut_off(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After a loss of power the restart goes on from the last whole line, and so does the restart after that."""
    keeper = Keeper(path)
    for event in EVENTS[:200]:
        keeper.take([event])
    (segment,) = segments(path)
    segment.write_bytes(segment.read_bytes()[:-3])
    keeper = Keeper(path)
    assert "cut off after" in caplog.text
    kept = keeper.detector.snapshot()
    keeper.take(EVENTS[200:300])
    caplog.clear()
    again = Keeper(path)
    assert same(again.detector, keeper.detector)
    assert kept != keeper.detector.snapshot()
    assert "cut off" not in caplog.text


def test_a_damaged_line_ends_the_chain(path: Path) -> None:
    """What was written on top of a lost line is not applied, now and at the next restart."""
    expected = Detector(DETECTOR)
    expected.apply(EVENTS[:10])
    keeper = Keeper(path)
    keeper.take(EVENTS[:10])
    damage = segments(path)[0].stat().st_size
    keeper.take(EVENTS[10:20])
    keeper.save(crash_before="save")
    keeper.take(EVENTS[20:30])
    content = bytearray(segments(path)[0].read_bytes())
    content[damage : damage + 5] = b"\0" * 5
    segments(path)[0].write_bytes(content)
    assert same(Keeper(path).detector, expected)
    assert same(Keeper(path).detector, expected)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_leaves_what_was_before_it(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With any byte changed or cut, the restart is where the process was at some time, and never anywhere else."""
    path = tmp_path_factory.mktemp("journal") / "detector.state"
    keeper = Keeper(path)
    known = {keeper.detector.snapshot()}
    for at in range(0, 60, 20):
        keeper.take(EVENTS[at : at + 20])
        known.add(keeper.detector.snapshot())
    keeper.journal.close()
    (segment,) = segments(path)
    content = bytearray(segment.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    segment.write_bytes(content)
    again = Keeper(path)
    assert again.detector.snapshot() in known
    again.journal.close()
    assert same(Keeper(path).detector, again.detector)


def test_a_journal_from_before_checksums_is_read(path: Path) -> None:
    """Its lines are applied one by one, up to the first that is damaged."""
    expected = Detector(DETECTOR)
    expected.apply(EVENTS[:30])
    keeper = Keeper(path)
    keeper.take(EVENTS[:30])
    (segment,) = segments(path)
    lines = [line for line in segment.read_bytes().splitlines(keepends=True) if b'"checksum"' not in line]
    segment.write_bytes(b"".join(lines).replace(b',"sums":true', b"") + b'{"type":"liqui')
    assert same(Keeper(path).detector, expected)


def test_a_new_segments_name_survives_a_power_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is written to the disk with each segment, because syncing a file does not keep its name."""
    synced: list[tuple[Path, int]] = []
    monkeypatch.setattr(module, "sync_folder", lambda folder: synced.append((folder, len(segments(path)))))
    keeper = Keeper(path)
    keeper.take(EVENTS[:10])
    keeper.save(crash_before="save")
    assert synced == [(path.parent, 1), (path.parent, 2)]


def test_segments_of_another_state_are_deleted(path: Path) -> None:
    """A state file that was moved away or replaced is not continued with what belongs to the one before."""
    keeper = Keeper(path)
    keeper.take(EVENTS[:100])
    keeper.save()
    keeper.take(EVENTS[100:200])
    path.unlink()
    again = Keeper(path)
    assert again.detector.second == 0
    assert len(segments(path)) == 1


def test_what_was_given_up_ends_the_journal_until_the_next_state(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What comes after something that was not written is worth nothing, which a restart knows; it is logged once."""
    expected = Detector(DETECTOR)
    keeper = Keeper(path)
    keeper.take(EVENTS[:10])
    expected.apply(EVENTS[:10])
    keeper.calls += 1  # the output gave it up
    keeper.detector.apply(EVENTS[10:20])
    with caplog.at_level(logging.ERROR):
        keeper.take(EVENTS[20:30])
        keeper.take(EVENTS[30:40])
    assert caplog.text.count("the journal is incomplete") == 1
    keeper.save(crash_before="save")
    keeper.take(EVENTS[40:50])
    again = Keeper(path)
    assert same(again.detector, expected)
    again.take(EVENTS[50:60])
    again.save()
    again.take(EVENTS[60:70])
    assert same(Keeper(path).detector, again.detector)


def test_too_much_without_a_saved_state_ends_it_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state that can never be saved does not fill the disk with journal, and the next one that can begins anew."""
    monkeypatch.setattr(module, "MAX_BYTES", 2_000)
    keeper = Keeper(path)
    for event in EVENTS[:100]:
        keeper.take([event])
    assert not keeper.journal.whole
    assert sum(segment.stat().st_size for segment in segments(path)) < 3_000
    keeper.save()
    keeper.take(EVENTS[100:103])
    assert same(Keeper(path).detector, keeper.detector)


def test_a_write_that_fails_leaves_nothing_and_is_made_again(path: Path) -> None:
    """Half a line is taken back, so that another try writes it once."""
    keeper = Keeper(path)
    assert keeper.journal._file is not None
    file: BinaryIO = keeper.journal._file

    class Full:
        """Writes a few bytes and then has no room."""

        def __init__(self) -> None:
            self.left = 5

        def write(self, data: bytes) -> int:
            """Write what has room."""
            if not self.left:
                raise OSError("No space left on device")
            written = file.write(data[: self.left])
            self.left = 0
            return written

        def truncate(self, size: int) -> int:
            """Cut."""
            return file.truncate(size)

        def seek(self, position: int) -> int:
            """Go back."""
            return file.seek(position)

    lines = lines_of(EVENTS[:10])
    keeper.journal._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        keeper.append(lines)
    keeper.journal._file = file
    keeper.journal.append(keeper.calls, lines)
    keeper.detector.apply(EVENTS[:10])
    assert same(Keeper(path).detector, keeper.detector)
