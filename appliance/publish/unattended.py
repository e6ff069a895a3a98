"""Publishing without anybody looking: only what was renewed by itself, and nothing else with it."""

from collections.abc import Callable
from dataclasses import replace

from django.db import transaction

from appliance.publish import draft, queries, services
from appliance.publish.models import ConfigRevision
from proxycore.contract.snapshot import Server, Snapshot
from proxycore.contract.tls import Certificate

IsRenewal = Callable[[Certificate, Certificate], bool]
"""Tells of two different certificates whether the second is the first, renewed."""


class NotAlone(Exception):
    """The draft holds other changes too, or cannot be published at all."""


@transaction.atomic
def publish_renewed(is_renewal: IsRenewal, note: str) -> ConfigRevision | None:
    """Publish the draft if it differs in renewed certificates only; None when it does not differ.

    Raises NotAlone.
    """
    now = draft.build()
    active = queries.current()
    if active is None:
        raise NotAlone("Nothing has been published yet.")
    if now.snapshot is None:
        raise NotAlone("The draft has a mistake in it, so that it cannot be published.")
    if now.snapshot.digest() == active.digest:
        return None
    before = queries.snapshot(ConfigRevision.objects.get(pk=active.pk))
    if _with_renewed(before, now.snapshot, is_renewal).digest() != now.snapshot.digest():
        raise NotAlone("The draft holds other changes too.")
    revision, _ = services.publish(None, note)
    if revision.digest != now.snapshot.digest():
        raise NotAlone("The draft was changed meanwhile.")
    return revision


def _with_renewed(before: Snapshot, after: Snapshot, is_renewal: IsRenewal) -> Snapshot:
    """Give what is published with what was renewed since, and nothing else changed."""
    drafted = {server.name: server for server in after.servers}
    servers = tuple(
        _server(server, drafted[server.name], is_renewal) if server.name in drafted else server
        for server in before.servers
    )
    return replace(before, servers=servers)


def _server(before: Server, after: Server, is_renewal: IsRenewal) -> Server:
    old, new = before.front_tls.certificates, after.front_tls.certificates
    if len(old) == len(new):
        shown = tuple(
            theirs if ours != theirs and is_renewal(ours, theirs) else ours
            for ours, theirs in zip(old, new, strict=True)
        )
        before = replace(before, front_tls=replace(before.front_tls, certificates=shown))
    mine, renewed = _towards_mail_hosts(before), _towards_mail_hosts(after)
    if mine != renewed and is_renewal(mine, renewed):
        back_tls = replace(
            before.back_tls,
            proxy_ssl_certificate=renewed.ssl_certificate,
            proxy_ssl_certificate_key=renewed.ssl_certificate_key,
        )
        before = replace(before, back_tls=back_tls)
    return before


def _towards_mail_hosts(server: Server) -> Certificate:
    tls = server.back_tls
    return Certificate(
        ssl_certificate=tls.proxy_ssl_certificate,
        ssl_certificate_key=tls.proxy_ssl_certificate_key,
    )
