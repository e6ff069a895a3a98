"""The appliance as one ASGI application: the auth service, the pages, the WebSockets.

Callers: Daphne (``manage.py run``) and the tests.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

pages = get_asgi_application()

# Django has to be set up before anything that imports models.
from appliance.authhttp import callers  # noqa: E402
from appliance.authhttp.asgi import AuthHttp  # noqa: E402
from appliance.fleet import queries as fleet  # noqa: E402
from appliance.fleet.routing import websocket_urlpatterns  # noqa: E402

callers.register_node_check(lambda token: fleet.find_by_token(token) is not None)

auth_http = AuthHttp(pages)
application = ProtocolTypeRouter({"http": auth_http, "websocket": URLRouter(websocket_urlpatterns)})
