"""TLS, passwords and least rights, against a broker that insists on them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection, verify
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.publisher import KafkaPublisher
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.transactions import TransactionalWriter
from monitor.bus.topics import (
    CASCADE_STATE,
    FEEDS,
    LIQUIDATIONS,
    MARKET_TOPICS,
    REJECTS,
    SIGNALS,
    SNAPSHOTS,
    SUMMARIES,
    TRADES,
)
from monitor.roles.detector import detecting
from tests.bus import records as make
from tests.kafka.acls import Grant, grant
from tests.kafka.fixtures import ADMIN, COLLECTOR, DESK, DETECTOR, NOBODY, PARTITIONS, SecuredKafka
from tests.kafka.members import Desk, detector_settings
from tests.kafka.story import story

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("refusals_settled")]


@pytest.fixture
async def prefix(secured_kafka: SecuredKafka, topic_prefix: str) -> str:
    """Topics made by the administrator, with the rights that the documentation's table gives each role."""
    connection = secured_kafka.connection(ADMIN, topic_prefix)
    await topics_admin.create(connection, 1)
    market = [connection.name(topic) for topic in (*MARKET_TOPICS, REJECTS)]
    signals = [connection.name(topic) for topic in (SIGNALS, CASCADE_STATE)]
    own = [connection.name(topic) for topic in (SNAPSHOTS, SUMMARIES)]
    await grant(
        connection,
        [
            *(Grant(COLLECTOR.name, "Write", "topic", name) for name in market),
            Grant(COLLECTOR.name, "Read", "topic", topic_prefix + FEEDS.name),
            *(Grant(DETECTOR.name, "Read", "topic", name) for name in (*market, *own)),
            *(Grant(DETECTOR.name, "Write", "topic", name) for name in (*signals, *own, connection.name(REJECTS))),
            Grant(DETECTOR.name, "Read", "group", topic_prefix + "detector"),
            Grant(DETECTOR.name, "Write", "transactional-id", topic_prefix + "detector-", "prefixed"),
            *(Grant(DESK.name, "Read", "topic", name) for name in signals),
            Grant(DESK.name, "Read", "group", topic_prefix + "desk.", "prefixed"),
        ],
    )
    return topic_prefix


def words(connection: KafkaConnection, *parts: str) -> str:
    """A pattern of texts with anything between them; ``P.`` stands for the prefix of the topics."""
    return ".*".join(re.escape(part.replace("P.", connection.topic_prefix)) for part in parts)


async def poll_until_refused(reader: KafkaSubscriber) -> None:
    """Ten seconds at most."""
    for _ in range(100):
        await reader.poll(0.1)


async def test_each_role_does_its_work_with_its_own_rights(secured_kafka: SecuredKafka, prefix: str) -> None:
    """Over TLS and SCRAM events go from collector to detector, and what it says to the desk."""
    collector = await KafkaPublisher(secured_kafka.connection(COLLECTOR, prefix), (*MARKET_TOPICS, REJECTS)).start()
    collector.write([*story()[:500], make.reject(2)])
    await collector.close()
    settings = detector_settings(secured_kafka.connection(DETECTOR, prefix))
    async with detecting(settings), Desk(secured_kafka.connection(DESK, prefix), "desk.one") as desk:
        assert await desk.read_until(lambda: len(desk.beats) >= PARTITIONS, 20)


async def test_a_detector_without_its_transactional_id_says_so(secured_kafka: SecuredKafka, prefix: str) -> None:
    """The right that lacks is named; nothing is tried again and again."""
    connection = secured_kafka.connection(DETECTOR, prefix)
    with pytest.raises(BusError, match=r"TransactionalIdAuthorizationFailed.*transactional id other-assets-0"):
        await TransactionalWriter(connection, "other-assets-0", prefix + "detector").start()


async def test_a_desk_can_read_signals_and_nothing_else(secured_kafka: SecuredKafka, prefix: str) -> None:
    """Writing signals, reading events and using another group are refused, each with the right to grant."""
    desk = secured_kafka.connection(DESK, prefix)
    with pytest.raises(BusError, match=words(desk, "'desk' has no Write right on topic P.cascade.signals.v1")):
        await KafkaPublisher(desk, (SIGNALS, CASCADE_STATE)).start()
    with pytest.raises(BusError, match=words(desk, "no Read right on topic P.market.trades.v1;", "--operation Read")):
        await KafkaSubscriber(desk, [TRADES], group=prefix + "desk.one").start()
    with pytest.raises(BusError, match=words(desk, "'desk' has no Read right on group P.other")):
        await KafkaSubscriber(desk, [SIGNALS], group=prefix + "other").start()


async def test_a_collector_cannot_read_what_it_writes(secured_kafka: SecuredKafka, prefix: str) -> None:
    """It may see the topic, but a fetch is refused by name."""
    collector = secured_kafka.connection(COLLECTOR, prefix)
    await grant(secured_kafka.connection(ADMIN, prefix), [Grant(COLLECTOR.name, "Read", "group", prefix + "curious")])
    reader = await KafkaSubscriber(collector, [LIQUIDATIONS], group=prefix + "curious").start()
    with pytest.raises(BusError, match=words(collector, "'collector' has no Read right on topic P.market.liq")):
        await poll_until_refused(reader)
    await reader.close()


async def test_a_right_that_is_taken_away_stops_the_writer_with_its_name(
    secured_kafka: SecuredKafka, prefix: str
) -> None:
    """A detector that may write one topic but not the other learns it at the first batch, not in silence."""
    both = secured_kafka.connection(NOBODY, prefix)
    names = [both.name(topic) for topic in (TRADES, LIQUIDATIONS)]
    await grant(
        secured_kafka.connection(ADMIN, prefix),
        [Grant(NOBODY.name, "Write", "topic", names[0]), Grant(NOBODY.name, "Describe", "topic", names[1])],
    )
    writer = await KafkaPublisher(both, (TRADES, LIQUIDATIONS)).start()
    writer.write([make.liquidation(1)])
    with pytest.raises(BusError, match=words(both, "'nobody' has no Write right on topic P.market.liquidations.v1")):
        await writer.flush()
    with pytest.raises(BusError, match="no Write right"):
        await writer.close()


async def test_a_wrong_password_is_named_and_never_shown(secured_kafka: SecuredKafka) -> None:
    """The error names the user and the setting; the password stands nowhere."""
    wrong = replace(secured_kafka.connection(DESK, ""), password="guessed-42")  # noqa: S106 - and wrong
    with pytest.raises(BusError, match=r"refused user 'desk': wrong name or password; .*password_file") as caught:
        await verify(wrong, [SIGNALS], "Read")
    assert "guessed" not in f"{caught.value} {caught.value.__cause__!r}"


async def test_an_unknown_user_reads_like_a_wrong_password(secured_kafka: SecuredKafka) -> None:
    """A broker does not say which of the two is wrong, and neither do we."""
    with pytest.raises(BusError, match="refused user 'intruder': wrong name or password"):
        await verify(replace(secured_kafka.connection(DESK, ""), username="intruder"), [SIGNALS], "Read")


async def test_a_certificate_of_a_stranger_is_refused(secured_kafka: SecuredKafka) -> None:
    """Without the right authority nobody connects, and the error says which setting names it."""
    stranger = replace(secured_kafka.connection(DESK, ""), ssl_cafile=secured_kafka.stranger)
    with pytest.raises(BusError, match=r"certificate that is not trusted .*set ssl_cafile"):
        await verify(stranger, [SIGNALS], "Read")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"security_protocol": "PLAINTEXT"}, "security_protocol"),
        ({"sasl_mechanism": "PLAIN"}, "sasl_mechanism"),
    ],
)
async def test_the_wrong_way_in_is_named(secured_kafka: SecuredKafka, change: dict[str, str], text: str) -> None:
    """A plain connection and a mechanism that is not enabled name the setting to correct."""
    with pytest.raises(BusError, match=f"set {text} to"):
        await verify(replace(secured_kafka.connection(DESK, ""), **change), [SIGNALS], "Read")  # type: ignore[arg-type]


async def test_topics_are_the_administrators(secured_kafka: SecuredKafka, prefix: str) -> None:
    """Without the rights neither create nor check goes on, and the right that lacks is named."""
    desk = secured_kafka.connection(DESK, prefix)
    with pytest.raises(BusError, match=words(desk, "no Describe right on topic P.")):
        await topics_admin.check(desk, 1)
    with pytest.raises(BusError, match=words(desk, "no DescribeConfigs right on topic P.cascade.signals.v1")):
        await topics_admin.check(desk, 1, [SIGNALS])
    await grant(secured_kafka.connection(ADMIN, prefix), [Grant(DESK.name, "Describe", "topic", "new.", "prefixed")])
    newcomer = replace(desk, topic_prefix="new.")
    with pytest.raises(BusError, match=words(newcomer, "no Create right on topic new.cascade.signals.v1")):
        await topics_admin.create(newcomer, 1, [SIGNALS])
