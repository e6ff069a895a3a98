"""Clients and a mail server that misbehave: they go at any moment, in every way there is.

A visit is a list of steps; before each of them the visitor may leave. One that stays to the end,
with a login that is let in, has to get every answer: anything else is a fault of the proxy.
"""

import contextlib
import random
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, Self

from tests.bench.proxies import PROTOCOLS, SECURE

_TIMEOUT_S: Final = 20.0
_LEAVE_AT_A_STEP: Final = 0.12
_MOST_OCTETS: Final = 400_000
_RESET: Final = struct.pack("ii", 1, 0)
_LOGINS: Final = {"user": 60, "secure": 20, "reject": 8, "nowhere": 4, "rude": 8}
"""Beginning of a login -> how often; what becomes of it is told in src/auth.c."""
_LET_IN: Final = ("user", "secure")


class Left(Exception):
    """The visitor has gone away."""


class Fault(Exception):
    """The proxy did not do what it had to."""


class Visit:
    """One connection of one client."""

    def __init__(self, ports: Mapping[str, int], dice: random.Random) -> None:
        self._dice = dice
        self.protocol = dice.choice(PROTOCOLS)
        self.tls = dice.choice(("off", "implicit", "starttls"))
        (self.kind,) = dice.choices(list(_LOGINS), list(_LOGINS.values()))
        self.login = f"{self.kind}{dice.randrange(500)}"
        name = SECURE[self.protocol] if self.tls == "implicit" else self.protocol
        self._socket: socket.socket = socket.create_connection(
            ("127.0.0.1", ports[name]), _TIMEOUT_S
        )
        self._input = b""

    @property
    def is_let_in(self) -> bool:
        """Whether the login has to succeed."""
        return self.kind in _LET_IN

    def make(self) -> str:
        """Do it; tell how it ended. Raises ``Fault``."""
        step = "connected"
        try:
            for step in getattr(self, f"_{self.protocol}")():
                if self._dice.random() < _LEAVE_AT_A_STEP:
                    return f"left {self._leave()} when {step}"
            return "done"
        except Left:
            return "left in the handshake"
        except (OSError, Fault) as error:
            if self.is_let_in:
                what = f"{self.protocol}, TLS {self.tls}, {self.login}, {step}: {error!r}"
                raise Fault(what) from error
            return f"{self.kind} turned away"
        finally:
            self._socket.close()

    # --- leaving ---

    def _leave(self) -> str:
        manner = self._dice.choice(("quietly", "by reset", "half", "mid-word", "with garbage"))
        with contextlib.suppress(OSError):
            if manner == "by reset":
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            elif manner == "half":
                self._socket.shutdown(socket.SHUT_WR)
                self._socket.settimeout(1.0)
                self._socket.recv(4096)
            elif manner == "mid-word":
                self._socket.sendall(b"a9 LOG")
            elif manner == "with garbage":
                self._socket.sendall(self._dice.randbytes(self._dice.randrange(1, 3000)))
        return manner

    # --- talking ---

    def _line(self) -> bytes:
        while b"\n" not in self._input:
            received = self._socket.recv(65_536)
            if not received:
                raise Fault(f"end of stream, had {self._input[-100:]!r}")
            self._input += received
        line, _, self._input = self._input.partition(b"\n")
        return line

    def _expect(self, good: bytes, *before: bytes) -> None:
        while not (line := self._line()).startswith(good):
            if not line.startswith(before or (b"\0",)):
                raise Fault(f"{line[:100]!r} where {good!r} was due")

    def _say(self, text: str) -> Iterator[str]:
        """Send, now and then in two pieces with a chance to leave in between."""
        octets = text.encode()
        if self._dice.random() < 0.2:
            cut = self._dice.randrange(1, len(octets))
            self._socket.sendall(octets[:cut])
            yield f"in the middle of {text.split()[0]}"
            octets = octets[cut:]
        self._socket.sendall(octets)

    def _secure(self) -> Iterator[str]:
        if self._dice.random() < 0.1:
            hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self._dice.randbytes(32)
            self._socket.sendall(hello)
            yield "in the handshake"
            raise Left
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)

    def _imap(self) -> Iterator[str]:
        yield "connected"
        if self.tls == "implicit":
            yield from self._secure()
        self._expect(b"* OK")
        yield "greeted"
        if self.tls == "starttls":
            yield from self._say("a0 STARTTLS\r\n")
            self._expect(b"a0 OK")
            yield from self._secure()
        yield from self._say(f"a1 LOGIN {self.login} secret\r\n")
        yield "logging in"
        self._expect(b"a1 OK", b"* ")
        yield "logged in"
        for _ in range(self._dice.randrange(4)):
            yield from self._imap_work()
        yield from self._say("a3 LOGOUT\r\n")
        self._expect(b"a3 OK", b"* ")

    def _imap_work(self) -> Iterator[str]:
        size = self._dice.randrange(_MOST_OCTETS)
        work = self._dice.choice(("noop", "fetch", "append"))
        if work == "noop":
            yield from self._say("a2 NOOP\r\n")
        elif work == "fetch":
            yield from self._say(f"a2 FETCHBULK {size}\r\n")
            yield "fetching"
            while len(self._input) < size:
                received = self._socket.recv(65_536)
                if not received:
                    raise Fault(f"end of stream after {len(self._input)} of {size} octets")
                self._input += received
            self._input = self._input[size:]
        else:
            yield from self._say(f"a2 APPENDBULK {size}\r\n")
            self._socket.sendall(b"x" * (size // 2))
            yield "appending"
            self._socket.sendall(b"x" * (size - size // 2))
        yield f"at {work}"
        if size or work != "append":
            self._expect(b"a2 OK")

    def _pop3(self) -> Iterator[str]:
        yield "connected"
        if self.tls == "implicit":
            yield from self._secure()
        self._expect(b"+OK")
        yield "greeted"
        if self.tls == "starttls":
            yield from self._say("STLS\r\n")
            self._expect(b"+OK")
            yield from self._secure()
        for command in (f"USER {self.login}", "PASS secret", "NOOP", "QUIT"):
            yield from self._say(f"{command}\r\n")
            yield f"behind {command}"
            self._expect(b"+OK")

    def _smtp(self) -> Iterator[str]:
        yield "connected"
        if self.tls == "implicit":
            yield from self._secure()
        self._expect(b"220")
        yield "greeted"
        if self.tls == "starttls":
            yield from self._say("EHLO soak.example\r\n")
            self._expect(b"250 ", b"250-")
            yield from self._say("STARTTLS\r\n")
            self._expect(b"220")
            yield from self._secure()
        response = b64encode(f"\0{self.login}\0secret".encode()).decode()
        commands = {"EHLO soak.example": b"250", f"AUTH PLAIN {response}": b"235", "NOOP": b"250"}
        for command, good in {**commands, "QUIT": b"221"}.items():
            yield from self._say(f"{command}\r\n")
            yield f"behind {command.split()[0]}"
            self._expect(good + b" ", good + b"-")


class Crowd:
    """Visitors in threads, until it is closed."""

    def __init__(self, ports: Mapping[str, int], threads: int, seed: int) -> None:
        self.endings: Counter[str] = Counter()
        self.faults: list[str] = []
        self._ports = ports
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(random.Random(f"{seed}.{number}"),))
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let every visitor finish."""
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _visit(self, dice: random.Random) -> None:
        while not self._closing.is_set():
            try:
                self.endings[Visit(self._ports, dice).make()] += 1
            except Exception as error:  # noqa: BLE001  (whatever it is, it is told and counted)
                self.faults.append(str(error))


class RudeServer:
    """A mail server that goes away, says nothing, or says what nobody asked for."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(0.5)
                self._be_rude(connection)

    def _be_rude(self, connection: socket.socket) -> None:
        manner = self._dice.randrange(6)
        if manner == 0:
            return
        if manner == 1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return
        if manner == 2:
            connection.sendall(b"x" * 20_000)
            return
        connection.sendall(b"* OK there\r\n")
        connection.recv(4096)
        if manner == 3:
            connection.sendall(b"garbage\r\n" * 3)
        elif manner == 4:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
