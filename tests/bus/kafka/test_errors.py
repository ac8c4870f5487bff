from __future__ import annotations

import ssl

import pytest
from aiokafka import errors

from monitor.bus.kafka.errors import BusError, explain, forbidden, missing, unreachable, wrong_partitions
from monitor.model.errors import OperatorError


def certificate_error() -> ssl.SSLCertVerificationError:
    """As a handshake raises it."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate in certificate chain"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.SaslAuthenticationFailed(), "refused user 'desk': wrong name or password; check username and"),
        (errors.AuthenticationFailedError(), "refused user 'desk': wrong name or password"),
        (errors.UnsupportedSaslMechanismError(), "set sasl_mechanism to one that its listener enables"),
        (certificate_error(), "not trusted (self-signed certificate in certificate chain); set ssl_cafile"),
        (ssl.SSLError("wrong version number"), "does not use TLS on this port; set security_protocol"),
        (ConnectionRefusedError(111, "refused"), "cannot be reached ([Errno 111] refused); start it, or correct"),
        (TimeoutError(), "cannot be reached (no answer); start it, or correct bootstrap_servers"),
        (ConnectionResetError(), "closed the connection; set security_protocol to the listener's, not SASL_SSL"),
        (errors.KafkaConnectionError(), "closed the connection; set security_protocol to the listener's, not SASL_SSL"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_why_a_broker_cannot_be_used_is_said_with_the_remedy(error: Exception, words: str) -> None:
    """Each way to fail at the door has its own sentence, and names the address."""
    text = str(unreachable("kafka-1:9093", error, "desk", "SASL_SSL"))
    assert text.startswith("Kafka at kafka-1:9093 ")
    assert words in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.TopicAuthorizationFailedError("x"), "--allow-principal User:desk --operation Read --topic"),
        (errors.GroupAuthorizationFailedError("readers"), "--operation Read --group readers"),
        (errors.ClusterAuthorizationFailedError(), "--operation Read --topic"),
        (errors.UnknownTopicOrPartitionError(), "does not exist; create it: cascade-monitor topics create"),
        (errors.CommitFailedError(), "another member of the group has been assigned the partitions"),
        (errors.MessageSizeTooLargeError(), "larger than the topic's max.message.bytes; raise it there"),
        (
            errors.OutOfOrderSequenceNumber(),
            "batches for market.trades.v1 (OutOfOrderSequenceNumber): the topic was",
        ),
        (errors.UnknownProducerId(), "batches for market.trades.v1 (UnknownProducerId): the topic was made again, or"),
        (
            errors.InvalidTimestampError(),
            "time of a batch for market.trades.v1: set this machine's clock and the brokers'",
        ),
        (errors.NotEnoughReplicasError(), "NotEnoughReplicasError (topic market.trades.v1)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_why_a_request_failed_is_said_with_the_remedy(error: Exception, words: str) -> None:
    """Each refusal has its own sentence in one line."""
    text = str(explain(error, "desk", "Read", "market.trades.v1"))
    assert words in text
    assert "\n" not in text


def test_a_topic_is_named_by_the_error_where_nobody_else_knows_it() -> None:
    """Reading many topics, the broker's refusal says which."""
    error = explain(errors.TopicAuthorizationFailedError("market.trades.v1"), "desk", "Read")
    assert "no Read right on topic market.trades.v1" in str(error)
    assert "(topic" not in str(explain(errors.KafkaError("odd"), None, "Read"))


def test_an_explained_error_stays_as_it_is() -> None:
    """Explaining twice changes nothing."""
    error = missing("market.trades.v1")
    assert explain(error, None, "Read") is error


def test_all_of_them_are_meant_for_the_operator() -> None:
    """The command line prints such an error without a traceback; an unknown user is Kafka's ANONYMOUS."""
    assert issubclass(BusError, OperatorError)
    assert "User:ANONYMOUS" in str(forbidden(None, "Write", "topic", "x"))
    assert "has 25 partitions and the configuration requires 24" in str(wrong_partitions("x", 25, 24))
