"""The control plane: a Django project that decides who goes where and tells the nodes.

Map, low to high (import-linter holds the directions): ``lib`` shared means without models;
``publish`` numbered configuration revisions; ``stats`` samples; ``servers`` server blocks;
``routing`` who goes where; ``authhttp`` the built-in auth service; ``fleet`` nodes and sessions.
"""

from appliance.celery import app as celery_app

__all__ = ["celery_app"]
