"""Files that are given part by part."""

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from appliance.routing import services
from appliance.routing.models import Account


async def _read(client: AsyncClient) -> bytes:
    answer = await client.get("/admin/export/accounts/")
    return b"".join([part async for part in answer])  # type: ignore[attr-defined]


def test_a_file_is_the_same_from_both_kinds_of_server(
    as_administrator: Client, administrator: User
) -> None:
    services.save_account(Account(login="joe"))
    answer = as_administrator.get("/admin/export/accounts/")
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert content.splitlines()[1].startswith(b"joe,yes")
    assert answer["Content-Disposition"] == 'attachment; filename="accounts.csv"'
    client = AsyncClient()
    client.force_login(administrator)
    assert async_to_sync(_read)(client) == content
