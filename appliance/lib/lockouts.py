"""Who is locked out of the admin after failed sign-ins, and how that ends (django-axes)."""

import hashlib
from datetime import timedelta
from typing import Any, Final

from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

unlocked: Final = Signal()
"""Sent with ``user`` when somebody's failures were forgotten by hand."""


def username_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Give the name that failures are counted under.

    Of a name that nobody has only a digest is kept: it may be a password in the wrong field.
    """
    name = str((credentials or {}).get("username") or request.POST.get("username") or "")
    if get_user_model().objects.filter(username=name).exists():
        return name
    return f"unknown-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"


def page(request: HttpRequest, response: Any, credentials: Any = None) -> HttpResponse:
    """Answer somebody who is locked out."""
    context = {
        **admin.site.each_context(request),
        "minutes": round(settings.AXES_COOLOFF_TIME / timedelta(minutes=1)),
        "failures": settings.AXES_FAILURE_LIMIT,
    }
    return render(request, "admin/locked_out.html", context, status=429)


def locked() -> set[str]:
    """Give the names that are locked out from some address now."""
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    rows = AccessAttempt.objects.filter(
        attempt_time__gt=since, failures_since_start__gte=settings.AXES_FAILURE_LIMIT
    )
    return set(rows.values_list("username", flat=True))


def unlock(user: User) -> None:
    """Forget somebody's failed sign-ins."""
    if reset(username=user.username):
        unlocked.send(User, user=user)
