"""Reads cascade signals with aiokafka, each once, and reports when the heartbeats stop.

    pip install "aiokafka[zstd]"
    python aiokafka_consumer.py --bootstrap 127.0.0.1:9092 --group desk.rates.example

Prints one JSON object a line. With SASL and TLS give AIOKafkaConsumer security_protocol, sasl_mechanism,
sasl_plain_username, sasl_plain_password and ssl_context.
"""

# ruff: noqa: T201  # the example prints the signals
import argparse
import asyncio
import contextlib
import json
import sys
import time

from aiokafka import AIOKafkaConsumer

TOPIC = "cascade.signals.v1"
SILENCE_S = 15
"""Time without a record after which the monitor counts as down, seconds: three heartbeat intervals."""


def handle(signal: dict) -> None:
    """Process one signal; replace this by your own code."""
    fields = ("asset", "phase", "direction", "risk_score", "event_time_us", "episode_id", "revision")
    print(json.dumps({name: signal[name] for name in fields}), flush=True)


async def consume(bootstrap: str, group: str, topic: str) -> None:
    """Read until interrupted."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        isolation_level="read_committed",  # hides records of transactions that a killed detector did not finish
        enable_auto_commit=False,  # offsets are committed after their signals are processed
        auto_offset_reset="latest",
    )
    await consumer.start()
    print("reading", file=sys.stderr, flush=True)
    revisions = {}  # last processed revision by episode: uncommitted records are read again after a restart
    last_record_s = time.monotonic()
    try:
        while True:
            for messages in (await consumer.getmany(timeout_ms=1000)).values():
                for message in messages:
                    record = json.loads(message.value)
                    last_record_s = time.monotonic()
                    if record["type"] != "signal":
                        continue  # a heartbeat, or a type that a later version adds
                    if record["revision"] > revisions.get(record["episode_id"], 0):
                        revisions[record["episode_id"]] = record["revision"]
                        handle(record)
                await consumer.commit()
            if time.monotonic() - last_record_s > SILENCE_S:
                print("no heartbeat: the monitor is down or cannot be reached", file=sys.stderr, flush=True)
                last_record_s = time.monotonic()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print cascade signals.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", help="brokers, host:port, comma-separated")
    parser.add_argument("--group", required=True, help="your consumer group: desk.<desk>.<purpose>")
    parser.add_argument("--topic", default=TOPIC)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(consume(options.bootstrap, options.group, options.topic))
