"""The auth service as a process of its own: ``python -m appliance.auth_service`` (ADR-0021).

Started by ``manage.py run``. It has the same database, the same decisions and the same answers as
``/auth_http`` of the web server.
"""

import asyncio
import contextlib
import os
import signal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")

import django
from django.conf import settings

django.setup()

# Django has to be set up before anything that imports models.
from appliance.authhttp import callers  # noqa: E402
from appliance.authhttp.desk import Desk  # noqa: E402
from appliance.authhttp.listener import Listener  # noqa: E402
from appliance.fleet import queries as fleet  # noqa: E402

STOP_S = 2.0


async def serve() -> None:
    """Serve until told to stop."""
    callers.register_node_check(lambda token: fleet.find_by_token(token) is not None)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    desk = Desk()
    listener = Listener(desk, loop)
    await listener.open(settings.HTTP_ADDRESS, settings.AUTH_LISTEN_PORT)
    await told.wait()
    await listener.close(STOP_S)
    desk.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
