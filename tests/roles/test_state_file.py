import logging
import stat
from pathlib import Path

import pytest

from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.model.errors import OperatorError
from monitor.model.events import Liquidation
from monitor.roles import state_file

SETTINGS = DetectorSettings()


def used() -> Detector:
    """A detector that has seen one liquidation."""
    detector = Detector(SETTINGS)
    at_us = 1_790_000_000_000_000
    detector.apply([Liquidation("bybit", "BTCUSDT", "BTC", at_us, at_us, "long", 1_000.0, "complete", "a")])
    return detector


@pytest.mark.parametrize("path", [None, Path("nowhere/state")])
def test_without_a_file_it_starts_anew(path: Path | None) -> None:
    """No path and no file both give a detector that knows nothing."""
    assert state_file.load(path, SETTINGS).view().liquidations == 0


def test_what_was_saved_is_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The detector goes on as it was, folders are made, nothing else is left there, and the log says so."""
    path = tmp_path / "deep" / "er" / "detector.state"
    detector = used()
    state_file.save(path, detector.snapshot())
    state_file.save(path, detector.snapshot())
    with caplog.at_level(logging.INFO):
        again = state_file.load(path, SETTINGS)
    assert again.snapshot() == detector.snapshot()
    assert again.view().liquidated_usd == (1_000.0, 0.0)
    assert "state of 1 assets restored" in caplog.text
    assert [kept.name for kept in path.parent.iterdir()] == ["detector.state"]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80", b"\x81\xa6format\x63"])
def test_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that cannot be understood is never taken for an empty one; the remedy is said."""
    path = tmp_path / "detector.state"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=r"detector\.state: .* move the file away to start anew"):
        state_file.load(path, SETTINGS)


def test_cut_file_is_refused(tmp_path: Path) -> None:
    """Half a state is none."""
    path = tmp_path / "detector.state"
    whole = used().snapshot()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OperatorError, match="cannot be read"):
        state_file.load(path, SETTINGS)


def test_path_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    """What the file system refuses is an operator's error too."""
    with pytest.raises(OperatorError, match="cannot be read"):
        state_file.load(tmp_path, SETTINGS)


def test_failed_save_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between writing and replacing leaves the state that was there."""
    path = tmp_path / "detector.state"
    state_file.save(path, b"old")

    def crash(self: Path, target: Path) -> None:
        raise OSError("the machine is gone")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="the machine is gone"):
        state_file.save(path, b"new")
    assert path.read_bytes() == b"old"
    assert stat.S_ISREG(path.stat().st_mode)
