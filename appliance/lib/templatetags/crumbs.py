"""The way to a page, as its head shows it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.db.models import Model
from django.utils.text import capfirst

register = template.Library()


@register.filter
def crumbs(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Give the steps of the way, each with ``title`` and ``link``, without one said twice.

    Names are shown as they were given; only kinds of things, which have a list, begin with a
    capital. Of two steps that are called the same the nearer one stays.
    """
    steps: list[dict[str, str]] = []
    for part in parts:
        what, link = part["title"], str(part.get("link") or "")
        is_name = isinstance(what, Model) or not link
        step = {"title": str(what) if is_name else capfirst(str(what)), "link": link}
        if steps and steps[-1]["title"] == step["title"]:
            steps.pop()
        steps.append(step)
    return steps
