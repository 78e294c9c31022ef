"""One connection: waitress's channel, with one request at a time, deadlines, and bounded memory.

The main loop receives, parses and sends. A thread runs the application. Neither waits for a client.
"""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from ipaddress import IPv6Address, ip_network
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, InternalServerError, RequestEntityTooLarge

from pypi_registry._api.errors import error_response
from pypi_registry._cli.limits import UNSENT, Settings
from pypi_registry._cli.request_parser import BLOCK, HEAD_BLOCK, Refusal, RequestParser, RequestTimeout
from pypi_registry._cli.spool import ResponseBuffer
from pypi_registry._http.notes import NOTES
from pypi_registry.errors import StorageFull

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from pypi_registry._cli.listener import Listener

_log = logging.getLogger("pypi_registry")

Socket = socket.socket  # an attribute of the class below is also called socket

CLIENT_CLOSED = "499"
"""nginx's status for its log: the client closed the connection before its request was complete."""

TIMED_OUT = "408"


class Phase(Enum):
    """Whom a connection waits for, and for what."""

    IDLE = "the next request"
    HEAD = "the rest of a head"
    BODY = "the rest of a body"
    APPLICATION = "the application"
    SENDING = "the client, which must read the response"
    DROPPING = "the rest of a refused request, which is dropped"


class IncompleteFile(Exception):
    """The file of a response has ended before its Content-Length, or cannot be read."""


class FileOfResponse(ReadOnlyFileBasedBuffer):
    """waitress's file wrapper, which never changes a Content-Length.

    waitress replaces a Content-Length by the size of a shorter file, so that a client would take a truncated file for
    a complete one. If the file becomes shorter later, its loop never ends.
    """

    def prepare(self, size: int | None = None) -> int:
        super().prepare(size)
        if size is not None and hasattr(self, "seek"):  # waitress iterates over other files
            self.remain = size
        return self.remain

    def get(self, numbytes: int = -1, skip: bool = False) -> bytes:
        try:
            data = super().get(numbytes, skip)
        except (OSError, ValueError) as error:
            raise IncompleteFile(f"{self._name()} cannot be read: {error}") from error
        if not data and self.remain and numbytes:
            raise IncompleteFile(f"{self._name()} is {self.remain} bytes shorter than its response")
        return data

    def _name(self) -> str:
        return str(getattr(self.file, "name", "a file"))


class RequestTask(WSGITask):
    """A request for the application."""

    request: Any

    def get_environment(self) -> "WSGIEnvironment":
        environ = super().get_environment()
        environ["wsgi.file_wrapper"] = FileOfResponse
        environ[NOTES] = self.request.notes  # of the request, which may have several environs
        return environ


class RefusalTask(ErrorTask):
    """A request that the server refuses itself. It is logged here, as it does not reach the application."""

    channel: Any
    request: Any

    def execute(self) -> None:
        super().execute()
        if not isinstance(self.request.error, InternalServerError):  # of the application, which has logged it
            self.channel.log_refused(self.request, str(self.request.error.code))


class Channel(HTTPChannel):
    """One connection.

    The next request is parsed when the response of the previous one was handed to the system. Until then at most
    `HEAD_BLOCK` of its bytes wait here, and nothing is received.
    """

    task_class = RequestTask
    error_task_class = RefusalTask
    parser_class = RequestParser
    server: "Listener"
    adj: Settings
    request: RequestParser | None
    requests: list[RequestParser]
    outbufs: list[Any]
    socket: Socket
    # These are missing in the stub:
    requests_lock: Lock
    _flush_some_if_lockable: Callable[..., bool]

    def __init__(self, server: "Listener", sock: Socket, addr: Any, adj: Settings, map: Any = None) -> None:  # noqa: A002  # waitress's name
        self._clock = server.clock
        self._opened = self._began = self._progress = self._clock()
        self._ahead = b""
        self._is_new = True
        self.network = network_of(addr[0])
        self._refused = False
        self._drop_until: float | None = None
        super().__init__(server, sock, addr, adj, map)
        self.outbufs = [ResponseBuffer(adj.spool)]
        self.sendbuf_len = min(self.sendbuf_len, UNSENT)  # what is read of a file and not taken is read again

    # Where the connection is, and how long it may stay there

    @property
    def phase(self) -> Phase:
        if self._drop_until is not None:
            return Phase.DROPPING
        if self.requests:
            return Phase.APPLICATION
        if self.total_outbufs_len or self.close_when_flushed:
            return Phase.SENDING
        if self.request is None or not self.request.began:
            return Phase.IDLE
        return Phase.BODY if self.request.headers_finished else Phase.HEAD

    @property
    def is_busy(self) -> bool:
        """Whether a request is arriving, is processed, or its response is being sent."""
        return self.phase in (Phase.BODY, Phase.APPLICATION, Phase.SENDING)

    def deadline(self) -> float:
        """Return when the connection has waited too long for its client."""
        limits, last = self.adj.limits, self._progress + self.adj.limits.idle_seconds
        match self.phase:
            case Phase.HEAD:
                return self._began + limits.head_seconds
            case Phase.BODY:
                assert self.request is not None
                earned = self.request.body_bytes_received / limits.body_rate
                return min(self._began + limits.body_grace + earned, last)
            case Phase.IDLE:
                return self._opened + limits.head_seconds if self._is_new else last
            case Phase.DROPPING:
                assert self._drop_until is not None
                return self._drop_until
            case Phase.SENDING:
                return last
            case _:
                return inf

    def enforce(self, now: float) -> None:
        """End what has taken too long. The main loop calls this about once a second."""
        if self.will_close:  # handle_write() is not called while the client reads nothing
            self.handle_close()
        elif now >= self.deadline():
            if self.phase in (Phase.HEAD, Phase.BODY):
                with self.requests_lock:
                    self._refuse(RequestTimeout("the request took too long to arrive"))
            else:
                self.handle_close()

    def cost_of_closing(self, now: float) -> tuple[int, float] | None:
        """Return a key by which to choose the connection that makes room for another; None if this one must stay.

        First come those that have no request yet, then those whose client has done nothing for some seconds.
        """
        match self.phase:
            case Phase.IDLE:
                return 0, self._opened if self._is_new else self._progress
            case Phase.HEAD | Phase.DROPPING:
                return 0, self._began
            case Phase.BODY | Phase.SENDING if now - self._progress >= self.adj.limits.stalled_seconds:
                return 1, self._progress
            case _:
                return None

    # Receiving: all of it in the main loop

    def readable(self) -> bool:
        if self._drop_until is not None:
            return not self.will_close
        return not (
            self.requests or self._ahead or self.total_outbufs_len or self.close_when_flushed or self.will_close
        )

    def handle_read(self) -> None:
        if self._drop_until is not None:
            wanted = BLOCK
        else:
            wanted = HEAD_BLOCK if self.request is None else self.request.wanted()
        try:
            data = self.recv(wanted)  # closes the connection if its client has
        except OSError:  # such as a time-out of TCP
            self.handle_close()
            return
        if data and self._drop_until is None:
            self._progress = self._clock()
            self.received(data)

    def received(self, data: bytes) -> bool:
        self._ahead += data
        self._parse()
        return True

    def _parse(self) -> None:
        """Parse what has been received, up to the end of one request."""
        with self.requests_lock:
            while self._ahead and self.connected and not (self.requests or self.will_close or self.close_when_flushed):
                request = self.request
                if request is None or not request.began:
                    request = self.request = request or RequestParser(self.adj)
                    self._began = self._clock()
                is_head = not request.headers_finished
                taken = request.received(self._ahead)
                self._ahead = self._ahead[taken:]
                if is_head and request.headers_finished:
                    self._check_head(request)
                if request.completed:
                    self._run(request)

    def _check_head(self, request: RequestParser) -> None:
        self._began, self._is_new = self._clock(), False
        body = self.adj.limits.unchecked_body + 1 if request.chunked else request.content_length
        if body > self.adj.limits.unchecked_body and isinstance(request.error, RequestEntityTooLarge | None):
            environ = self.task_class(self, request).get_environment()  # type: ignore[arg-type]  # the stub is wrong
            response = self.server.refuse(environ)
            if response is None and request.error is None and not self.adj.spool.has_space(body):
                response = error_response(StorageFull())
            if response is not None:
                request.error = Refusal(response)
                request.completed = True
        # RFC 9110, 10.1.1: a server need not send 100 if "the framing indicates that there is no content".
        if request.expect_continue and not request.completed:
            self.send_continue()

    def _run(self, request: RequestParser) -> None:
        if request.error is not None:  # whether the rest is another request cannot be known
            self._ahead, self._refused = b"", True
        self.request, self.sent_continue = None, False
        self.requests.append(request)
        self.server.add_task(self)  # type: ignore[arg-type]  # the stub is wrong

    def _refuse(self, error: Error) -> None:
        request = self.request
        assert request is not None
        request.error, request.completed = error, True
        self._run(request)

    # Sending: in the thread of the application as much as the system takes, the rest in the main loop

    def writable(self) -> bool:
        return bool(
            self.total_outbufs_len
            or self.will_close
            or self.close_when_flushed
            or (self._ahead and not self.requests and self._drop_until is None)
        )

    def handle_write(self) -> None:
        if self.total_outbufs_len and not self.will_close:
            self._flush_exception(self._flush_some_if_lockable if self.requests else self._flush_some)
        if self.close_when_flushed and not self.total_outbufs_len:
            self.close_when_flushed = False
            if self._refused or self._ahead:
                self._begin_to_drop()
            else:
                self.will_close = True
        if self.will_close:
            self.handle_close()
        elif self._ahead and not self.total_outbufs_len:
            self._parse()

    def _begin_to_drop(self) -> None:
        """Close the connection for sending, and drop what the client is still sending.

        RFC 9112, 9.6: closing it at once, with data that was not read, resets the connection, and the client may lose
        the response. "To avoid the TCP reset problem, servers typically close a connection in stages."
        """
        self._ahead = b""
        self._began = self._clock()
        self._drop_until = self._began + self.adj.limits.drop_seconds
        with suppress(OSError):  # the client is gone
            self.socket.shutdown(socket.SHUT_WR)

    def write_soon(self, data: Any) -> int:
        if not data:
            return 0
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            size = len(data)
            if isinstance(data, FileOfResponse):
                self.outbufs += [data, ResponseBuffer(self.adj.spool)]
                self.total_outbufs_len += size
                self._flush_exception(self._flush_some, do_close=False)
            else:
                sent = 0 if self.total_outbufs_len else self._send_now(data)
                if sent < size:
                    self._keep(data[sent:])
            if self.total_outbufs_len or self.will_close:
                self.server.pull_trigger()
            return size

    def _send_now(self, data: bytes) -> int:
        try:
            sent: int = self.send(data, do_close=False)
        except OSError:  # such as a time-out of TCP
            self.will_close = True
            return 0
        self._progress = self._clock()
        return sent

    def _keep(self, data: bytes) -> None:
        """Keep a part of a response until the client has read what comes before it."""
        try:
            self.outbufs[-1].append(data)
        except OSError as error:
            _log.error("a response to %s was cut off, because the spool cannot store it: %s", self.addr[0], error)
            self.will_close = True
            self.server.pull_trigger()
            raise ClientDisconnected from error
        self.total_outbufs_len += len(data)

    def _flush_some(self, do_close: bool = True) -> bool:
        has_sent: bool = super()._flush_some(do_close)  # type: ignore[misc]  # not in the stub
        if has_sent:
            self._progress = self._clock()
        return has_sent

    def _flush_exception(self, flush: Callable[..., bool], do_close: bool = True) -> tuple[bool, bool]:
        try:
            return flush(do_close=do_close), False
        except OSError:  # of the connection
            pass
        except IncompleteFile as error:
            _log.error("a response to %s was cut off: %s", self.addr[0], error)
        except Exception:
            _log.exception("a response to %s was cut off", self.addr[0])
        self.will_close = True
        return False, True

    # The end

    def handle_close(self, status: str = CLIENT_CLOSED) -> None:
        request, self.request = self.request, None
        if request is not None:
            if request.headers_finished:
                self.log_refused(request, status)
            request.close()
        self._ahead = b""
        super().handle_close()

    def log_refused(self, request: RequestParser, status: str) -> None:
        """Log and count a request that did not reach the application; of a malformed head what could be parsed."""
        self.server.refused(getattr(request, "command", "-"), status)
        log, reason = self.server.access_log, _reason_of(request.error)
        if hasattr(request, "path"):
            if reason:
                request.notes.setdefault("reason", reason)
            environ = self.task_class(self, request).get_environment()  # type: ignore[arg-type]  # the stub is wrong
            log.write_request(self.server.forwarded(environ), status, "-", 0.0)
        else:
            log.write(self.addr[0], getattr(request, "command", "-"), "-", status, "-", 0.0, {"reason": reason})


def _reason_of(error: Error | None) -> str:
    """Return why the server refuses a request, in one line."""
    if error is None:
        return ""
    if isinstance(error, Refusal):
        return error.reason
    # waitress's text may quote a target with a user and a password in it.
    return str(error.reason) if "@" in str(error.body) else " ".join(str(error.body).split())


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64 that one customer of a provider has at least.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2:3:4"), network_of("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7')
    """
    if ":" not in address:
        return address
    ip = IPv6Address(address)
    return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
