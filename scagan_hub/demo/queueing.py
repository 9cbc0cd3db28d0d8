"""The queue that visitors wait in: gradio's, with a share for everyone, and nothing that one visitor sends ends it.

A visitor is an address and a session; who gives no session is told apart by the connection. When the queue is full,
somebody who has less in it takes the place of the newest request of whoever has most. Whose work took least of late is
served first. Work that nobody listens to is not begun, and is dropped.
"""

import asyncio
import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable

from gradio.queueing import Event, Queue
from gradio.server_messages import ProcessCompletedMessage

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
PATIENCE = 20  # seconds that a request waits for somebody to listen
GONE = 3  # seconds until a listener who has left counts as gone, so that a page may connect again
KEPT = 120  # seconds that a finished answer is kept for somebody to fetch it
RESULTS = 500  # sessions whose answers are kept at most
HALF_LIFE = 60.0  # seconds after which work that was done for a visitor counts half
WAITING = {"films": 4}  # requests of a kind that may wait; a film takes up to a minute
FULL = "The queue is full: please ask again in a moment."
LEFT = "Nobody listened for the answer: please ask again."

log = logging.getLogger("scagan_hub.demo")


class Sessions(dict):
    """By session; what is deleted twice, as by two listeners who leave, is no error."""

    def __delitem__(self, session):
        self.pop(session, None)


class FairQueue(Queue):
    """Gradio's queue of `blocks` with room for `max_size` requests that wait."""

    def __init__(self, blocks, max_size: int):
        super().__init__(
            live_updates=True,
            concurrency_count=blocks.max_threads,
            update_intervals=1,
            max_size=max_size,
            blocks=blocks,
        )
        self.pending_messages_per_session = Sessions()  # gradio's forgets the oldest of 2,000, also one that waits
        self.listeners: Counter[str] = Counter()  # by session
        self.left: dict[str, float] = {}  # when a session's last listener left
        self.spent: defaultdict[object, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))  # seconds, since when
        self.housekeeping: list[Callable[[], Awaitable]] = [self.look_after]
        self._closing = False

    # What gradio calls

    def start(self):
        self._closing = False
        super().start()
        self._housekeeper = asyncio.create_task(self._kept_going("housekeeping", self._keep_house))

    def close(self):
        self._closing = True
        super().close()

    async def start_processing(self):
        await self._kept_going("the queue", super().start_processing)

    async def start_progress_updates(self):
        await self._kept_going("progress", super().start_progress_updates)

    def _cancel_asyncio_tasks(self):
        if self._closing:
            super()._cancel_asyncio_tasks()

    def send_message(self, event: Event, event_message):
        """Tells a listener; an event whose session is not known any more is dead, and no error."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)
        else:
            event.alive = False

    async def push(self, body, request, username):
        if body.session_hash is not None and not SESSION.fullmatch(body.session_hash):
            return False, "session_hash: expected up to 64 letters and digits.", "error"
        fn = self.blocks.fns.get(body.fn_index)
        if fn is None or not fn.queue:
            return False, "fn_index: there is no such function to wait for.", "error"
        if not self._room(*_visitor(request, body.session_hash), fn.concurrency_id):
            return False, FULL, "queue_full"
        return await super().push(body, request, username)

    def get_events(self):
        """What to do next: of those who listen, the one for whom least was done of late."""
        free = [
            line
            for line in self.event_queue_per_concurrency_id.values()
            if line.concurrency_limit is None or line.current_concurrency < line.concurrency_limit
        ]
        heard = [(line, event) for line in free for event in line.queue if self.listeners[event.session_hash]]
        if not heard:
            return None
        line, event = min(heard, key=lambda pair: self._turn(pair[1]))
        line.queue.remove(event)
        return [event], False, line.concurrency_id

    async def process_events(self, events, *args, **kwargs):
        started = time.monotonic()
        try:
            await super().process_events(events, *args, **kwargs)
        finally:
            for event in events:
                self._charge(event, time.monotonic() - started)

    def compute_analytics_summary(self, records):
        """Nothing: gradio makes a table of the last 10,000 requests after every one."""
        self.event_analytics.clear()
        return self.cached_event_analytics_summary

    # Who listens

    def session_of(self, event_id: str) -> str:
        """The session that an event's answer goes to."""
        event = self.event_ids_to_events.get(event_id)
        if event is not None:
            return event.session_hash
        return next((s for s, ids in self.pending_event_ids_session.items() if event_id in ids), event_id)

    def heard(self, session: str):
        """Somebody listens to this session from now on, until `unheard`."""
        self.listeners[session] += 1
        self.left.pop(session, None)

    def unheard(self, session: str):
        self.listeners[session] -= 1
        if not self.listeners[session]:
            del self.listeners[session]
            self.left[session] = time.monotonic()

    async def look_after(self):
        """Drops what nobody waits for any more, and answers that nobody has fetched."""
        now = time.monotonic()
        for line in self.event_queue_per_concurrency_id.values():
            for event in [event for event in line.queue if self._deserted(event, now)]:
                self._drop(event, LEFT)
        for event in [event for events in self.active_jobs if events for event in events]:
            if self._deserted(event, now):
                event.alive = False
        busy = {event.session_hash for event in self.event_ids_to_events.values()}
        idle = [s for s in self.pending_messages_per_session if s not in busy and not self.listeners[s]]
        for session in idle:
            self.left.setdefault(session, now)
        idle.sort(key=self.left.__getitem__)
        for i, session in enumerate(idle):
            if now - self.left[session] > KEPT or i < len(idle) - RESULTS:
                self.pending_messages_per_session.pop(session, None)
        for known in (self.left, self.pending_event_ids_session):
            for session in [s for s in known if s not in self.pending_messages_per_session and s not in busy]:
                del known[session]
        for who in [who for who, (seconds, since) in self.spent.items() if now - since > 10 * HALF_LIFE]:
            del self.spent[who]
        self.listeners += Counter()  # without zeros

    # Shares

    def _room(self, address: str, visitor: tuple, kind: str) -> bool:
        """Whether one more may wait; somebody with less in the queue takes a place from whoever has most."""
        line = self.event_queue_per_concurrency_id.get(kind)
        if line is not None and len(line.queue) >= WAITING.get(kind, self.max_size):
            return self._displace(line.queue, address, visitor)
        if len(self) < self.max_size:
            return True
        waiting = [event for line in self.event_queue_per_concurrency_id.values() for event in line.queue]
        return self._displace(waiting, address, visitor)

    def _displace(self, waiting: list[Event], address: str, visitor: tuple) -> bool:
        now = time.monotonic()
        for event in waiting:
            if not self.listeners[event.session_hash] and now - event.enqueue_time > 1:
                self._drop(event, FULL)
                return True
        addresses = Counter(_visitor_of(event)[0] for event in waiting)
        visitors = Counter(_visitor_of(event)[1] for event in waiting)
        victim = max(
            waiting,
            key=lambda event: (addresses[_visitor_of(event)[0]], visitors[_visitor_of(event)[1]], event.enqueue_time),
        )
        theirs, who = _visitor_of(victim)
        more = visitors[who] - visitors[visitor] if theirs == address else addresses[theirs] - addresses[address]
        if more > 1:
            self._drop(victim, FULL)
        return more > 1

    def _turn(self, event: Event) -> tuple:
        address, visitor = _visitor_of(event)
        return self._lately(address), self._lately(visitor), event.enqueue_time

    def _lately(self, who) -> float:
        seconds, since = self.spent.get(who, (0.0, 0.0))
        return round(seconds * 0.5 ** ((time.monotonic() - since) / HALF_LIFE), 1)

    def _charge(self, event: Event, seconds: float):
        for who in _visitor_of(event):
            self.spent[who] = (self._lately(who) + seconds, time.monotonic())

    # Nuts and bolts

    def _deserted(self, event: Event, now: float) -> bool:
        if self.listeners[event.session_hash]:
            return False
        left = self.left.get(event.session_hash)
        return now - left > GONE if left and left > event.enqueue_time else now - event.enqueue_time > PATIENCE

    def _drop(self, event: Event, why: str):
        """Takes an event that waits out of the queue, and tells its listener why."""
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self.send_message(event, ProcessCompletedMessage(output={"error": why, "visible": True}, success=False))

    async def _keep_house(self):
        while not self._closing:
            for work in self.housekeeping:
                await work()
            await asyncio.sleep(1)

    async def _kept_going(self, what: str, work: Callable[[], Awaitable]):
        """Begins the work anew whenever it fails, and says so."""
        while True:
            try:
                return await work()
            except Exception as error:
                log.error("%s was begun anew after %s at %s", what, type(error).__name__, where(error))
                self.stopped = self._closing
                await asyncio.sleep(0.1)


def where(error: BaseException) -> str:
    """File and line that an error comes from; none of its text, which may be a visitor's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "nowhere"


def _visitor(request, session: str | None) -> tuple[str, tuple]:
    """Address, and address with session or connection."""
    host, port = (request.client.host, request.client.port) if request.client else ("", 0)
    return host, (host, session or port)


def _visitor_of(event: Event) -> tuple[str, tuple]:
    given = event.session_hash if event.session_hash != event._id else None
    return _visitor(event.request, given)
