"""Runs one socket: dial, subscribe, read, keep alive and check deadlines, until it ends with a reason."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from monitor.collect.connection.dial import dial, required_pause_s
from monitor.collect.connection.subscription import Subscription
from monitor.collect.pipeline.intake import Intake
from monitor.collect.pipeline.liveness import Liveness
from monitor.collect.stats import EndReason
from monitor.exchanges.adapter import SEND_TIME, Connection, Keepalive, Topic
from monitor.exchanges.messages import Ack, Control, Notice, Ping, Refusal
from monitor.model.events import MICROS

log = logging.getLogger(__name__)

PAUSE_US: Final = MICROS // 2
"""Delay of a check from which this process, not the exchange, was silent, microseconds: a busy loop, a suspended
machine, or a step of the clock, which is negative if it was set back."""

PROTOCOL_PING: Final = Keepalive(frame="", interval_s=20.0, timeout_s=20.0)
"""Ping for exchanges without one of their own, with the intervals of the ``websockets`` library.

The library's own keep-alive is off, because it would close a socket whose pongs wait behind our back-pressure.
"""


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """Holds the limits of one socket.

    Attributes:
        open_timeout_s: limit for TCP, TLS and the WebSocket handshake together, seconds.
        close_timeout_s: limit for the closing handshake, seconds; short, because a half-open peer never answers it.
        ack_timeout_s: limit from a request to each of its acknowledgements, seconds. Exchanges answer within two
            seconds unless they are overloaded, and then a redial makes it worse.
        max_frame_bytes: larger frames end the socket; the largest known (mark prices of all markets, snapshots) have
            a tenth of the default.
        max_queue: frames read ahead before the socket is paused; the default is 10 ms of the largest known burst.
        tick_s: interval at which the deadlines are checked, seconds.
        hold_s: a socket that is not read for this long, because the bus is full, is closed, seconds. An exchange
            buffers little for a slow reader, and does not report what it drops.
        proxy: proxy for all hosts but this machine; None connects directly.
    """

    open_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    ack_timeout_s: float = 10.0
    max_frame_bytes: int = 8 * 1024 * 1024
    max_queue: int = 1024
    tick_s: float = 0.25
    hold_s: float = 10.0
    proxy: str | None = None


class SocketEnd(NamedTuple):
    """Describes how a socket ended.

    Attributes:
        reason: label of the reconnect counter.
        detail: explanation for the log.
        lived_s: time from the handshake to the end in seconds, 0 without a handshake.
        unseen_from_us: time of the last event on a dense channel; None unless the reason is ``stale``.
        pause_s: pause that the exchange requires before the next dial from this address, seconds; 0 if it names none.
    """

    reason: EndReason
    detail: str
    lived_s: float = 0.0
    unseen_from_us: int | None = None
    pause_s: float = 0.0


class SocketEnded(Exception):
    """Carries the :class:`SocketEnd` out of the task of the socket that found it."""

    def __init__(self, reason: EndReason, detail: str, unseen_from_us: int | None = None) -> None:
        super().__init__(detail)
        self.ending = SocketEnd(reason, detail, 0.0, unseen_from_us)


class SocketOwner(Protocol):
    """Receives the reports of a socket; the session implements it."""

    def socket_ready(self, socket: FeedSocket, at_us: int) -> None:
        """Report that the socket is subscribed and, where it has dense channels, has delivered."""

    def socket_refused(self, socket: FeedSocket, refusal: Refusal) -> None:
        """Report a refused subscription or an error message of the exchange."""

    def socket_noticed(self, socket: FeedSocket, notice: Notice) -> None:
        """Report a message of the exchange about the connection."""

    def socket_missed(self, socket: FeedSocket, keys: Sequence[str]) -> None:
        """Report acknowledgements that did not arrive in time."""


async def no_wait() -> None:
    """Dial at once."""


Locate = Callable[[str], Awaitable[str]]
"""``await locate(url)`` returns the address to dial instead of the plan's; raises ``OSError`` if it is unknown."""


async def as_planned(url: str) -> str:
    """Return the plan's own address."""
    return url


class FeedSocket:
    """Runs one socket of one plan; :meth:`retire` ends it without losing what it received.

    Attributes:
        plan: the subscriptions that it carries.
        liveness: times of the last event of each kind.
        subscription: acknowledgements that are still missing.
        ready_us: time from which it received everything that the plan names, 0 before.
        draining: true while reading is paused because the bus is full.
        ended: true once the socket is closed.
    """

    def __init__(
        self,
        plan: Connection,
        intake: Intake,
        owner: SocketOwner,
        settings: SocketSettings,
        clock: Callable[[], int],
        dial_slot: Callable[[], Awaitable[None]] = no_wait,
        locate: Locate = as_planned,
        suspects: Collection[Topic] = (),
    ) -> None:
        self.plan = plan
        self._locate = locate
        self._intake = intake
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._dial_slot = dial_slot
        self._retiring = asyncio.Event()
        self._unsent = asyncio.Event()
        self._pinged_us = 0
        self._refused = ""
        self.liveness = Liveness(plan.dense, plan.stale_after_s, clock())
        self.subscription = Subscription(plan.requests, suspects)
        self.ready_us = 0
        self.draining = False
        self.ended = False

    @property
    def last_message_us(self) -> int:
        """Time of the last frame with market events, microseconds; 0 before the first."""
        return max(self.liveness.event_us.values(), default=0)

    @property
    def ready(self) -> bool:
        """True while the socket is open and receives everything that the plan names."""
        return self.ready_us > 0 and not self.ended

    def retire(self) -> None:
        """Close the socket; frames that were received before are still read."""
        self._retiring.set()

    async def run(self) -> SocketEnd:
        """Run until the socket ends and return how; only bugs and cancellation raise."""
        await self._dial_slot()
        await self._intake.room()
        try:
            socket = await self._dial()
        except (OSError, WebSocketException) as error:  # TimeoutError is a subclass of OSError
            return SocketEnd("dial_failed", f"{type(error).__name__}: {error}", pause_s=required_pause_s(error))
        loop = asyncio.get_running_loop()
        opened_s = loop.time()
        try:
            ending = await self._live(socket)
        finally:
            self.ended = True
            await _shut(socket)
        return ending._replace(lived_s=loop.time() - opened_s)

    async def _dial(self) -> ClientConnection:
        settings = self._settings
        return await dial(
            await self._locate(self.plan.url),
            settings.proxy,
            open_timeout_s=settings.open_timeout_s,
            close_timeout_s=settings.close_timeout_s,
            max_frame_bytes=settings.max_frame_bytes,
            max_queue=settings.max_queue,
        )

    async def _live(self, socket: ClientConnection) -> SocketEnd:
        ending: SocketEnd | None = None
        self.liveness.since_us = self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                for part in (
                    self._read,
                    self._subscribe,
                    self._keep_alive,
                    self._check_deadlines,
                    self._await_retirement,
                ):
                    group.create_task(part(socket))
        except* SocketEnded as ended:
            first = ended.exceptions[0]
            if isinstance(first, SocketEnded):
                ending = first.ending
        if ending is None:
            raise AssertionError("a socket's tasks end by SocketEnded alone")
        return ending

    async def _read(self, socket: ClientConnection) -> None:
        intake, liveness, clock, recv = self._intake, self.liveness, self._clock, socket.recv
        memory = intake.memory.for_new_socket()
        try:
            while True:
                frame = await recv(decode=False)
                received_us = clock()
                for control in intake.take(frame, received_us, liveness, memory):
                    await self._obey(socket, control)
                if not self.ready_us:
                    self._check_ready(received_us)
                if intake.full:
                    await self._drain()
        except ConnectionClosed as closed:
            raise self._explain(closed) from None

    def _explain(self, closed: ConnectionClosed) -> SocketEnded:
        if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
            return SocketEnded("oversized", f"a frame exceeds max_frame_bytes ({self._settings.max_frame_bytes} bytes)")
        if self._retiring.is_set():
            return SocketEnded("rotation", "retired")
        return SocketEnded("closed", str(closed))

    async def _drain(self) -> None:
        self.draining = True
        hold_s = self._settings.hold_s
        try:
            async with asyncio.timeout(hold_s):
                await self._intake.drain()
        except TimeoutError:
            raise SocketEnded("overflow", f"the bus has been full for {hold_s:g} s") from None
        finally:
            self.draining = False
            self._pinged_us = 0  # the answer to a ping may be among the frames that were not read

    async def _obey(self, socket: ClientConnection, control: Control) -> None:
        if isinstance(control, Ack):
            if not self.subscription.acknowledged(control.key, control.accepted):
                log.warning("%s: unexpected acknowledgement %r", self.plan.name, control.key)
        elif isinstance(control, Ping):
            await _send(socket, control.reply)
        elif isinstance(control, Refusal):
            self.subscription.refused(control.key, control.detail, repeated=control.repeated)
            self._refused = control.detail
            self._owner.socket_refused(self, control)
            self._check_refused()
        elif isinstance(control, Notice):
            self._owner.socket_noticed(self, control)
        self._notice_unsent()

    def _check_refused(self) -> None:
        if self.subscription.refused_entirely:
            raise SocketEnded("refused", f"every subscription was refused: {self._refused}")

    async def _subscribe(self, socket: ClientConnection) -> None:
        """Send the plan's requests, and repeat in part those that are refused."""
        loop = asyncio.get_running_loop()
        while True:
            while self.subscription.has_unsent:
                request = self.subscription.send_next(loop.time() + self._settings.ack_timeout_s)
                await _send(socket, stamped(request.frame, self._clock()))
                self.liveness.since_us = self._clock()
                await asyncio.sleep(self.plan.request_interval_s)
            self._unsent.clear()
            self._check_ready(self._clock())
            await self._unsent.wait()

    def _notice_unsent(self) -> None:
        if self.subscription.has_unsent:
            self._unsent.set()

    def _check_ready(self, now_us: int) -> None:
        if not self.ready_us and self.subscription.settled and self.liveness.dense_received:
            self.ready_us = now_us
            self._owner.socket_ready(self, now_us)

    async def _keep_alive(self, socket: ClientConnection) -> None:
        keepalive = self.plan.keepalive or PROTOCOL_PING
        while True:
            await asyncio.sleep(keepalive.interval_s)
            if self.liveness.frame_us >= self._pinged_us:
                self._pinged_us = self._clock()
            if keepalive.frame:
                await _send(socket, stamped(keepalive.frame, self._clock()))
            else:
                await self._protocol_ping(socket)

    async def _protocol_ping(self, socket: ClientConnection) -> None:
        try:
            pong = asyncio.ensure_future(await socket.ping())
        except ConnectionClosed:
            return  # _read raises the reason, once it has read the frames that came before
        pong.add_done_callback(self._pong)

    def _pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.liveness.frame_us = self._clock()

    async def _check_deadlines(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        timeout_us = round((self.plan.keepalive or PROTOCOL_PING).timeout_s * MICROS)
        ticked_us = self._clock()
        while True:
            await asyncio.sleep(self._settings.tick_s)
            paused_us = self._clock() - ticked_us - round(self._settings.tick_s * MICROS)
            ticked_us = self._clock()
            if abs(paused_us) > PAUSE_US:
                self.liveness.note_pause(paused_us)
                self._pinged_us = 0  # the answer to a ping may be among the frames that are not read yet
                continue
            if self.draining:
                continue  # silence is our own doing while the bus is full
            now_us = self._clock()
            missing = self.subscription.overdue(loop.time())
            if missing:
                self._owner.socket_missed(self, missing)
                raise SocketEnded("ack_timeout", f"not acknowledged: {', '.join(missing)}")
            self._notice_unsent()
            self._check_refused()
            self._check_ready(now_us)
            last_event_us = self.liveness.silent_since(now_us)
            if last_event_us is not None:
                names, quiet_s = ", ".join(sorted(self.plan.dense)), (now_us - last_event_us) / MICROS
                raise SocketEnded("stale", f"{names} silent for {quiet_s:.1f} s", last_event_us)
            if self._pinged_us > self.liveness.frame_us and now_us - self._pinged_us > timeout_us:
                raise SocketEnded("unanswered", "no frame followed our ping")

    async def _await_retirement(self, socket: ClientConnection) -> None:
        await self._retiring.wait()
        await socket.close()


def stamped(frame: str, now_us: int) -> str:
    """Return the frame with its placeholder, if any, replaced by the time of sending in seconds."""
    return frame.replace(f'"{SEND_TIME}"', str(now_us // MICROS)) if SEND_TIME in frame else frame


async def _send(socket: ClientConnection, frame: str) -> None:
    try:
        await socket.send(frame)
    except ConnectionClosed:
        return  # _read raises the reason, once it has read the frames that came before


async def _shut(socket: ClientConnection) -> None:
    """Close with a closing handshake; abort the transport even if that is interrupted."""
    try:
        await socket.close()
    finally:
        socket.transport.abort()
