"""Defines the settings of the pager channels and of the assets that are paged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from monitor.model.section import Section, split_commas

EVENTS_API: Final = "https://events.pagerduty.com/v2/enqueue"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def encrypted(url: str) -> str:
    """Return the address if traffic to it is encrypted or stays on this machine; else raise ``ValueError``."""
    parts = urlsplit(url.strip())
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("the address must begin with https:// (http:// only for this machine)")
    return url


class PagerDutySettings(Section):
    """Holds the settings of the channel to PagerDuty's Events API v2."""

    routing_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="Integration key of the PagerDuty service to page. Set it in a secret file or the environment, "
        "never in this file. Empty disables the channel.",
    )
    routing_key_file: Path | None = Field(
        None, description="File that holds the key instead; it is read once at the start, and its line end is dropped."
    )
    url: str = Field(
        EVENTS_API,
        description="Address to which events are posted: PagerDuty's, another region's, or a stand-in for tests.",
    )

    check_url = field_validator("url")(encrypted)


class HookSettings(Section):
    """Holds the settings of a webhook, whose address is a secret, because anyone who has it can post there."""

    url: SecretStr | None = Field(
        None,
        min_length=1,
        description="Address to which pages are posted. Set it in a secret file or the environment, because anyone who "
        "has it can post there. Empty disables the channel.",
    )
    url_file: Path | None = Field(
        None,
        description="File that holds the address instead; it is read once at the start, and its line end is dropped.",
    )

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            encrypted(url.get_secret_value())
        return url


class NotifierSettings(Section):
    """Holds the settings of the pager channels, the assets that are paged, and the links in a page."""

    pagerduty: PagerDutySettings = Field(
        PagerDutySettings(), description="Settings of the channel to PagerDuty's Events API v2."
    )
    webhook: HookSettings = Field(
        HookSettings(), description="Settings of the channel to any program that accepts JSON."
    )
    slack: HookSettings = Field(
        HookSettings(),
        description="Settings of the channel to an incoming webhook of Slack, Mattermost or Rocket.Chat.",
    )
    assets: Annotated[Literal["all"] | tuple[str, ...], NoDecode] = Field(
        "all",
        description="Assets whose cascades are paged: `all`, or a list; cascades of the whole market always are. "
        "All, because the dollar floors exclude negligible liquidations.",
    )
    dashboard_url: str | None = Field(
        None,
        description="Address linked in each page, in which {asset}, {episode_id}, {from_ms} and {to_ms} are filled "
        "in. For the shipped Grafana dashboard use "
        "https://grafana.example/d/cascade-asset?var-asset={asset}&from={from_ms}&to={to_ms} with your "
        "host.",
    )
    runbook_url: str | None = Field(
        None, description="Address of the runbook linked in each page: your copy of docs/runbooks/cascade.md."
    )
    replay_command: str | None = Field(
        "cascade-monitor replay RECORDING --json",
        description="Command shown in each page that repeats the decision from the recording.",
    )
    state_file: Path | None = Field(
        Path("state/notifier.state"),
        description="File that keeps the open incidents with role `all`, so that they are resolved after a restart; "
        "each channel appends its name. Empty saves none. On Kafka they are saved with the group's "
        "offsets.",
    )
    group: str = Field(
        "cascade-notifier",
        min_length=1,
        description="Consumer group of the notifier on Kafka; each channel appends its name.",
    )

    split = field_validator("assets", mode="before")(split_commas)
