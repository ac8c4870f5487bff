from __future__ import annotations

from collections import Counter
from itertools import islice

from monitor.lab.bench.decode import count_events, prepare
from monitor.lab.bench.frames import BURST_PER_S, CALM_PER_S, SHARES, generate


def test_the_same_seed_gives_the_same_frames() -> None:
    """Figures of two runs are about the same bytes."""
    assert list(generate(500)) == list(generate(500))
    assert list(generate(50, seed=1)) != list(generate(50, seed=2))


def test_every_frame_is_read_in_full() -> None:
    """The adapters make of the frames exactly the events that went into them."""
    frames = list(generate(3_000))
    assert count_events(prepare(frames)) == sum(frame.events for frame in frames)


def test_venues_have_their_shares() -> None:
    """Binance, Bybit and OKX send 457, 314 and 229 of a thousand frames."""
    shares = Counter(frame.venue for frame in generate(5_000))
    assert set(shares) == set(SHARES)
    assert [round(shares[venue] / 5_000, 1) for venue in ("binance-usdm", "bybit", "okx")] == [0.5, 0.3, 0.2]


def test_the_burst_is_denser() -> None:
    """Frames come at the calm rate first and at the burst's peak right after it."""
    times = [frame.received_us for frame in islice(generate(10_000), 6_100)]
    assert round(100 / (times[100] - times[0]) * 1e6) == CALM_PER_S
    assert 100 / (times[6_099] - times[5_999]) * 1e6 > 0.9 * BURST_PER_S
