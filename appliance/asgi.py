"""The appliance as one ASGI application: the auth service, the pages, the WebSockets.

Callers: Daphne (``manage.py run``) and the tests.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

pages = get_asgi_application()

# Django has to be set up before anything that imports models.
from appliance.authhttp.asgi import AuthHttp  # noqa: E402
from appliance.fleet.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": AuthHttp(pages), "websocket": URLRouter(websocket_urlpatterns)}
)
