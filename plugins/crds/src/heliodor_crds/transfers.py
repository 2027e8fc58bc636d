"""Taking answers from a server that may refuse, hang, or break off: in threads that are watched.

A socket's own time limit begins anew with every byte and does not hold while a name is looked up,
so every transfer has a thread of its own.  One that gets nowhere is left behind, whatever it is
doing; such threads do not keep the process from ending.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.client import HTTPException
from queue import Empty, SimpleQueue
from typing import Any
from urllib.error import HTTPError, URLError

from heliodor.errors import ReferenceError

PIECE = 1 << 16
"""Bytes that must arrive within the time limit, if there are so many to come."""

TICK = 0.05
"""How often the transfers are looked at [s]."""


class TransferError(ReferenceError):
    """A transfer that failed.

    Attributes
    ----------
    again : whether another try may succeed
    hopeless : whether other transfers will fail as well
    """

    def __init__(self, message: str, *, again: bool = False, hopeless: bool = False):
        super().__init__(message)
        self.again = again
        self.hopeless = hopeless


class Left(Exception):
    """Ends a thread whose transfer nobody waits for any more."""


class Transfer:
    """One piece of work with a server.

    Parameters
    ----------
    name : for messages and progress
    work : does it; called with the transfer, in a thread of its own
    undo : removes what unfinished work has made; may be called while it goes on

    Attributes
    ----------
    received : bytes so far
    error : why it failed
    """

    def __init__(
        self, name: str, work: Callable[[Transfer], None], undo: Callable[[], None] = lambda: None
    ):
        self.name = name
        self.received = 0
        self.error: Exception | None = None
        self._work = work
        self._undo = undo
        self._left = False
        self._moved = 0.0

    def begin(self, ended: SimpleQueue[tuple[Transfer, Exception | None]]) -> None:
        """Start the thread; when it ends, the transfer is put into `ended` with what went wrong."""
        self._moved = time.monotonic()

        def run() -> None:
            error = None
            try:
                self._work(self)
            except Exception as failure:
                error = failure
            ended.put((self, error))

        threading.Thread(target=run, name=self.name, daemon=True).start()

    def moved(self, received: int) -> None:
        """Note in its thread how many bytes there are by now."""
        if self._left:
            raise Left
        self.received = received
        self._moved = time.monotonic()

    def rest(self, seconds: float) -> None:
        """Wait in its thread; this does not count as hanging."""
        self.moved(0)
        self._moved += seconds
        time.sleep(seconds)
        self.moved(0)

    def idle(self) -> float:
        """For how long nothing has arrived [s]."""
        return time.monotonic() - self._moved

    def leave(self) -> None:
        """Wait for it no more."""
        self._left = True
        self._undo()


def carry_out(
    transfers: Sequence[Transfer],
    timeout: float,
    parallel: int = 1,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Carry out transfers, several at a time; those that failed have an `error` afterwards.

    Once one shows that the others will fail as well, no further one is begun.

    Parameters
    ----------
    transfers : to be done, in this order
    timeout : the time a server has to answer, and for each `PIECE` of what it sends [s]
    parallel : how many at a time
    tick : called every now and then, in this thread
    """
    waiting, running = deque(transfers), set[Transfer]()
    ended: SimpleQueue[tuple[Transfer, Exception | None]] = SimpleQueue()
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                running.add(waiting[0])
                waiting.popleft().begin(ended)
            with suppress(Empty):
                transfer, error = ended.get(timeout=TICK)
                if transfer in running:  # and was not left behind
                    running.remove(transfer)
                    transfer.error = error
                    _stop(transfer, waiting)
            for transfer in [each for each in running if each.idle() > timeout + TICK]:
                running.remove(transfer)
                transfer.leave()
                transfer.error = hung(timeout)
                _stop(transfer, waiting)
            tick()
    finally:
        for transfer in running:
            transfer.leave()


def _stop(failed: Transfer, waiting: deque[Transfer]) -> None:
    """Give up those that were not begun, if they would fail like the one that did."""
    if isinstance(failed.error, TransferError) and failed.error.hopeless:
        for transfer in waiting:
            transfer.error = TransferError(f"not begun, as {failed.name} failed")
        waiting.clear()


def hung(timeout: float) -> TransferError:
    """Say that nothing came for too long; it is not tried again, the time is over."""
    return TransferError(
        f"nothing came for {timeout:g} s (CRDS_CLIENT_TIMEOUT_SECONDS sets how long to wait)",
        hopeless=True,
    )


def tried(
    transfer: Transfer, attempt: Callable[[], None], tries: int = 1, pause: float = 0.0
) -> None:
    """Make an attempt, and further ones if it fails in a way that may pass.

    Parameters
    ----------
    transfer : of which it is a part
    attempt : raises `TransferError` if it fails
    tries : attempts in all
    pause : before the second [s]; twice as long before the third, and so on
    """
    for number in range(1, tries + 1):
        try:
            return attempt()
        except TransferError as error:
            if not error.again:
                raise
            if number == tries:
                times = f" ({tries} times)" if tries > 1 else ""
                raise TransferError(f"{error}{times}", hopeless=error.hopeless) from error
            transfer.rest(pause * number)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: on the way, a question would lose what is asked."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def pieces(request: urllib.request.Request | str, timeout: float) -> Iterator[bytes]:
    """Give what a server sends, piece by piece.

    Parameters
    ----------
    request : a question, or an address from which a file is taken
    timeout : the time the server has for a sign of life [s]

    Raises
    ------
    TransferError
        It does not answer, answers with an error, or breaks off.
    """
    question = not isinstance(request, str)
    opener = urllib.request.build_opener(*([_Stay] if question else []))
    received = 0
    try:
        with opener.open(request, timeout=timeout) as answer:
            length = getattr(answer, "length", None)
            while piece := answer.read(PIECE):
                received += len(piece)
                yield piece
    except HTTPError as error:
        with error:
            raise _refused(error) from None
    except (HTTPException, OSError, ValueError) as error:
        raise _broken(error, received, timeout) from error
    if length is not None and received != length:
        raise TransferError(f"the answer ended after {received} of {length} bytes", again=True)


def _refused(error: HTTPError) -> TransferError:
    """Say what a server means by its status."""
    if error.code in range(300, 400):
        where = error.headers.get("Location", "nowhere")
        return TransferError(f"the server sends one on to {where}; set the address to that")
    busy = error.code >= 500 or error.code == 429
    return TransferError(f"the server says {error.code} {error.reason}", again=busy, hopeless=busy)


def _broken(error: Exception, received: int, timeout: float) -> TransferError:
    """Say what went wrong with a connection."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return hung(timeout)
    if isinstance(error, ValueError):
        return TransferError(f"this is no address of a server: {error}", hopeless=True)
    if received:
        return TransferError(f"the connection broke after {received} bytes: {reason}", again=True)
    said = str(reason) or type(reason).__name__
    return TransferError(f"no connection: {said}", again=True, hopeless=True)
