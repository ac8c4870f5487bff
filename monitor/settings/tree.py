"""Defines every setting with its default and reason; the reference page and the example file are generated from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.bus.kafka.settings import KafkaSettings
from monitor.bus.memory import HIGH_WATER
from monitor.collect.connection.socket import SocketSettings
from monitor.detect.settings import DetectorSettings
from monitor.exchanges.registry import ADAPTERS, adapter_named
from monitor.model.events import Channel
from monitor.model.hosts import check_proxy
from monitor.model.section import Section, split_commas
from monitor.settings.notifier import NotifierSettings

Role = Literal["all", "collector", "detector", "notifier"]

ENV_PREFIX: Final = "CASCADE_"
ENV_DELIMITER: Final = "__"


class VenueSettings(Section):
    """Holds the settings of one exchange."""

    enabled: bool = Field(
        True,
        description="Watch this exchange. True, because an exchange that is named in the file is meant to be watched.",
    )
    symbols: Annotated[Literal["all"] | tuple[str, ...], NoDecode] = Field(
        "all",
        description="Instruments to watch: `all`, or a list of the exchange's own instrument ids. All, because a "
        "cascade often starts in small coins.",
    )
    channels: Annotated[tuple[Channel, ...], NoDecode] = Field(
        ("liquidations", "trades", "mark_price", "open_interest", "volatility_index"),
        description="Kinds of data to subscribe to; a kind that the exchange does not offer is left out. The "
        "default feeds every part of the score.",
    )
    ws_url: str | None = Field(
        None,
        pattern=r"^wss?://[^\s@]+$",
        description="Websocket address used instead of the exchange's own: a proxy, or a recorded or simulated "
        "exchange. Empty uses the address in the adapter.",
    )
    rest_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="REST address used instead of the exchange's own. Empty uses the address in the adapter.",
    )

    accounts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Accounts whose fills are read as well (hyperliquid: user addresses, at most 10), because their "
        "fills contain liquidations that no public channel has. Empty reads the public channels only.",
    )

    split = field_validator("symbols", "channels", "accounts", mode="before")(split_commas)

    @field_validator("symbols", "channels")
    @classmethod
    def _not_empty(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not value:
            raise ValueError("the list is empty; name at least one, or set enabled: false")
        return value


class CollectorSettings(Section):
    """Holds the settings of the collector."""

    trades: Literal["each", "bars"] = Field(
        "each",
        description="Publish `each` trade, or `bars` of 100 ms per symbol. Each, because nothing is lost; bars "
        "carry all markets with a tenth of the records. While the bus is full, trades are published as "
        "bars in either case. Bars have no ids, so bars of one exchange from two collectors are counted "
        "twice.",
    )
    instruments_cache: Path = Field(
        Path("state/instruments"),
        description="Folder that caches the exchanges' contract data, so that a start does not depend on their REST "
        "API.",
    )
    max_frame_bytes: int = Field(
        SocketSettings().max_frame_bytes,
        ge=64 * 1024,
        le=256 * 1024 * 1024,
        description="Largest websocket frame that is read, bytes; a larger one is counted and costs a reconnect. "
        "The default is ten times the largest frame known (mark prices of all symbols, snapshots); a "
        "larger value lets one frame take more memory.",
    )
    hold_s: float = Field(
        SocketSettings().hold_s,
        gt=0,
        description="Longest time for which a socket is not read because the bus is full, seconds; then it is "
        "closed and what it would have brought is reported as a gap. Exchanges cut slow readers after "
        "20 s or more and drop data before that, so a larger value risks losses that no gap states.",
    )
    history: bool = Field(
        True,
        description="Load the open interest of the last thirty days at the start from exchanges that keep it, so "
        "that the long windows are warm on the first day. The requests are spread over minutes by the "
        "exchange's REST budget.",
    )
    backfill: bool = Field(
        True,
        description="Request the events that a gap hid by REST from exchanges that keep them; the gap is then "
        "reported again as backfilled.",
    )
    record_path: Path | None = Field(
        None,
        description="File to which raw frames are written while running (a name ending in `.gz` is compressed). "
        "Empty records nothing.",
    )


class MemorySettings(Section):
    """Holds the settings of the bus inside one process."""

    high_water: int = Field(
        HIGH_WATER,
        ge=1_000,
        description="Records that may wait in the bus before the sockets are no longer read. The default is one "
        "second of the busiest minute known (2025-10-10), about 25 MB; a larger value takes more memory "
        "and lets decisions fall further behind before reading stops.",
    )


class BusSettings(Section):
    """Holds the settings of the transport between the stages."""

    kind: Literal["memory", "kafka"] = Field(
        "memory",
        description="Transport between the stages: `memory` within one process with role `all`, or `kafka` between "
        "several. Memory, because it needs no other service.",
    )
    memory: MemorySettings = Field(
        MemorySettings(), description="Settings of the bus inside one process, used with kind `memory`."
    )
    kafka: KafkaSettings = Field(
        KafkaSettings(), description="Settings of the bus between processes, used with kind `kafka`."
    )


class DeliverySettings(Section):
    """Holds the settings of the outputs: metrics, dashboard, signals and state."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address on which /metrics, /livez, /readyz and the dashboard are served. This machine only, "
        "because they are not authenticated; use 0.0.0.0 inside a container.",
    )
    port: int = Field(9108, ge=0, le=65_535, description="TCP port of that address; 0 takes a free port and logs it.")
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Token that readers of that address send as `Authorization: Bearer TOKEN`, or in a browser as the "
        "password with any name. /livez and /readyz need none. Without it, everybody who reaches the address may read.",
    )
    tls_certfile: Path | None = Field(
        None, description="File of the certificate chain (PEM) with which that address is served over HTTPS."
    )
    tls_keyfile: Path | None = Field(
        None, description="File of the certificate's key (PEM). Empty takes the key from `tls_certfile`."
    )
    tls_client_ca: Path | None = Field(
        None, description="File of the authorities (PEM) whose client certificates are required. Empty requires none."
    )
    page: bool = Field(
        True,
        description="Serve the dashboard, a web page, at `/` of that address: risk, phases, charts, "
        "episodes and feeds. It loads nothing from other hosts.",
    )
    assets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Assets that always have their own metric series, whatever their open interest."
    )
    max_assets: int = Field(
        200,
        ge=1,
        le=5_000,
        description="Number of assets with their own metric series, chosen by open interest; the rest is folded "
        "into `other`. A larger value makes scrapes slower and Prometheus' memory larger, in proportion "
        "to the series.",
    )
    signals_output: str | None = Field(
        None,
        min_length=1,
        description="File to which signals are written as JSON lines, or `-` for standard output. Empty writes none.",
    )
    state_file: Path | None = Field(
        Path("state/detector.state"),
        description="File that keeps the detector's state with role `all`, so that a restart continues where it "
        "stopped. Empty starts without state each time. It holds a checksum; a file of another version is refused.",
    )
    damaged_state: Literal["start_anew", "refuse"] = Field(
        "start_anew",
        description="What happens with saved state that is damaged: a file, or a part of a snapshot on Kafka. "
        "`start_anew` sets the file aside with the suffix `.unusable`, starts what was lost without history, logs an "
        "error and fires the alert StateLost, because a monitor that does not start sees nothing. `refuse` ends the "
        "process with the reason, so that a backup can be restored first.",
    )
    journal_sync_s: float | None = Field(
        1.0,
        ge=0,
        description="Interval between two forced writes (fsync) of the journal beside `state_file`, seconds. A loss "
        "of power loses at most this much, and it is reported as a gap; 0 forces each write, empty "
        "leaves it to the operating system. A killed process loses nothing in any case.",
    )

    split = field_validator("assets", mode="before")(split_commas)

    @model_validator(mode="after")
    def _keys_have_certificates(self) -> Self:
        if self.tls_certfile is None and (self.tls_keyfile or self.tls_client_ca):
            raise ValueError("tls_keyfile and tls_client_ca serve with a certificate: set tls_certfile")
        return self


class LogSettings(Section):
    """The log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level of the messages that are logged. Info, which is a few lines a minute."
    )
    format: Literal["console", "json"] = Field(
        "console",
        description="Format of the log: `console` for people, or `json` with one object a line for a log collector.",
    )


class NetworkSettings(Section):
    """Holds the settings of the way to other hosts."""

    proxy: SecretStr | None = Field(
        None,
        description="Proxy for exchanges and pagers, `http://HOST:PORT` with `USER:PASSWORD@` where needed, for REST "
        "and websockets alike. This machine's own addresses are always reached directly. Empty connects directly: "
        "the environment's proxy variables are ignored.",
    )

    @field_validator("proxy")
    @classmethod
    def _is_an_address(cls, proxy: SecretStr | None) -> SecretStr | None:
        return None if proxy is None else SecretStr(check_proxy(proxy.get_secret_value()))

    @property
    def proxy_url(self) -> str | None:
        """The proxy's address with its password; None without one."""
        return None if self.proxy is None else self.proxy.get_secret_value()


def _every_venue() -> dict[str, VenueSettings]:
    return {venue: VenueSettings() for venue, adapter in ADAPTERS.items() if not adapter.closed}


class Settings(BaseSettings):
    """The whole tree. ``Settings()`` is the defaults; :func:`monitor.settings.load` reads file and environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, env_ignore_empty=True
    )

    role: Role = Field(
        "all",
        description="Part of the monitor that this process runs. `all` in one process, because it needs no other "
        "service; the other roles exchange records over Kafka.",
    )
    venues: dict[str, VenueSettings] = Field(
        default_factory=_every_venue,
        description="Exchanges to watch, by name. If the key is left out, every exchange that has an adapter is "
        "watched.",
    )
    collector: CollectorSettings = Field(CollectorSettings(), description="Settings of how the exchanges are read.")
    bus: BusSettings = Field(BusSettings(), description="Settings of the bus that carries records from stage to stage.")
    detector: DetectorSettings = Field(DetectorSettings(), description="Settings of how a cascade is recognised.")
    delivery: DeliverySettings = Field(
        DeliverySettings(), description="Settings of what is served and written: metrics, dashboard, signals and state."
    )
    notifier: NotifierSettings = Field(NotifierSettings(), description="Settings of who is paged, and about what.")
    network: NetworkSettings = Field(NetworkSettings(), description="Settings of the way to other hosts.")
    log: LogSettings = Field(LogSettings(), description="Settings of the log on standard error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only what is passed: ``load`` reads the sources itself, so that an error can name the source."""
        return (init_settings,)

    @field_validator("venues")
    @classmethod
    def _venues_have_adapters(cls, venues: dict[str, VenueSettings]) -> dict[str, VenueSettings]:
        for name in venues:
            closed = adapter_named(name).closed  # its error names the known ones
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
