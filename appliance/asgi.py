"""The appliance as one ASGI application: pages, the auth service, and the WebSockets.

``POSTROAD`` callers: Daphne (``manage.py run``) and the tests.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appliance.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

pages = get_asgi_application()

# Django has to be set up before anything that imports models.
from appliance.fleet.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(websocket_urlpatterns)})
