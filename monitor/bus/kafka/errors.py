"""Explains errors of Kafka, each in one line that names the remedy."""

from __future__ import annotations

import ssl
from typing import Final

from aiokafka import errors

from monitor.model.errors import OperatorError

_CLOSED: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_SEQUENCE_LOST: Final = (
    errors.OutOfOrderSequenceNumber,
    errors.InvalidProducerEpoch,
    errors.ProducerFenced,
    errors.UnknownProducerId,
)
_WRONG_LOGIN: Final = (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError)


class BusError(OperatorError):
    """Reports in one line why Kafka cannot be used, and the remedy."""


def unreachable(address: str, error: BaseException, user: str | None, protocol: str) -> BusError:
    """Return why a connection to ``address`` failed."""
    if isinstance(error, _WRONG_LOGIN):
        why = f"refused user {user!r}: wrong name or password; check username and password_file"
    elif isinstance(error, errors.UnsupportedSaslMechanismError):
        why = "does not take this SASL mechanism; set sasl_mechanism to one that its listener enables"
    elif isinstance(error, ssl.SSLCertVerificationError):
        why = (
            f"has a certificate that is not trusted ({error.verify_message}); set ssl_cafile to its authority, "
            "and use a host name that the certificate names"
        )
    elif isinstance(error, ssl.SSLError):
        why = f"does not use TLS on this port; set security_protocol to the listener's, not {protocol}"
    elif isinstance(error, OSError | TimeoutError) and not isinstance(error, _CLOSED):
        why = f"cannot be reached ({str(error) or 'no answer'}); start it, or correct bootstrap_servers"
    else:
        why = f"closed the connection; set security_protocol to the listener's, not {protocol}"
    return BusError(f"Kafka at {address} {why}")


def forbidden(user: str | None, operation: str, kind: str, name: str) -> BusError:
    """Return the error of a user without an ACL; ``operation`` and ``kind`` are spelt as ``kafka-acls`` takes them."""
    who = user or "ANONYMOUS"
    grant = f"kafka-acls --add --allow-principal User:{who} --operation {operation} --{kind} {name}"
    return BusError(
        f"Kafka user {who!r} has no {operation} right on {kind} {name}; an administrator grants it: {grant}"
    )


def missing(topic: str) -> BusError:
    """Return the error of a topic that does not exist."""
    return BusError(f"Kafka topic {topic} does not exist; create it: cascade-monitor topics create")


def wrong_partitions(topic: str, have: int, required: int) -> BusError:
    """Return the error of a topic whose partition count differs from the configured one."""
    return BusError(
        f"Kafka topic {topic} has {have} partitions and the configuration requires {required}; its keys would move: "
        f"move its records to a topic made with {required} by `cascade-monitor topics create`, or, if every producer "
        f"and consumer agrees on {have}, set partitions: {have}"
    )


def explain(error: BaseException, user: str | None, operation: str, topic: str = "") -> BusError:
    """Return what the failure of a request to ``operation`` (Read, Write) means, with the remedy."""
    if isinstance(error, BusError):
        return error
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return forbidden(user, operation, "topic", topic or ", ".join(map(str, error.args)))
    if isinstance(error, errors.GroupAuthorizationFailedError):
        return forbidden(user, "Read", "group", ", ".join(map(str, error.args)))
    if isinstance(error, errors.ClusterAuthorizationFailedError):
        return forbidden(user, operation, "topic", topic)
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return missing(topic)
    if isinstance(error, errors.CommitFailedError | errors.IllegalStateError):
        return BusError(
            "Kafka: another member of the group has been assigned the partitions and reads on from the last commit"
        )
    if isinstance(error, errors.MessageSizeTooLargeError | errors.RecordTooLargeError):
        return BusError(f"Kafka refused a batch for {topic}: larger than the topic's max.message.bytes; raise it there")
    if isinstance(error, errors.InvalidTimestampError):
        return BusError(
            f"Kafka refused the time of a batch for {topic}: set this machine's clock and the brokers' by NTP, or "
            "widen message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic"
        )
    if isinstance(error, _SEQUENCE_LOST):
        return BusError(
            f"Kafka lost track of this producer's batches for {topic} ({type(error).__name__}): the topic was made "
            "again, or lost its end with a broker; start the process again, as a service manager does"
        )
    where = f" (topic {topic})" if topic else ""
    words = " ".join(str(error).split())
    return BusError(f"Kafka: {type(error).__name__}{where}: {words}; see the brokers' log, then restart")
