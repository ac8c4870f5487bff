"""Real Apache Kafka nodes for tests: started from the jars, on free ports, in temporary folders, gone afterwards."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.kafka.fetch_kafka import kafka_jars, require_java
from tests.waiting import patient

START_TIMEOUT_S: Final = 60
"""Four seconds on an idle machine; a loaded one with three nodes at once takes a good deal longer."""
PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h: the signal that this process gets when its parent dies."""
# The serial collector and the quick compiler alone: half the start-up work, and tests ask for no throughput.
JAVA_OPTIONS: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
QUIET: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"

COMMON: Final = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.backoff.ms": "500",
    # A killed node is fenced after three seconds instead of nine, so that a test sees the new leader soon.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "8388608",
}


class User(NamedTuple):
    """A SCRAM user."""

    name: str
    password: str


class Security(NamedTuple):
    """A TLS listener with SCRAM users; the first one is the administrator and the brokers' own."""

    keystore: Path
    ca: Path
    users: Sequence[User]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _die_with_parent() -> None:
    """Runs in the child: even a killed test run leaves no broker behind (Linux only).

    The kernel means the parent's thread: a node must be started from one that lasts.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Node:
    """One broker and controller in one process."""

    def __init__(self, folder: Path, properties: Mapping[str, str], port: int) -> None:
        self.folder = folder
        self.port = port
        self.properties = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "log.txt").open("ab")
        with log:
            return subprocess.Popen(
                [require_java(), *JAVA_OPTIONS, QUIET, "-cp", f"{kafka_jars()}/*", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    def format(self, cluster: str, users: Sequence[User]) -> subprocess.Popen[bytes]:
        """Begin to write the node's metadata."""
        scram = [
            argument
            for user in users
            for argument in ("-S", f"SCRAM-SHA-512=[name={user.name},password={user.password}]")
        ]
        return self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self.properties), *scram)

    def start(self) -> None:
        """Start the process; :meth:`wait` for it."""
        self._process = self._java("kafka.Kafka", str(self.properties))

    def wait(self) -> None:
        """Until the node takes connections."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if not self.running:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        self.kill()
        log = (self.folder / "log.txt").read_text(errors="replace")
        raise RuntimeError(f"Kafka did not start; the end of its log:\n{log[-3000:]}")

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def send(self, signum: signal.Signals) -> None:
        """SIGSTOP makes the node silent, as a lost network does; SIGCONT brings it back."""
        if self._process is not None:
            os.killpg(self._process.pid, signum)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(patient(10))
            self._process = None


class Kafka:
    """A cluster of nodes that are brokers and controllers alike. Use as a context manager."""

    def __init__(self, folder: Path, nodes: int = 1, security: Security | None = None) -> None:
        self.security = security
        # Kafka's way to write a UUID; a leading dash would look like an option to the storage tool.
        self._cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22].decode().replace("-", "_")
        ports = free_ports(2 * nodes)
        self.nodes = {
            number: Node(folder / f"node{number}", self._properties(folder, number, ports), ports[number - 1])
            for number in range(1, nodes + 1)
        }

    @property
    def bootstrap(self) -> str:
        """``host:port`` of every node, separated by commas."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes.values())

    def _properties(self, folder: Path, number: int, ports: Sequence[int]) -> dict[str, str]:
        nodes = len(ports) // 2
        port, controller = ports[number - 1], ports[nodes + number - 1]
        voters = ",".join(f"{n}@127.0.0.1:{ports[nodes + n - 1]}" for n in range(1, nodes + 1))
        replicas, in_sync = str(min(3, nodes)), str(min(2, nodes))
        return {
            **COMMON,
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
            "inter.broker.listener.name": "CLIENT",
            "log.dirs": str(folder / f"node{number}" / "data"),
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            **self._listener(),
        }

    def _listener(self) -> dict[str, str]:
        if self.security is None:
            return {"listener.security.protocol.map": "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT"}
        admin = self.security.users[0]
        login = "org.apache.kafka.common.security.scram.ScramLoginModule"
        return {
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,CLIENT:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.client.scram-sha-512.sasl.jaas.config": (
                f'{login} required username="{admin.name}" password="{admin.password}";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.security.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.security.ca),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controllers' own listener has no users; it is bound to loopback and no client learns of it.
            "super.users": f"User:{admin.name};User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }

    def __enter__(self) -> Kafka:
        """Format and start every node, all at once."""
        users = self.security.users if self.security else ()
        try:
            formats = [node.format(self._cluster, users) for node in self.nodes.values()]
            for process, node in zip(formats, self.nodes.values(), strict=True):
                process.wait(START_TIMEOUT_S)  # where it failed, the node does not start and its log says why
                node.start()
            for node in self.nodes.values():
                node.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def revive(self) -> None:
        """Start every node that was killed, with what its disk holds; does not wait for them."""
        for node in self.nodes.values():
            if not node.running:
                node.start()

    def __exit__(self, *_: object) -> None:
        """Kill every node."""
        for node in self.nodes.values():
            node.kill()
