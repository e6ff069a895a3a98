"""The form by which the history is searched. It is always asked by GET, so a search is a link."""

import ipaddress
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from appliance.history import causes, names, queries
from appliance.history.models import MAX_LOGIN
from appliance.history.reading import packed
from proxycore.contract.protocol import Protocol
from proxycore.contract.reasons import CloseReason

RECENT: Final = timedelta(days=7)
"""How far is looked back when neither a user nor an address nor a day is named."""

_V4: Final = packed("0.0.0.0")[:12]  # noqa: S104  (not bound)
_WIDE_V4: Final = 2**16
_WIDE_V6: Final = 2**80

_OUTCOMES: Final = [
    ("", "every login"),
    (queries.LOGGED_IN, "logged in"),
    (queries.REFUSED, "failed logins"),
    (queries.BROKEN, "let in, but did not arrive"),
    (queries.VISITS, "no login tried"),
    (queries.EVERYTHING, "everything"),
    ("Ended because", [(one.value, causes.title(one)) for one in CloseReason]),
]


def _day() -> UnfoldAdminTextInputWidget:
    # the browser's own calendar
    return UnfoldAdminTextInputWidget(attrs={"type": "date"})


class SearchForm(forms.Form):
    """Who, from where, to where, when, and how it went."""

    user = forms.CharField(
        required=False,
        max_length=MAX_LOGIN,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "joe@example.com, or joe*"}),
    )
    address = forms.CharField(
        required=False,
        max_length=64,
        label="Address or network",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "192.0.2.7 or 192.0.2.0/24"}),
    )
    outcome = forms.ChoiceField(required=False, choices=_OUTCOMES, widget=UnfoldAdminSelectWidget())
    protocol = forms.ChoiceField(
        required=False,
        choices=[("", "any"), *((one.value, one.value.upper()) for one in Protocol)],
        widget=UnfoldAdminSelectWidget(),
    )
    backend = forms.CharField(
        required=False,
        max_length=128,
        label="Mail server",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "198.51.100.1"}),
    )
    node = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, widget=UnfoldAdminSelectWidget()
    )
    since = forms.DateField(required=False, label="From day", widget=_day())
    until = forms.DateField(required=False, label="To day", widget=_day())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        known = sorted(names.all_names().items(), key=lambda item: item[1])
        chosen = ("", "any")
        self.fields["node"].choices = [chosen, *known]  # type: ignore[attr-defined]

    def clean_address(self) -> tuple[bytes, bytes] | None:
        """Take an address or a network as the range it is."""
        text = self.cleaned_data["address"].strip()
        if not text:
            return None
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise forms.ValidationError("Is no address and no network.") from None
        return packed(str(network[0])), packed(str(network[-1]))

    def clean_user(self) -> str:
        """Refuse to look for everybody in this way."""
        text: str = self.cleaned_data["user"].strip()
        if text.strip("*") != text.rstrip("*") or text == "*":
            raise forms.ValidationError("A * can only stand at the end of something.")
        return text

    def search(self) -> queries.Search:
        """Give what is asked for; of everybody, only what is recent."""
        given = self.cleaned_data
        since, until = given["since"], given["until"]
        return queries.Search(
            user=given["user"],
            network=given["address"],
            node=given["node"],
            backend=given["backend"].strip(),
            protocol=given["protocol"],
            outcome=given["outcome"],
            since=_midnight(since)
            if since
            else (timezone.now() - RECENT if self._is_broad else None),
            until=_midnight(until + timedelta(days=1)) if until else None,
        )

    @property
    def is_recent_only(self) -> bool:
        """Tell whether only the last days are looked at, without having been asked for."""
        return self._is_broad and not self.cleaned_data["since"]

    @property
    def _is_broad(self) -> bool:
        given = self.cleaned_data
        if given["user"] and not given["user"].endswith("*"):
            return False
        return given["address"] is None or _is_wide(*given["address"])


def _is_wide(first: bytes, last: bytes) -> bool:
    """Tell whether a network may have more sessions than can be put in order at once."""
    size = int.from_bytes(last) - int.from_bytes(first)
    return size >= (_WIDE_V4 if first.startswith(_V4) else _WIDE_V6)


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time.min, UTC)
