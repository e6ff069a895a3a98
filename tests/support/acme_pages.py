"""The appliance's own web pages, in this process, on a port a CA looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import DEFAULT_DB_ALIAS, connections
from django.test.testcases import (
    LiveServerThread,
    QuietWSGIRequestHandler,
    _StaticFilesHandler,
)


class _Pages(LiveServerThread):
    """Takes the port also when a test before this one has just left it."""

    def _create_server(self, connections_override: Any = None) -> ThreadedWSGIServer:
        server: ThreadedWSGIServer = self.server_class(
            (self.host, self.port),
            QuietWSGIRequestHandler,
            allow_reuse_address=True,
            connections_override=connections_override,
        )
        return server


@contextmanager
def pages(port: int) -> Iterator[None]:
    """Serve what the test's database says."""
    connection = connections[DEFAULT_DB_ALIAS]
    connection.inc_thread_sharing()
    thread = _Pages(
        "127.0.0.1",
        _StaticFilesHandler,
        connections_override={connection.alias: connection},
        port=port,
    )
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    try:
        if thread.error:
            raise thread.error
        yield
    finally:
        thread.terminate()
        connection.dec_thread_sharing()
