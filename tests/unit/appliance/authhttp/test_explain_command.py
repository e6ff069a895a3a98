"""``manage.py explain``."""

import io

import pytest
from django.core.management import CommandError, call_command

from appliance.routing import services
from appliance.routing.choices import MatchKind
from appliance.routing.models import MailHost, Route
from appliance.servers.models import ServerBlock


def _run(*arguments: str) -> str:
    said = io.StringIO()
    call_command("explain", *arguments, stdout=said)
    return said.getvalue()


def test_a_login_is_explained(first_host: MailHost, blocks: dict[str, ServerBlock]) -> None:
    services.save_route(
        Route(match=MatchKind.USER, value="joe", protocol="pop3", mail_host=first_host)
    )
    said = _run("joe", "--protocol", "pop3", "--address", "192.0.2.1", "--listener", "*:1110")
    assert "the user is joe: fits" in said or "the user is joe" in said
    assert said.endswith("Goes to mailhost01, 192.168.1.22:110\n")
    with pytest.raises(CommandError, match="Is refused"):
        _run("joe")
    with pytest.raises(CommandError, match="There is no listener"):
        _run("joe", "--listener", "*:9")
    with pytest.raises(CommandError, match="client_ip"):
        _run("joe", "--address", "nowhere")
    with pytest.raises(CommandError, match="That one speaks POP3"):
        _run("joe", "--listener", "*:1110")
