"""Sends pages over HTTP: a POST that is retried until it is accepted or refused for good."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, get_args

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from monitor.deliver.paging.incidents import Action, Page
from monitor.deliver.paging.text import Render
from monitor.model.backoff import Waits
from monitor.model.hosts import proxy_for
from monitor.model.http_limits import ACCEPTED_ENCODING, BoundedBody, UnreadableBodyError, retry_after_s

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""Timeout of one attempt, seconds; PagerDuty answers within one, and a hanging proxy must not delay a page longer."""
DEADLINE_S: Final = 20.0
"""Limit of one attempt as a whole, seconds; a service that answers byte by byte must not hold back the next page."""
MAX_ANSWER_BYTES: Final = 256 * 1024
"""Largest accepted answer after decompression, bytes; the known ones have less than 1 kB."""
LONGEST_PAUSE_S: Final = 300.0
"""Longest pause that a ``Retry-After`` can require, seconds; an absurd one would hold back pages until a restart."""
LONGEST_WAIT_S: Final = 60.0
"""Longest pause between two attempts, seconds: the end of an outage is noticed within a minute."""
THROTTLED_WAIT_S: Final = 30.0
"""Pause after a 429 without Retry-After, seconds; PagerDuty's rate limit is per minute."""

Failure = Literal["network", "throttled", "server", "refused"]
"""Reason of a failed attempt: all but ``refused`` are retried."""

_WAITS: Final = Waits(first_s=1.0, longest_s=LONGEST_WAIT_S)


class NotAcceptedError(Exception):
    """A failed attempt to be retried, after at least ``pause_s`` seconds of the service's rate limit."""

    def __init__(self, failure: Failure, detail: str, pause_s: float = 0.0) -> None:
        super().__init__(detail)
        self.failure = failure
        self.pause_s = pause_s


class Channel:
    """Sends pages to one service: PagerDuty, a webhook, or a chat.

    Args:
        name: name in metrics and messages.
        url: address to post to; a secret itself for chats, so it is never shown.
        render: makes the body of a page.
        secret: text removed from every message, even if the service repeats it.
        sleep: waits between attempts.
        proxy: proxy for all hosts but this machine; None connects directly.

    Attributes:
        accepted: pages accepted, by action.
        failures: failed attempts, by reason.
    """

    def __init__(
        self,
        name: str,
        url: str,
        render: Render,
        secret: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        proxy: str | None = None,
    ) -> None:
        self.name = name
        self.accepted: dict[str, int] = dict.fromkeys(get_args(Action), 0)
        self.failures: dict[str, int] = dict.fromkeys(get_args(Failure), 0)
        self._url = url
        self._render = render
        self._secrets = [text for text in (secret, url) if text]
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            verify=ssl.create_default_context(),
            trust_env=False,
            proxy=proxy_for(url, proxy),
        )

    async def deliver(self, page: Page) -> bool:
        """Send until accepted (True) or refused for good (False), however long it takes; pages keep their order."""
        retrying = AsyncRetrying(
            sleep=self._sleep, wait=self._pause, retry=retry_if_exception_type(NotAcceptedError), reraise=True
        )
        accepted: bool = await retrying(self._post, page.action, orjson.dumps(self._render(page)))
        return accepted

    async def _post(self, action: Action, body: bytes) -> bool:
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer, content = await self._answer(body)
        except (httpx.HTTPError, TimeoutError, UnreadableBodyError) as error:
            raise NotAcceptedError("network", type(error).__name__) from None  # the error's text holds the address
        if answer.is_success:
            self.accepted[action] += 1
            return True
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            pause_s = retry_after_s(answer.headers.get("Retry-After", ""), LONGEST_PAUSE_S)
            raise NotAcceptedError("throttled", "HTTP 429", pause_s or THROTTLED_WAIT_S)
        if answer.is_server_error or answer.status_code == httpx.codes.REQUEST_TIMEOUT:
            raise NotAcceptedError("server", f"HTTP {answer.status_code}")
        self.failures["refused"] += 1
        log.error(
            "%s refuses a page (%s) for good: HTTP %d, %s; check its key and address",
            self.name,
            action,
            answer.status_code,
            self._reason(content),
        )
        return False

    async def _answer(self, body: bytes) -> tuple[httpx.Response, bytes]:
        """Send a body; return the answer and its body, which is read only if the page is not accepted."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": ACCEPTED_ENCODING}
        async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
            if answer.is_success:
                return answer, b""
            content = BoundedBody(answer.headers.get("Content-Encoding", ""), MAX_ANSWER_BYTES)
            async for part in answer.aiter_raw():
                content.add(part)
            return answer, content.whole()

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, NotAcceptedError)  # noqa: S101  # no other error is retried
        self.failures[error.failure] += 1
        pause_s = max(error.pause_s, _WAITS.after(state.attempt_number - 1, random.random()))  # noqa: S311  # jitter is no secret
        log.warning("%s did not accept a page (%s); retrying in %.1f s", self.name, error, pause_s)
        return pause_s

    def _reason(self, answer: bytes) -> str:
        """Return the reason in a refusal: PagerDuty's ``message`` and ``errors``, a chat's line of text."""
        try:
            content: Any = orjson.loads(answer)
        except orjson.JSONDecodeError:
            content = answer.decode(errors="replace")
        parts = [content.get("message"), *(content.get("errors") or ())] if isinstance(content, dict) else [content]
        text = "; ".join(str(part) for part in parts if part)[:500] or "no reason given"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()
