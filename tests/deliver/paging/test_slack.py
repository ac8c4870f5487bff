"""Pages to a chat are text with links and without markup from the signal."""

from __future__ import annotations

from monitor.deliver.paging.slack import renderer
from monitor.deliver.paging.text import Links
from tests.deliver.paging.signals import LINKS, TRIGGER, UNSEEN, signal


def test_a_chat_gets_text_without_markup_of_its_own() -> None:
    """Severity as a mark, evidence, links; angle brackets of the words are escaped."""
    text = renderer(LINKS)(TRIGGER._replace(signal=signal(1, "cascade", "calm", notes=["<!channel>"])))["text"]
    assert text.startswith(":large_orange_circle: *BTC: cascade of longs")
    assert "&lt;!channel&gt;" in text
    assert "why: flow_surprise 6.1 (+20)" in text
    assert "<https://docs.example/cascade.md|runbook>" in text
    assert renderer(Links())(UNSEEN)["text"].startswith(":white_check_mark: *over:")
