"""Defines the settings of the Kafka bus: brokers, credentials, topics and groups."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from monitor.bus.memory import HIGH_WATER
from monitor.bus.topics import PARTITIONS
from monitor.model.section import Section


class KafkaSettings(Section):
    """Holds the settings of the bus between processes."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        min_length=1,
        description="Brokers to connect to first, as `host:port`, comma-separated. The others are found through them.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="Security protocol of the connection. PLAINTEXT suits a broker on this machine only; use "
        "SASL_SSL across a network.",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512",
        description="SASL mechanism, used with the SASL protocols only. The default is the strongest that Kafka has "
        "without Kerberos.",
    )
    username: str | None = Field(None, description="User name for SASL.")
    password: SecretStr | None = Field(
        None, description="Password for SASL. Set it in a secret file or the environment, never in this file."
    )
    password_file: Path | None = Field(
        None,
        description="File that holds the password instead; it is read once at the start, and its line end is dropped.",
    )
    ssl_cafile: Path | None = Field(
        None, description="File with the certificate of the authority to trust. Empty trusts the system's authorities."
    )
    ssl_certfile: Path | None = Field(
        None, description="File with this client's certificate, for brokers that require one."
    )
    ssl_keyfile: Path | None = Field(None, description="File with the key of this client's certificate.")
    client_id: str = Field("cascade-monitor", min_length=1, description="Client name in the brokers' logs and quotas.")
    partitions: int = Field(
        PARTITIONS,
        ge=1,
        description="Number of partitions of every topic; a topic with another number is refused. 24, because it "
        "divides by 2, 3, 4, 6, 8 and 12 detectors; raising it later moves keys between partitions.",
    )
    replication: int = Field(
        3,
        ge=1,
        description="Copies of each partition when a topic is created. 3 survive the loss of one broker; a "
        "development cluster of one broker needs 1.",
    )
    high_water: int = Field(
        HIGH_WATER,
        ge=1_000,
        description="Records that a collector holds while the brokers are away; then the sockets are no longer "
        "read, and after `collector.hold_s` a gap is reported. The default is about 25 MB; a larger "
        "value takes more memory and survives a longer outage without a gap.",
    )
    group: str = Field(
        "cascade-detector",
        min_length=1,
        description="Consumer group within which detectors share the work. A second group repeats all of the work.",
    )
    instance_id: str | None = Field(
        None,
        min_length=1,
        description="Name of a detector within its group that stays the same after a restart, such as a "
        "StatefulSet's pod name, so that it gets its partitions back at once. Empty hands its "
        "partitions to the others at every restart.",
    )
    session_timeout_s: float = Field(
        6.0,
        ge=1,
        le=300,
        description="Time without a heartbeat after which a detector counts as lost and the others take over, "
        "seconds. The others must have taken over within ten; with a smaller value a machine that stalls for seconds "
        "counts as lost, with a larger one the takeover is later.",
    )
    snapshot_s: float = Field(
        20.0,
        ge=0.1,
        description="Interval between two snapshots of a detector's state, seconds. A detector that takes over "
        "reads again what came since, so a larger value makes the takeover slower and the topics "
        "smaller.",
    )
    topic_prefix: str = Field(
        "", description="Text put before every topic's name, so that several monitors can share a cluster."
    )

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.security_protocol.startswith("SASL"):
            if not self.username:
                raise ValueError(f"{self.security_protocol} needs a username")
            if self.password is None and self.password_file is None:
                raise ValueError(f"{self.security_protocol} needs a password: set password_file")
        return self
