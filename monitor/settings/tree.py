"""Every setting with its default and the reason for it. The reference and the example file are made from this."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.adapters.link import LinkSettings
from monitor.adapters.registry import ADAPTERS, adapter_named
from monitor.bus.memory import HIGH_WATER
from monitor.bus.topics import PARTITIONS
from monitor.cascade.settings import DetectorSettings
from monitor.events import Channel
from monitor.settings.notifier import NotifierSettings
from monitor.settings.section import Section, split_commas

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


class KafkaSettings(Section):
    """The bus between processes."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092", min_length=1, description="Brokers to ask first, `host:port`, comma-separated."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Plain suits a broker on this machine only; use SASL_SSL across a network."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="Read with SASL only; the strongest that Kafka has without Kerberos."
    )
    username: str | None = Field(None, description="For SASL.")
    password: SecretStr | None = Field(
        None, description="For SASL; meant for a secret file or the environment, never for this file."
    )
    password_file: Path | None = Field(
        None, description="File that holds the password instead; read once at the start, its line end is dropped."
    )
    ssl_cafile: Path | None = Field(None, description="Authority's certificate; empty trusts the system's.")
    ssl_certfile: Path | None = Field(None, description="This client's certificate, where the brokers ask for one.")
    ssl_keyfile: Path | None = Field(None, description="Its key.")
    client_id: str = Field("cascade-monitor", min_length=1, description="The name in the brokers' logs and quotas.")
    partitions: int = Field(
        PARTITIONS,
        ge=1,
        description="Of every topic; another count is refused. 24 divides by 2, 3, 4, 6, 8 and 12; growing it later "
        "moves keys between partitions.",
    )
    replication: int = Field(
        3, ge=1, description="Copies of each partition, when a topic is created; 3 outlives one broker's loss."
    )
    high_water: int = Field(
        HIGH_WATER,
        ge=1_000,
        description="Records that a collector holds while brokers are away; then the sockets are no longer read, and "
        "after `collector.hold_s` a gap is reported. 25 MB.",
    )
    group: str = Field(
        "cascade-detector",
        min_length=1,
        description="Consumer group that detectors share the work in; another one does all of it again.",
    )
    instance_id: str | None = Field(
        None,
        min_length=1,
        description="A detector's name within its group that a restart keeps, such as a StatefulSet's pod name: it "
        "gets its partitions back at once. Empty hands them to the others at every restart.",
    )
    session_timeout_s: float = Field(
        6.0,
        ge=1,
        le=300,
        description="After this silence a detector counts as gone and the others take over, seconds: they are to be "
        "warm within ten. No shorter, because a machine may stall for seconds.",
    )
    snapshot_s: float = Field(
        20.0,
        ge=0.1,
        description="A detector's state is kept this often, seconds; whoever takes over reads again what came since.",
    )
    topic_prefix: str = Field("", description="Put before every topic's name: several monitors can share a cluster.")

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.security_protocol.startswith("SASL"):
            if not self.username:
                raise ValueError(f"{self.security_protocol} needs a username")
            if self.password is None and self.password_file is None:
                raise ValueError(f"{self.security_protocol} needs a password: set password_file")
        return self


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
        description="Detector's state with role `all`, so that a restart goes on; empty starts anew each time.",
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
