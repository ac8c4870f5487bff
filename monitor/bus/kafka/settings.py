"""Settings of the Kafka bus: where the brokers are, who connects, and how topics and groups are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from monitor.bus.memory import HIGH_WATER
from monitor.bus.topics import PARTITIONS
from monitor.model.section import Section


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
