import logging
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.detect.detector import Detector
from monitor.detect.detector_state import FORMAT
from monitor.detect.settings import DetectorSettings
from monitor.model.errors import OperatorError
from monitor.model.events import Liquidation
from monitor.roles import state_file
from monitor.storage.checksum import unseal
from monitor.storage.kept_file import read_state
from monitor.storage.state_losses import PARTS, StateLosses

SETTINGS = DetectorSettings()


AT_US = 1_790_000_000_000_000
LIQUIDATION = Liquidation("bybit", "BTCUSDT", "BTC", AT_US, AT_US, "long", 1_000.0, "complete", "a")


def used() -> Detector:
    """A detector that has seen one liquidation."""
    detector = Detector(SETTINGS)
    detector.apply([LIQUIDATION])
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


SNAPSHOT = used().snapshot()


def assert_set_aside(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """The content is kept under another name, the log gives both names, and the detector starts anew."""
    path.write_bytes(content)
    caplog.clear()
    assert state_file.load(path, SETTINGS).view().liquidations == 0
    assert not path.exists()
    assert path.with_name("detector.state.unusable").read_bytes() == content
    assert "detector.state: the state is unusable" in caplog.text
    assert "set aside as" in caplog.text


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80", b"\x81\xa6format\x63"])
def test_a_file_that_is_no_state_is_set_aside(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be understood costs its content and not the restart; a second one replaces the first."""
    assert_set_aside(tmp_path / "detector.state", b"other garbage", caplog)
    assert_set_aside(tmp_path / "detector.state", content, caplog)


def test_every_cut_of_a_state_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A part of a state is none, wherever it ends."""
    whole = used().snapshot()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        assert_set_aside(tmp_path / "detector.state", whole[:length], caplog)


@pytest.mark.parametrize("usd", [2e12, 1.3e13, 1e22, 1e308])
def test_a_state_of_absurd_sums_is_set_aside(usd: float, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A state that was poisoned before numbers were checked never keeps the monitor from starting."""
    path = tmp_path / "detector.state"
    detector = used()
    try:
        detector.apply([replace(LIQUIDATION, id="poison", notional_usd=usd)])
        detector.advance(detector.second + 1)
        snapshot = detector.snapshot()
    except OverflowError:  # such a sum cannot even be kept
        return
    assert_set_aside(path, snapshot, caplog)


def test_a_state_of_another_format_is_refused(tmp_path: Path) -> None:
    """A newer version's state is whole: it stays where it is, and the error names the remedy."""
    path = tmp_path / "detector.state"
    common, assets = msgspec.msgpack.decode(used().snapshot(), type=tuple[bytes, dict[str, bytes]])
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(common), "format": FORMAT + 1})
    path.write_bytes(msgspec.msgpack.encode([newer, assets]))
    with pytest.raises(OperatorError, match=r"detector\.state: .* move the file away to start anew"):
        state_file.load(path, SETTINGS)
    assert path.exists()


def test_a_file_that_cannot_be_set_aside_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the directory is not writable, the operator is told instead of losing the file at the next save."""
    path = tmp_path / "detector.state"
    path.write_bytes(b"garbage")

    def refuse(self: Path, target: Path) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OperatorError, match="cannot be set aside: read-only"):
        state_file.load(path, SETTINGS)


def test_trying_a_state_changes_nothing_of_it(tmp_path: Path) -> None:
    """The copy that is tried is thrown away: what is loaded is what was saved, in an open second too."""
    path = tmp_path / "detector.state"
    detector = used()
    detector.advance(detector.second + 30)
    detector.apply([replace(LIQUIDATION, id="b", receive_time_us=LIQUIDATION.receive_time_us + 31_000_000)])
    state_file.save(path, detector.snapshot())
    assert state_file.load(path, SETTINGS).snapshot() == detector.snapshot()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_set_aside(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file with any byte changed, or cut anywhere, is set aside and counted; it never becomes another state."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "detector.state"
    state_file.save(path, SNAPSHOT)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    path.write_bytes(content)
    losses = StateLosses(lambda: 5)
    loaded = state_file.load(path, SETTINGS, losses)
    assert loaded.view().liquidations == 0
    assert losses.view() == (dict.fromkeys(PARTS, 0) | {"detector": 1}, 5)
    assert path.with_name("detector.state.unusable").read_bytes() == content


def test_damage_is_refused_where_the_settings_say_so(tmp_path: Path) -> None:
    """With damaged_state: refuse the file stays where it is, and the error names the remedy."""
    path = tmp_path / "detector.state"
    path.write_bytes(b"garbage")
    with pytest.raises(OperatorError, match=r"detector\.state: the detector's state is damaged .*restore a backup"):
        state_file.load(path, SETTINGS, StateLosses(lambda: 5, refuses=True))
    assert path.read_bytes() == b"garbage"


def test_a_file_from_before_checksums_is_read(tmp_path: Path) -> None:
    """A state of this format that was written without a checksum is restored, and saved with one."""
    path = tmp_path / "detector.state"
    path.write_bytes(SNAPSHOT)
    again = state_file.load(path, SETTINGS)
    assert again.snapshot() == SNAPSHOT
    state_file.save(path, again.snapshot())
    assert unseal(path.read_bytes()) == SNAPSHOT != path.read_bytes()


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
    assert read_state(path) == b"old"
    assert stat.S_ISREG(path.stat().st_mode)
