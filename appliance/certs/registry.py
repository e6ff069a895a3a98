"""What apps above bring to the page of a certificate, for instance where it is served.

``certs`` knows none of them; they register from their ``AppConfig.ready``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from appliance.certs.models import Certificate


@dataclass(frozen=True, slots=True)
class Section:
    """A panel of the page, below what the certificate says of itself."""

    title: str
    template: str
    """Rendered with ``context``, and with ``certificate`` and ``request``."""
    context: dict[str, Any] = field(default_factory=dict)
    anchor: str = ""
    """HTML id of the panel, so that a link can lead there."""
    label: str = ""
    """Few words behind the title, coloured by ``tone``."""
    tone: str = "info"
    """``success``, ``warning``, ``danger`` or ``info``."""


SectionBuilder = Callable[[Certificate], Section | None]
"""Gives the section of one certificate; None when there is nothing to say of it."""

ObjectionFinder = Callable[[Certificate, str], list[str]]
"""Called with a certificate and the kind of key it is to get; says what speaks against it."""

_builders: Final[dict[str, SectionBuilder]] = {}
_objections: Final[dict[str, ObjectionFinder]] = {}


def register_section(build: SectionBuilder, name: str = "") -> None:
    """Let an app show a section on each certificate's page. The same name again replaces.

    name: of the section; blank, that of the function and its module.
    """
    _builders[name or f"{build.__module__}.{build.__qualname__}"] = build


def register_objections(name: str, find: ObjectionFinder) -> None:
    """Let an app say where another kind of key would do harm."""
    _objections[name] = find


def objections(certificate: Certificate, key_kind: str) -> list[str]:
    """Say what speaks against a certificate's getting this kind of key."""
    return [text for find in _objections.values() for text in find(certificate, key_kind)]


@dataclass(frozen=True, slots=True)
class Panel:
    """A section with its content rendered."""

    section: Section
    html: SafeString


def panels(certificate: Certificate, request: HttpRequest) -> list[Panel]:
    """Render every section of a certificate's page."""
    common = {"certificate": certificate}
    return [
        Panel(one, render_to_string(one.template, common | one.context, request))
        for one in sections(certificate)
    ]


def sections(certificate: Certificate) -> list[Section]:
    """Build every section, in order of registration."""
    found = (build(certificate) for build in _builders.values())
    return [section for section in found if section is not None]
