"""WebSocket addresses. Each entry wraps itself in the authentication it needs."""

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import URLPattern, URLResolver, path

from appliance.fleet.consumers.node import NodeConsumer
from appliance.fleet.consumers.sessions import SessionsConsumer
from appliance.fleet.consumers.waiting import WaitingConsumer

websocket_urlpatterns: list[URLPattern | URLResolver] = [
    # a node has no cookies and no Origin: its token is all it shows
    path("ws/node/", NodeConsumer.as_asgi()),
    path(
        "ws/sessions/",
        AllowedHostsOriginValidator(AuthMiddlewareStack(SessionsConsumer.as_asgi())),
    ),
    path(
        "ws/waiting/",
        AllowedHostsOriginValidator(AuthMiddlewareStack(WaitingConsumer.as_asgi())),
    ),
]
