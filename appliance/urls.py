"""Addresses of the web interface. ``/auth_http`` is answered before Django, in ``asgi.py``."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from appliance.authhttp.admin import explain_view
from appliance.fleet.enrol import enrol_view
from appliance.history.leaders import tops_view
from appliance.stats.metrics import metrics_view

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    # browsers ask for it whatever the page says
    path("favicon.ico", RedirectView.as_view(url=static("postroad/icon.svg")), name="favicon"),
    path("enrol", enrol_view, name="enrol"),
    path("metrics", metrics_view, name="metrics"),
    path("admin/explain/", admin.site.admin_view(explain_view), name="explain"),
    path("admin/top-lists/", admin.site.admin_view(tops_view), name="top_lists"),
    path("admin/mail-hosts/", include("appliance.fleet.backend.views")),
    path("admin/", include("appliance.routing.transfer.pages")),
    path("admin/", admin.site.urls),
]
