"""Everything that runs during a benchmark: stubs and load on one CPU, the proxy on the other."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from tests.bench.accounting import CpuTime, cpu_time
from tests.bench.machine import Unfit, pinned_to, raise_file_limit, two_cpus
from tests.bench.programs import Load, Outcome, Stub, Work, build
from tests.bench.proxies import SECURE, Proxy, make_proxy
from tests.bench.surroundings import AuthPlace, Surroundings, make_certificate

_Thing = TypeVar("_Thing")

_WARM_UP_LOGINS: Final = 2_000
_WARM_UP_TLS_LOGINS: Final = 300
_SPARE_FILES: Final = 200


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run: what the load generator saw, and what the proxy's processes used."""

    outcome: Outcome
    cpu: CpuTime

    @property
    def cpu_us(self) -> float:
        """CPU time of the proxy per operation."""
        return self.cpu.total_ns / self.outcome.operations / 1e3

    @property
    def system_share(self) -> float:
        """Part of the CPU time spent in the kernel."""
        ticks = self.cpu.user_s + self.cpu.system_s
        return self.cpu.system_s / ticks if ticks else 0.0

    @property
    def per_s(self) -> float:
        """Operations per second of wall clock."""
        return self.outcome.operations / (self.outcome.elapsed_ns / 1e9)

    @property
    def mb_per_cpu_s(self) -> float:
        """Megabytes (10^6 octets) moved per second of the proxy's CPU time."""
        return self.outcome.octets / 1e6 / (self.cpu.total_ns / 1e9)


class Rig:
    """Owns all processes of a benchmark; as a context manager it leaves none behind."""

    def __init__(self, rude_port: int = 0) -> None:
        """``rude_port``: where logins that begin with "rude" are sent to."""
        self._rude = [str(rude_port)] if rude_port else []
        self.proxy_cpu, self.other_cpu = two_cpus()
        self.file_limit = raise_file_limit()
        self.connections = self.file_limit - _SPARE_FILES
        """worker_connections of every proxy: two per session, as the file limit allows."""
        self._stack = contextlib.ExitStack()
        self._proxies: dict[str, Proxy] = {}

    def __enter__(self) -> Self:
        os.sched_setaffinity(0, {self.other_cpu})
        try:
            directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            self.programs = Path(directory)
            build(self.programs)
            pair = make_certificate(self.programs)
            files = (str(pair.certificate), str(pair.key))
            backend = Stub([str(self.programs / "backend"), *files])
            self._stack.callback(backend.close)
            auth = Stub([str(self.programs / "auth"), *map(str, backend.ports), *self._rude])
            self._stack.callback(auth.close)
            self.stubs = (backend, auth)
            self.around = Surroundings(
                auth=AuthPlace(port=auth.ports[0]),
                backend_ports=tuple(backend.ports),
                certificate=pair,
                connections=self.connections,
            )
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        os.sched_setaffinity(0, {self.proxy_cpu, self.other_cpu})

    def proxy(self, name: str) -> Proxy:
        """Give the running proxy of a name, started and warmed up at the first call."""
        if name not in self._proxies:
            self._proxies[name] = self._stack.enter_context(self.fresh_proxy(name))
        return self._proxies[name]

    @contextlib.contextmanager
    def fresh_proxy(self, name: str) -> Iterator[Proxy]:
        """Run a proxy of its own, warmed up, for the time of the block."""
        with self.cold_proxy(name, self.around) as proxy:
            with Load(self.programs / "load", proxy.ports["imap"], Work()) as load:
                load.run(_WARM_UP_LOGINS)
            if proxy.speaks_tls:
                with self.load(proxy, Work(tls="implicit")) as load:
                    load.run(_WARM_UP_TLS_LOGINS)
            yield proxy

    @contextlib.contextmanager
    def cold_proxy(self, name: str, around: Surroundings) -> Iterator[Proxy]:
        """Run a proxy of its own that nobody has logged in through yet."""
        proxy = make_proxy(name, around)
        with contextlib.ExitStack() as stack:
            stack.callback(proxy.close)
            with pinned_to(self.proxy_cpu):
                proxy.start()
            yield proxy

    def keep(self, thing: contextlib.AbstractContextManager[_Thing]) -> _Thing:
        """Enter something that is left at the end of the benchmark."""
        return self._stack.enter_context(thing)

    def load(self, proxy: Proxy, work: Work) -> Load:
        """Start a load generator against a proxy; its sessions are logged in on return."""
        port = SECURE[work.protocol] if work.tls == "implicit" else work.protocol
        return Load(self.programs / "load", proxy.ports[port], work)

    def measure(self, proxy: Proxy, load: Load, operations: int, others: Iterable[int] = ()) -> Run:
        """Run operations and account the proxy, and other processes named, for them."""
        processes = [*proxy.processes(), *others]
        before = cpu_time(processes)
        outcome = load.run(operations)
        return Run(outcome, cpu_time(processes) - before)

    def run(self, name: str, work: Work, operations: int) -> Run:
        """Measure one load generator against the proxy of a name."""
        proxy = self.proxy(name)
        with self.load(proxy, work) as load:
            if work.resume:
                load.run(2 * work.sessions)  # brings the tickets
            return self.measure(proxy, load, operations)

    def most_sessions(self) -> int:
        """Give how many sessions one proxy can hold: two descriptors each."""
        most = (self.file_limit - _SPARE_FILES) // 2
        if most < 100:
            raise Unfit(f"a limit of {self.file_limit} open files is too low")
        return most
