"""One way to reach people over HTTP: a POST that is repeated until it is accepted, or refused for good."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, get_args

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from monitor.deliver.paging.incidents import Action, Page
from monitor.deliver.paging.text import Render

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""PagerDuty answers within a second; a proxy that hangs must not hold a page for longer."""
LONGEST_WAIT_S: Final = 60.0
"""Between two tries: an outage is noticed to be over within a minute."""
THROTTLED_WAIT_S: Final = 30.0
"""After a 429 without Retry-After; PagerDuty's limit is by the minute."""

Failure = Literal["network", "throttled", "server", "refused"]
"""What went wrong: all but ``refused`` is tried again."""

_BACKOFF: Final = wait_exponential_jitter(multiplier=0.5, max=LONGEST_WAIT_S, jitter=1.0)


class NotAccepted(Exception):
    """A try that is worth repeating; ``pause_s`` is how long the other side asks to be left alone."""

    def __init__(self, failure: Failure, detail: str, pause_s: float = 0.0) -> None:
        super().__init__(detail)
        self.failure = failure
        self.pause_s = pause_s


class Channel:
    """PagerDuty, a webhook, or a chat.

    Args:
        name: in metrics and messages.
        url: where to; a secret of its own for chats, so it is never shown.
        render: words the page.
        secret: never to be repeated, whatever the other side says.
        sleep: waits between tries.

    Attributes:
        accepted: pages accepted, by action.
        failures: tries that failed, by reason.
    """

    def __init__(
        self,
        name: str,
        url: str,
        render: Render,
        secret: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.accepted: dict[str, int] = dict.fromkeys(get_args(Action), 0)
        self.failures: dict[str, int] = dict.fromkeys(get_args(Failure), 0)
        self._url = url
        self._render = render
        self._secrets = [text for text in (secret, url) if text]
        self._sleep = sleep
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, verify=ssl.create_default_context())

    async def deliver(self, page: Page) -> bool:
        """Send until accepted (True) or refused for good (False), however long it takes; pages keep their order."""
        retrying = AsyncRetrying(
            sleep=self._sleep, wait=self._pause, retry=retry_if_exception_type(NotAccepted), reraise=True
        )
        accepted: bool = await retrying(self._post, page.action, orjson.dumps(self._render(page)))
        return accepted

    async def _post(self, action: Action, body: bytes) -> bool:
        try:
            answer = await self._client.post(self._url, content=body, headers={"Content-Type": "application/json"})
        except httpx.HTTPError as error:
            raise NotAccepted("network", type(error).__name__) from None  # its text holds the address
        if answer.is_success:
            self.accepted[action] += 1
            return True
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            asked = answer.headers.get("Retry-After", "")
            raise NotAccepted("throttled", "HTTP 429", float(asked) if asked.isdecimal() else THROTTLED_WAIT_S)
        if answer.is_server_error or answer.status_code == httpx.codes.REQUEST_TIMEOUT:
            raise NotAccepted("server", f"HTTP {answer.status_code}")
        self.failures["refused"] += 1
        log.error(
            "%s refuses a page (%s) for good: HTTP %d; check its key, its address and what it says: %s",
            self.name, action, answer.status_code, self._reason(answer),
        )  # fmt: skip
        return False

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, NotAccepted)  # noqa: S101  # nothing else is retried
        self.failures[error.failure] += 1
        pause_s = max(error.pause_s, _BACKOFF(state))
        log.warning("%s does not take a page (%s); trying again in %.1f s", self.name, error, pause_s)
        return pause_s

    def _reason(self, answer: httpx.Response) -> str:
        """What a refusal says: PagerDuty's ``message`` and ``errors``, a chat's line of text."""
        try:
            content: Any = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            content = answer.text
        said = [content.get("message"), *(content.get("errors") or ())] if isinstance(content, dict) else [content]
        text = "; ".join(str(part) for part in said if part)[:500] or "nothing"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()
