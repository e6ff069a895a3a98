"""Everything that writes server blocks. What is written is a draft until it is published."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from appliance.certs import queries as certificates
from appliance.certs import services as certs
from appliance.certs.models import Certificate
from appliance.servers.declared import default_of
from appliance.servers.models import (
    AuthHttpHeader,
    BlockLog,
    Capability,
    Listener,
    NodeGroup,
    ProcessSettings,
    ServerBlock,
    ServerCertificate,
    TicketKey,
)
from appliance.servers.queries import PROCESS_ROW, process_settings
from appliance.servers.snapshot import (
    block_fields,
    listener_fields,
    log_fields,
    process_fields,
)
from proxycore.contract.process import AccessLog, ErrorLog
from proxycore.contract.protocol import Protocol
from proxycore.contract.secret import Secret
from proxycore.contract.snapshot import Server, Snapshot
from proxycore.contract.tls import DATA

DEFAULT_NAMES: Final[Mapping[Protocol, str]] = {
    Protocol.IMAP: "imap",
    Protocol.POP3: "pop3",
    Protocol.SMTP: "submission",
}

PORT_SETTINGS: Final[Mapping[Protocol, Mapping[str, bool]]] = {
    Protocol.IMAP: {"IMAP_PORT": False, "IMAPS_PORT": True},
    Protocol.POP3: {"POP3_PORT": False, "POP3S_PORT": True},
    Protocol.SMTP: {"SMTP_PORT": False, "SMTPS_PORT": True},
}
"""Settings that hold the ports of a first start, and whether these speak TLS at once."""


def save_block(block: ServerBlock) -> ServerBlock:
    """Write a block's own settings. Raises ValidationError."""
    block.full_clean()
    block.save()
    return block


def save_listener(listener: Listener) -> Listener:
    """Write a socket of a block. Raises ValidationError."""
    listener.full_clean()
    listener.save()
    return listener


def save_process(stored: ProcessSettings) -> ProcessSettings:
    """Write what concerns the nodes' processes. Raises ValidationError."""
    stored.pk = PROCESS_ROW
    stored.full_clean()
    stored.save()
    return stored


@transaction.atomic
def load_servers(snapshot: Snapshot) -> None:
    """Make the enabled blocks those of a snapshot; blocks that are off stay as they are.

    Raises ValidationError when one that is off has a name or a socket that is needed.
    """
    names = [server.name for server in snapshot.servers]
    delete_blocks(ServerBlock.objects.filter(enabled=True).exclude(name__in=names))
    # sockets may change places between blocks
    Listener.objects.filter(block__name__in=names).delete()
    last = 0
    for server in snapshot.servers:
        block = ServerBlock.objects.filter(name=server.name).first()
        if block is not None and block.pk < last:
            # the order is that of creation, and is part of what is published
            delete_blocks([block])
            block = None
        block = block or ServerBlock()
        _load_server(block, server)
        last = block.pk


def _load_server(block: ServerBlock, server: Server) -> None:
    for name, value in block_fields(server).items():
        setattr(block, name, value)
    save_block(block)
    block.groups.set([NodeGroup.objects.get_or_create(name=name)[0] for name in server.groups])
    for listen in server.listens:
        save_listener(Listener(block=block, **listener_fields(listen)))
    block.capabilities.all().delete()
    announced = getattr(server, f"{server.protocol.value}_capabilities")
    if announced != default_of(Server, f"{server.protocol.value}_capabilities"):
        for position, text in enumerate(announced):
            Capability.objects.create(block=block, position=position, text=text)
    block.auth_headers.all().delete()
    for header in server.auth_http.headers:
        AuthHttpHeader.objects.create(block=block, name=header.name, value=header.value.reveal())
    block.logs.all().delete()
    logs: list[ErrorLog | AccessLog] = [*server.error_logs, *server.access_logs]
    for log in logs:
        BlockLog.objects.create(block=block, **log_fields(log))
    _load_certificates(block, server)


def _load_certificates(block: ServerBlock, server: Server) -> None:
    """Bring back what proves us: a certificate that was renewed since is what it was then."""
    front, back = server.front_tls, server.back_tls
    chosen = [restored(one.ssl_certificate, one.ssl_certificate_key) for one in front.certificates]
    choose_certificates(block, [one for one in chosen if one is not None])
    block.ticket_keys.all().delete()
    for key in front.ssl_session_ticket_key:
        TicketKey.objects.create(block=block, value=key.reveal().removeprefix(DATA))
    block.proxy_ssl_certificate = restored(
        back.proxy_ssl_certificate, back.proxy_ssl_certificate_key
    )
    block.save(update_fields=["proxy_ssl_certificate"])


def restored(pem: str, key: Secret) -> Certificate | None:
    """Give the certificate with a published content, brought back where it was replaced."""
    return certs.restore(pem.removeprefix(DATA), Secret(key.reveal().removeprefix(DATA)))


@transaction.atomic
def choose_certificates(block: ServerBlock, certificates: Sequence[Certificate]) -> None:
    """Let a block show these certificates to clients, in this order."""
    if [one.certificate_id for one in block.chosen.all()] == [one.pk for one in certificates]:
        return
    block.chosen.all().delete()
    for certificate in certificates:
        ServerCertificate.objects.create(block=block, certificate=certificate)


@transaction.atomic
def choose_groups(block: ServerBlock, groups: Sequence[NodeGroup]) -> None:
    """Say which groups of nodes run a block; none: every node."""
    block.groups.set(groups)


def save_group(group: NodeGroup) -> NodeGroup:
    """Write a group of nodes, whose name is for good. Raises ValidationError."""
    group.full_clean()
    former = NodeGroup.objects.filter(pk=group.pk).first()
    if former is not None and former.name != group.name:
        raise ValidationError({"name": "Revisions name the group by it: make another group."})
    group.save()
    return group


@transaction.atomic
def delete_group(group: NodeGroup) -> None:
    """Delete a group that no block names. Whether nodes are in it, is for the fleet to say."""
    group.delete()


def load_process(snapshot: Snapshot) -> None:
    """Make the settings of the nodes' processes those of a snapshot."""
    stored = process_settings()
    for name, value in process_fields(snapshot.process).items():
        setattr(stored, name, value)
    save_process(stored)


@transaction.atomic
def delete_blocks(blocks: Iterable[ServerBlock]) -> None:
    """Delete blocks with everything that belongs to them."""
    for block in list(blocks):
        block.delete()


@transaction.atomic
def create_default_blocks(tls_names: Sequence[str] = ()) -> list[ServerBlock]:
    """Create the three blocks of a first start, unless there is any block already.

    tls_names: make a self-signed certificate for these, and speak TLS with it.
    """
    if ServerBlock.objects.exists():
        return []
    certificate = None
    if tls_names:
        name = certificates.free_name(f"{tls_names[0]} (first start)")
        certificate = certs.make_self_signed(name, list(tls_names))
    created = []
    for protocol, name in DEFAULT_NAMES.items():
        # nginx's default answers a mistyped password as if the mail server were broken
        block = save_block(
            ServerBlock(
                name=name,
                protocol=protocol.value,
                proxy_pass_error_message=True,
                starttls="on" if certificate else "off",
            )
        )
        if certificate is not None:
            choose_certificates(block, [certificate])
        for variable, is_ssl in PORT_SETTINGS[protocol].items():
            port = getattr(settings, variable)
            if port and (certificate is not None or not is_ssl):
                place = {"address": settings.LISTEN_ADDRESS, "port": port, "ssl": is_ssl}
                save_listener(Listener(block=block, **place))
        created.append(block)
    return created
