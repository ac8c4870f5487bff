"""One socket's life: dial, subscribe, read, keep alive, watch; it ends with the reason why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from monitor.collect.connection.subscription import Subscription
from monitor.collect.pipeline.intake import Intake
from monitor.collect.pipeline.liveness import Pulse
from monitor.collect.stats import EndReason
from monitor.exchanges.adapter import SEND_TIME, Connection, Keepalive
from monitor.exchanges.messages import Ack, Control, Notice, Ping, Refusal
from monitor.model.events import MICROS

log = logging.getLogger(__name__)

PROTOCOL_PING: Final = Keepalive(frame="", interval_s=20.0, timeout_s=20.0)
"""For exchanges without a ping of their own: websockets' defaults, run here because its own keep-alive would take a
socket for dead whose pongs wait behind our back-pressure."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Limits of one socket.

    Attributes:
        open_timeout_s: TCP, TLS and handshake together.
        close_timeout_s: the closing handshake; short, because a half-open peer never answers it.
        ack_timeout_s: from a request to each of its acknowledgements; exchanges answer within one or two seconds, more
            only while they are overloaded, when dialling again makes it worse.
        max_frame_bytes: larger frames cost a reconnect; the largest known (all-market mark prices, snapshots) have
            a tenth of this.
        max_queue: frames read ahead before the socket is paused: 10 ms of the worst burst.
        tick_s: how often the deadlines are looked at.
        hold_s: a socket that is not read for this long, because the bus is full, is closed: what an exchange keeps for
            a slow reader is bounded, and what it drops it does not tell.
    """

    open_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    ack_timeout_s: float = 10.0
    max_frame_bytes: int = 8 * 1024 * 1024
    max_queue: int = 1024
    tick_s: float = 0.25
    hold_s: float = 10.0


class Ending(NamedTuple):
    """How a socket ended.

    Attributes:
        reason: the label.
        detail: in words.
        lived_s: from the handshake to the end, 0 when there was none.
        unseen_from_us: from when a dense channel was silent, None unless the reason is ``stale``.
    """

    reason: EndReason
    detail: str
    lived_s: float = 0.0
    unseen_from_us: int | None = None


class LinkEnded(Exception):
    """Carries the :class:`Ending` from whichever of a link's tasks saw it."""

    def __init__(self, reason: EndReason, detail: str, unseen_from_us: int | None = None) -> None:
        super().__init__(detail)
        self.ending = Ending(reason, detail, 0.0, unseen_from_us)


class Owner(Protocol):
    """What a link tells its session."""

    def link_ready(self, link: Link, at_us: int) -> None:
        """The link is subscribed and, where it has dense channels, has delivered."""

    def link_refused(self, link: Link, refusal: Refusal) -> None:
        """The exchange refused something."""

    def link_noticed(self, link: Link, notice: Notice) -> None:
        """The exchange said something of the connection."""

    def link_missed(self, link: Link, keys: Sequence[str]) -> None:
        """These acknowledgements never came."""


async def no_wait() -> None:
    """Dial at once."""


Locate = Callable[[str], Awaitable[str]]
"""``await locate(url)``: where to dial instead of a plan's address. Raises ``OSError`` where that cannot be known."""


async def as_planned(url: str) -> str:
    """Dial the plan's address."""
    return url


class Link:
    """One socket of one plan; :meth:`run` lives it, :meth:`retire` ends it without loss.

    Attributes:
        plan: what it carries.
        pulse: what was heard on it.
        subscription: which acknowledgements are missing.
        ready_us: when it began to see everything it should, 0 before.
        last_message_us: when a frame with market events was last received, 0 before.
        draining: whether reading stands still because the bus is full.
        ended: whether the socket is gone.
    """

    def __init__(
        self,
        plan: Connection,
        intake: Intake,
        owner: Owner,
        settings: LinkSettings,
        clock: Callable[[], int],
        dial_slot: Callable[[], Awaitable[None]] = no_wait,
        locate: Locate = as_planned,
    ) -> None:
        self.plan = plan
        self._locate = locate
        self._intake = intake
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._dial_slot = dial_slot
        self._retiring = asyncio.Event()
        self._pinged_us = 0
        self._refused = ""
        self.pulse = Pulse(plan.dense, plan.stale_after_s, clock())
        self.subscription = Subscription(plan.requests)
        self.ready_us = 0
        self.draining = False
        self.ended = False

    @property
    def last_message_us(self) -> int:
        """When a frame with market events was last received, 0 before the first."""
        return max(self.pulse.heard.values(), default=0)

    @property
    def ready(self) -> bool:
        """Whether the socket is open and sees everything it should."""
        return self.ready_us > 0 and not self.ended

    def retire(self) -> None:
        """Close the socket; what it has received by then is still read."""
        self._retiring.set()

    async def run(self) -> Ending:
        """Live until something ends the socket. Raises nothing but bugs and cancellation."""
        await self._dial_slot()
        await self._intake.room()
        try:
            socket = await self._dial()
        except (OSError, WebSocketException) as error:  # a timeout is an OSError
            return Ending("dial_failed", f"{type(error).__name__}: {error}")
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
        return await connect(
            await self._locate(self.plan.url),
            compression=None,  # inflating costs as much as parsing; exchanges send plain frames when not asked
            max_size=settings.max_frame_bytes,
            max_queue=settings.max_queue,
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.close_timeout_s,
            ping_interval=None,
            proxy=None,  # since websockets 15 the environment's proxy would be used unasked
        )

    async def _live(self, socket: ClientConnection) -> Ending:
        ending: Ending | None = None
        self.pulse.since_us = self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._read, self._subscribe, self._keep_alive, self._watch, self._await_retirement):
                    group.create_task(part(socket))
        except* LinkEnded as ended:
            first = ended.exceptions[0]
            if isinstance(first, LinkEnded):
                ending = first.ending
        if ending is None:
            raise AssertionError("a link's tasks end by LinkEnded alone")
        return ending

    async def _read(self, socket: ClientConnection) -> None:
        intake, pulse, clock, recv = self._intake, self.pulse, self._clock, socket.recv
        memory = intake.memory.for_new_socket()
        try:
            while True:
                frame = await recv(decode=False)
                received_us = clock()
                for control in intake.take(frame, received_us, pulse, memory):
                    await self._obey(socket, control)
                if not self.ready_us:
                    self._check_ready(received_us)
                if intake.full:
                    await self._drain()
        except ConnectionClosed as closed:
            raise self._explain(closed) from None

    def _explain(self, closed: ConnectionClosed) -> LinkEnded:
        if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
            return LinkEnded("oversized", f"a frame above {self._settings.max_frame_bytes} bytes")
        if self._retiring.is_set():
            return LinkEnded("rotation", "retired")
        return LinkEnded("closed", str(closed))

    async def _drain(self) -> None:
        self.draining = True
        hold_s = self._settings.hold_s
        try:
            async with asyncio.timeout(hold_s):
                await self._intake.drain()
        except TimeoutError:
            raise LinkEnded("overflow", f"the bus has been full for {hold_s:g} s") from None
        finally:
            self.draining = False
            self._pinged_us = 0  # answers may have waited behind the frames that were not read

    async def _obey(self, socket: ClientConnection, control: Control) -> None:
        if isinstance(control, Ack):
            if not self.subscription.acknowledged(control.key):
                log.warning("%s: acknowledgement %r was not waited for", self.plan.name, control.key)
        elif isinstance(control, Ping):
            await _send(socket, control.reply)
        elif isinstance(control, Refusal):
            self.subscription.refused(control.key)
            self._refused = control.detail
            self._owner.link_refused(self, control)
            self._check_refused()
        elif isinstance(control, Notice):
            self._owner.link_noticed(self, control)

    def _check_refused(self) -> None:
        if self.subscription.refused_entirely:
            raise LinkEnded("refused", f"every subscription was refused: {self._refused}")

    async def _subscribe(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        for index, request in enumerate(self.plan.requests):
            if index:
                await asyncio.sleep(self.plan.request_interval_s)
            self.subscription.sending(request, loop.time() + self._settings.ack_timeout_s)
            await _send(socket, stamped(request.frame, self._clock()))
            self.pulse.since_us = self._clock()
        self._check_ready(self._clock())

    def _check_ready(self, now_us: int) -> None:
        if not self.ready_us and self.subscription.settled and self.pulse.dense_heard:
            self.ready_us = now_us
            self._owner.link_ready(self, now_us)

    async def _keep_alive(self, socket: ClientConnection) -> None:
        keepalive = self.plan.keepalive or PROTOCOL_PING
        while True:
            await asyncio.sleep(keepalive.interval_s)
            if self.pulse.frame_us >= self._pinged_us:
                self._pinged_us = self._clock()
            if keepalive.frame:
                await _send(socket, stamped(keepalive.frame, self._clock()))
            else:
                await self._protocol_ping(socket)

    async def _protocol_ping(self, socket: ClientConnection) -> None:
        try:
            pong = asyncio.ensure_future(await socket.ping())
        except ConnectionClosed:
            return  # the reader tells why, once it has read what came before
        pong.add_done_callback(self._pong)

    def _pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.pulse.frame_us = self._clock()

    async def _watch(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        timeout_us = round((self.plan.keepalive or PROTOCOL_PING).timeout_s * MICROS)
        while True:
            await asyncio.sleep(self._settings.tick_s)
            if self.draining:
                continue  # we are the ones who do not listen
            now_us = self._clock()
            missing = self.subscription.overdue(loop.time())
            if missing:
                self._owner.link_missed(self, missing)
                raise LinkEnded("ack_timeout", f"not acknowledged: {', '.join(missing)}")
            self._check_refused()
            self._check_ready(now_us)
            heard_us = self.pulse.silent_since(now_us)
            if heard_us is not None:
                names, quiet_s = ", ".join(sorted(self.plan.dense)), (now_us - heard_us) / MICROS
                raise LinkEnded("stale", f"{names} silent for {quiet_s:.1f} s", heard_us)
            if self._pinged_us > self.pulse.frame_us and now_us - self._pinged_us > timeout_us:
                raise LinkEnded("unanswered", "nothing came after our ping")

    async def _await_retirement(self, socket: ClientConnection) -> None:
        await self._retiring.wait()
        await socket.close()


def stamped(frame: str, now_us: int) -> str:
    """The frame with the time of its sending where it asks for it."""
    return frame.replace(f'"{SEND_TIME}"', str(now_us // MICROS)) if SEND_TIME in frame else frame


async def _send(socket: ClientConnection, frame: str) -> None:
    try:
        await socket.send(frame)
    except ConnectionClosed:
        return  # the reader tells why, once it has read what came before


async def _shut(socket: ClientConnection) -> None:
    """Close politely within the close timeout; whatever interrupts that, leave no open transport behind."""
    try:
        await socket.close()
    finally:
        socket.transport.abort()
