"""Reads cascade signals with confluent-kafka (librdkafka), each once, and reports when the heartbeats stop.

    pip install confluent-kafka
    python confluent_consumer.py --bootstrap 127.0.0.1:9092 --group desk.rates.example

Prints one JSON object a line. With SASL and TLS add security.protocol, sasl.mechanism, sasl.username, sasl.password
and ssl.ca.location to the configuration.
"""

# ruff: noqa: T201  # the example prints the signals
import argparse
import contextlib
import json
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

TOPIC = "cascade.signals.v1"
SILENCE_S = 15
"""Time without a record after which the monitor counts as down, seconds: three heartbeat intervals."""


def handle(signal: dict) -> None:
    """Process one signal; replace this by your own code."""
    fields = ("asset", "phase", "direction", "risk_score", "event_time_us", "episode_id", "revision")
    print(json.dumps({name: signal[name] for name in fields}), flush=True)


def consume(bootstrap: str, group: str, topic: str) -> None:
    """Read until interrupted."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "isolation.level": "read_committed",  # hides records of transactions that a killed detector did not finish
            "enable.auto.commit": False,  # offsets are committed after their signals are processed
            "auto.offset.reset": "latest",
        }
    )
    consumer.subscribe([topic], on_assign=lambda *_: print("reading", file=sys.stderr, flush=True))
    revisions = {}  # last processed revision by episode: uncommitted records are read again after a restart
    last_record_s = time.monotonic()
    try:
        while True:
            messages = consumer.consume(num_messages=500, timeout=0.2)
            for message in messages:
                if message.error() is not None:
                    if message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the documented name
                        continue
                    raise KafkaException(message.error())
                record = json.loads(message.value())
                last_record_s = time.monotonic()
                if record["type"] != "signal":
                    continue  # a heartbeat, or a type that a later version adds
                if record["revision"] > revisions.get(record["episode_id"], 0):
                    revisions[record["episode_id"]] = record["revision"]
                    handle(record)
            if messages:
                consumer.commit(asynchronous=False)
            if time.monotonic() - last_record_s > SILENCE_S:
                print("no heartbeat: the monitor is down or cannot be reached", file=sys.stderr, flush=True)
                last_record_s = time.monotonic()
    finally:
        consumer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print cascade signals.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="brokers, host:port, comma-separated")
    parser.add_argument("--group", required=True, help="your consumer group: desk.<desk>.<purpose>")
    parser.add_argument("--topic", default=TOPIC)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        consume(options.bootstrap, options.group, options.topic)
