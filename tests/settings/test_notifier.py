"""Addresses that would send a page in the clear are refused, and no secret stands in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.settings import load
from monitor.settings.load import SettingsError


def config(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "monitor.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "notifier: {pagerduty: {url: 'http://events.example/v2/enqueue'}}",
        "notifier: {slack: {url: 'http://hooks.example/T000/secret'}}",
        "notifier: {webhook: {url: 'ftp://127.0.0.1/secret'}}",
    ],
)
def test_pages_leave_the_machine_encrypted_or_not_at_all(tmp_path: Path, text: str) -> None:
    """The message names the key and the remedy, and not the address."""
    with pytest.raises(SettingsError, match="must begin with https://") as refused:
        load(config(tmp_path, text))
    assert "monitor.yaml: notifier." in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_stand_in_on_this_machine_needs_no_encryption(tmp_path: Path) -> None:
    """Loopback is let through."""
    settings = load(config(tmp_path, "notifier: {webhook: {url: 'http://127.0.0.1:9000/page'}}"))
    assert settings.notifier.webhook.url is not None


def test_the_key_comes_from_a_file_and_is_not_shown(tmp_path: Path) -> None:
    """Its line end is dropped; printing the settings shows stars."""
    (tmp_path / "key").write_text("0123456789abcdef\n")
    settings = load(config(tmp_path, f"notifier: {{pagerduty: {{routing_key_file: '{tmp_path}/key'}}}}"))
    assert settings.notifier.pagerduty.routing_key is not None
    assert settings.notifier.pagerduty.routing_key.get_secret_value() == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)


def test_a_key_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    """The message names file, key and remedy."""
    with pytest.raises(SettingsError, match=r"routing_key_file: cannot be read: .*create it or correct the path"):
        load(config(tmp_path, f"notifier: {{pagerduty: {{routing_key_file: '{tmp_path}/none'}}}}"))
