"""Every shape of frame that exchanges document, or that captures show, is held by a hand-written frame.

``frames/<venue>/_shapes.json`` names each shape, with texts that a frame of it has all of. Its sources are those of the
adapter: the exchange's documents, and frames that other programs captured.
"""

from __future__ import annotations

import json

import pytest

from monitor.exchanges.registry import ADAPTERS
from monitor.exchanges.toolkit.gzip_frames import GZIP_HEAD, inflate
from tests.exchanges.cases import FOLDER, cases_of, compact


def texts_of(venue: str) -> list[str]:
    """Return the hand-written frames of a venue as compact text; a compressed one begins with ``gzip:``."""
    texts = []
    for case in cases_of(venue):
        for content in case.frames:
            frame = compact(content)
            packed = frame.startswith(GZIP_HEAD)
            texts.append(("gzip:" if packed else "") + inflate(frame).decode(errors="replace"))
    return texts


@pytest.mark.parametrize("venue", ADAPTERS)
def test_every_documented_shape_has_a_frame(venue: str) -> None:
    """Shapes without a hand-written frame, whose expected events the frames' own test checks, are listed."""
    path = FOLDER / venue / "_shapes.json"
    assert path.exists(), f"list the documented shapes in tests/exchanges/frames/{venue}/_shapes.json"
    shapes: dict[str, list[str]] = json.loads(path.read_text())
    assert shapes, f"{path} lists no shape"
    assert [] not in shapes.values(), f"{path}: a shape without a text is in every frame"
    texts = texts_of(venue)
    missing = [shape for shape, parts in shapes.items() if not any(all(p in text for p in parts) for text in texts)]
    assert missing == [], f"write a frame of these shapes into tests/exchanges/frames/{venue}/"


def test_every_folder_of_frames_is_read() -> None:
    """A folder of frames whose adapter has no line in the registry, or another name, would never be tested."""
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == ADAPTERS.keys(), "name the folder as the venue, and the adapter in monitor/exchanges/registry.py"
