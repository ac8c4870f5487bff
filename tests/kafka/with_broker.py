"""``python -m tests.kafka.with_broker COMMAND...``: runs a command beside a Kafka node of its own.

The node's ``host:port`` takes the place of ``{kafka}`` in the command. Exit status is the command's; 69
(``EX_UNAVAILABLE``) where no broker can run here, with the reason on standard error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.kafka.broker import Kafka
from tests.kafka.fetch_kafka import UnavailableError, kafka_jars, require_java


def main(command: Sequence[str]) -> int:
    """Start the node, run the command, stop the node."""
    try:
        require_java()
        kafka_jars()
    except UnavailableError as error:
        sys.stderr.write(f"no Kafka broker here: {error}\n")
        return os.EX_UNAVAILABLE
    with tempfile.TemporaryDirectory() as folder, Kafka(Path(folder) / "nodes") as kafka:
        return subprocess.run([part.replace("{kafka}", kafka.bootstrap) for part in command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
