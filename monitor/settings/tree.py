"""Every setting with its default and the reason for it. The reference and the example file are made from this."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.bus.kafka.settings import KafkaSettings
from monitor.bus.memory import HIGH_WATER
from monitor.collect.connection.socket import LinkSettings
from monitor.detect.settings import DetectorSettings
from monitor.exchanges.registry import ADAPTERS, adapter_named
from monitor.model.events import Channel
from monitor.model.section import Section, split_commas
from monitor.settings.notifier import NotifierSettings

Role = Literal["all", "collector", "detector", "notifier"]

ENV_PREFIX: Final = "CASCADE_"
ENV_DELIMITER: Final = "__"


class VenueSettings(Section):
    """One exchange."""

    enabled: bool = Field(True, description="Whether it is watched; a venue that is named is meant to be.")
    symbols: Annotated[Literal["all"] | tuple[str, ...], NoDecode] = Field(
        "all",
        description="`all`, or the venue's own instrument ids. All, because a cascade often starts in small coins.",
    )
    channels: Annotated[tuple[Channel, ...], NoDecode] = Field(
        ("liquidations", "trades", "mark_price", "open_interest", "volatility_index"),
        description="What to subscribe to; a channel that the venue does not have is left out. Together they feed "
        "every part of the score.",
    )
    ws_url: str | None = Field(
        None,
        pattern=r"^wss?://[^\s@]+$",
        description="Where to dial instead of the exchange's address: a proxy, a recorded or simulated exchange. Empty "
        "is the address in the adapter.",
    )
    rest_url: str | None = Field(
        None, pattern=r"^https?://[^\s@]+$", description="The same for the REST address of the instrument data."
    )

    accounts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Accounts whose fills are read as well (hyperliquid: user addresses, at most 10): their fills show "
        "liquidations that no public channel has. Empty reads the public channels alone.",
    )

    split = field_validator("symbols", "channels", "accounts", mode="before")(split_commas)

    @field_validator("symbols", "channels")
    @classmethod
    def _not_empty(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not value:
            raise ValueError("the list is empty; name at least one, or set enabled: false")
        return value


class CollectorSettings(Section):
    """How the exchanges are read."""

    trades: Literal["each", "bars"] = Field(
        "each",
        description="Publish every trade, or 100 ms bars a symbol. Each, because nothing is lost; bars carry all "
        "markets at a tenth of the records. While the bus is full, trades go out as bars in any case. Bars have no "
        "ids: what two collectors of a venue publish as bars counts twice.",
    )
    instruments_cache: Path = Field(
        Path("state/instruments"),
        description="Folder that keeps the exchanges' contract data, so that a start does not need their REST API.",
    )
    max_frame_bytes: int = Field(
        LinkSettings().max_frame_bytes,
        ge=64 * 1024,
        le=256 * 1024 * 1024,
        description="A larger frame is counted and costs a reconnect, bytes. Ten times the largest that is known (mark "
        "prices of all symbols, snapshots).",
    )
    hold_s: float = Field(
        LinkSettings().hold_s,
        gt=0,
        description="A socket that is not read for this long because the bus is full is closed, seconds, and what it "
        "would have brought is a gap: exchanges cut slow readers after 20 s or more, and drop some of it before.",
    )
    history: bool = Field(
        True,
        description="Load the open interest of the last thirty days at the start, where an exchange keeps it, so that "
        "the long windows are warm on the first day; spread over minutes by the exchange's REST budget.",
    )
    backfill: bool = Field(
        True,
        description="Ask by REST for what a gap hid, where the exchange keeps it; the gap is then told again as "
        "backfilled.",
    )
    record_path: Path | None = Field(
        None, description="Write raw frames here while running (`.gz` compresses); empty records nothing."
    )


class MemorySettings(Section):
    """The bus inside one process."""

    high_water: int = Field(
        HIGH_WATER,
        ge=1_000,
        description="Records that may wait before the sockets are no longer read. A second of the worst minute known "
        "(2025-10-10), about 25 MB.",
    )


class BusSettings(Section):
    """What carries records from stage to stage."""

    kind: Literal["memory", "kafka"] = Field(
        "memory",
        description="`memory` for one process with role `all`, because it needs nothing else; `kafka` for more.",
    )
    memory: MemorySettings = Field(MemorySettings(), description="Read with kind `memory`.")
    kafka: KafkaSettings = Field(KafkaSettings(), description="Read with kind `kafka`.")


class DeliverySettings(Section):
    """What goes out."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address that serves /metrics, /livez and /readyz. This machine only, because they are not "
        "authenticated; 0.0.0.0 inside a container.",
    )
    port: int = Field(9108, ge=0, le=65_535, description="Its port; 0 takes a free one and logs it.")
    page: bool = Field(
        True,
        description="Serve the live page at `/` there: risk, phases, charts, episodes and feeds, without any request "
        "to the outside.",
    )
    assets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Assets that always have their own metric series."
    )
    max_assets: int = Field(
        200,
        ge=1,
        le=5_000,
        description="Own series for this many assets, by open interest; the rest is folded into `other`, because a "
        "scrape's cost and Prometheus' memory grow with the series.",
    )
    signals_output: str | None = Field(
        None,
        min_length=1,
        description="Write signals as JSON lines to this file, or to standard output with `-`; empty writes none.",
    )
    state_file: Path | None = Field(
        Path("state/detector.state"),
        description=(
            "Detector's state with role `all`, so that a restart goes on; empty starts anew each time. A damaged file"
            " is set aside with the suffix `.unusable` and an error in the log; that of another version is refused."
        ),
    )
    journal_sync_s: float | None = Field(
        1.0,
        ge=0,
        description="Seconds between two forced writes of the journal beside `state_file`: a loss of power loses as "
        "much, and states it as a gap; 0 forces each one, empty leaves it to the operating system. "
        "A killed process loses nothing in any case.",
    )

    split = field_validator("assets", mode="before")(split_commas)


class LogSettings(Section):
    """What is said on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least serious message that is shown; info is a few lines a minute."
    )
    format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for a log collector: one object a line."
    )


def _every_venue() -> dict[str, VenueSettings]:
    return {venue: VenueSettings() for venue, adapter in ADAPTERS.items() if not adapter.closed}


class Settings(BaseSettings):
    """The whole tree. ``Settings()`` is the defaults; :func:`monitor.settings.load` reads file and environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, env_ignore_empty=True
    )

    role: Role = Field(
        "all", description="`all` in one process, because it needs nothing else; the other roles meet on Kafka."
    )
    venues: dict[str, VenueSettings] = Field(
        default_factory=_every_venue,
        description="The exchanges to watch, by name: those named here, or all that there is an adapter for.",
    )
    collector: CollectorSettings = Field(CollectorSettings(), description="How the exchanges are read.")
    bus: BusSettings = Field(BusSettings(), description="What carries records from stage to stage.")
    detector: DetectorSettings = Field(DetectorSettings(), description="How a cascade is recognised.")
    delivery: DeliverySettings = Field(DeliverySettings(), description="What goes out.")
    notifier: NotifierSettings = Field(NotifierSettings(), description="Who is paged, and about what.")
    log: LogSettings = Field(LogSettings(), description="What is said on standard error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: ``load`` reads the sources itself, so that an error can name the one to blame."""
        return (init_settings,)

    @field_validator("venues")
    @classmethod
    def _venues_have_adapters(cls, venues: dict[str, VenueSettings]) -> dict[str, VenueSettings]:
        for name in venues:
            closed = adapter_named(name).closed  # says which there are
            if closed:
                raise ValueError(f"{name} closed on {closed}: replay and decode read its recordings; remove it here")
        return venues

    @model_validator(mode="after")
    def _roles_fit(self) -> Self:
        if self.role != "all" and self.bus.kind == "memory":
            raise ValueError(f"role {self.role} meets the others on Kafka: set bus.kind to kafka, or role to all")
        if self.role in ("all", "collector") and not self.enabled_venues:
            raise ValueError("no venue is enabled: name at least one under venues")
        return self

    @property
    def enabled_venues(self) -> dict[str, VenueSettings]:
        """The venues to watch, in the order of the file."""
        return {name: venue for name, venue in self.venues.items() if venue.enabled}
