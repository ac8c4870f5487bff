"""Grants rights on a test broker; aiokafka has no request for it (Kafka protocol guide, CreateAcls, version 1)."""

from __future__ import annotations

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DescribeAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from monitor.bus.kafka.connection import KafkaConnection, administrator
from tests.waiting import until

# Codes of Kafka's AclOperation, ResourceType and PatternType.
OPERATIONS: Final = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10, "IdempotentWrite": 12}
RESOURCES: Final = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
PATTERNS: Final = {"literal": 3, "prefixed": 4}
ANY: Final = 1
ALLOW: Final = 3


class Grant(NamedTuple):
    """One right of one user."""

    user: str
    operation: str
    kind: str
    name: str
    pattern: str = "literal"


class CreateAclsResponse_v1(Response):
    """One error code and text for every right."""

    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("error_code", Int16), ("error_message", String("utf-8")))),
    )


class CreateAclsRequest_v1(RequestStruct):
    """A list of rights."""

    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = CreateAclsResponse_v1
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("resource_pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class CreateAcls(Request[CreateAclsRequest_v1]):
    """Builds the request for the broker's version."""

    API_KEY = 30

    def __init__(self, grants: list[Grant]) -> None:
        self._rows = [
            (
                RESOURCES[grant.kind],
                grant.name,
                PATTERNS[grant.pattern],
                f"User:{grant.user}",
                "*",
                OPERATIONS[grant.operation],
                ALLOW,
            )
            for grant in grants
        ]

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        """The request."""
        return request_struct_class(self._rows)


async def grant(connection: KafkaConnection, grants: list[Grant]) -> None:
    """Give the rights and wait until the broker heeds them; ``connection`` is the administrator's."""
    async with administrator(connection) as client:
        response: Any = await client._send_to_controller(CreateAcls(grants))
        assert [code for code, _ in response.results] == [0] * len(grants), response
        wanted = {(RESOURCES[each.kind], each.name, f"User:{each.user}", OPERATIONS[each.operation]) for each in grants}

        async def shown() -> bool:
            return wanted <= await _granted(client)

        await until(shown)


async def _granted(client: AIOKafkaAdminClient) -> set[tuple[int, str, str, int]]:
    everything = DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY)  # type: ignore[arg-type] # None is any
    response: Any = await client._send_request(everything)
    return {
        (kind, name, principal, operation)
        for kind, name, _, rights in response.resources
        for principal, _, operation, _ in rights
    }
