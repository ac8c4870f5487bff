"""Settings of who is paged and how."""

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
    """The address, if what is sent there is encrypted or stays on this machine."""
    parts = urlsplit(url.strip())
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("the address must begin with https:// (http:// only for this machine)")
    return url


class PagerDutySettings(Section):
    """PagerDuty's Events API v2."""

    routing_key: SecretStr | None = Field(
        None,
        min_length=1,
        description="Integration key of the service to page; meant for a secret file or the environment, never for "
        "this file. Empty pages nobody.",
    )
    routing_key_file: Path | None = Field(
        None, description="File that holds the key instead; read once at the start, its line end is dropped."
    )
    url: str = Field(EVENTS_API, description="Where events go; another region's address, or a stand-in for tests.")

    check_url = field_validator("url")(encrypted)


class HookSettings(Section):
    """A webhook. Its address is a secret: whoever has it can write there."""

    url: SecretStr | None = Field(
        None,
        min_length=1,
        description="Where to POST; meant for a secret file or the environment. Empty posts nothing.",
    )
    url_file: Path | None = Field(None, description="File that holds the address instead.")

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            encrypted(url.get_secret_value())
        return url


class NotifierSettings(Section):
    """Who is paged, and about what."""

    pagerduty: PagerDutySettings = Field(PagerDutySettings(), description="PagerDuty's Events API v2.")
    webhook: HookSettings = Field(HookSettings(), description="Any program that takes JSON.")
    slack: HookSettings = Field(HookSettings(), description="An incoming webhook of Slack, Mattermost or Rocket.Chat.")
    assets: Annotated[Literal["all"] | tuple[str, ...], NoDecode] = Field(
        "all", description="Whose cascades page; the market's always does. All, because the floors keep dust out."
    )
    dashboard_url: str | None = Field(
        None,
        description="Linked in each page; {asset}, {episode_id}, {from_ms} and {to_ms} are filled in. For the shipped "
        "dashboard: https://grafana.example/d/cascade-asset?var-asset={asset}&from={from_ms}&to={to_ms}",
    )
    runbook_url: str | None = Field(
        None, description="Linked in each page: docs/runbooks/cascade.md, where you keep it."
    )
    replay_command: str | None = Field(
        "cascade-monitor replay RECORDING --json",
        description="Shown in each page: how to repeat what was decided from what was recorded.",
    )
    state_file: Path | None = Field(
        Path("state/notifier.state"),
        description="Open incidents with role `all`, so that a restart resolves them; empty forgets them. One file a "
        "channel, its name appended. On Kafka they are kept with the group's offsets.",
    )
    group: str = Field(
        "cascade-notifier", min_length=1, description="Consumer group on Kafka; the channel's name is appended."
    )

    split = field_validator("assets", mode="before")(split_commas)
