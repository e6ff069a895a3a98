"""Everything that writes server blocks. What is written is a draft until it is published."""

from collections.abc import Iterable, Mapping
from typing import Final

from django.conf import settings
from django.db import transaction

from appliance.servers.declared import default_of
from appliance.servers.models import (
    AuthHttpHeader,
    Capability,
    Listener,
    ProcessSettings,
    ServerBlock,
)
from appliance.servers.queries import PROCESS_ROW, process_settings
from appliance.servers.snapshot import block_fields, listener_fields, process_fields
from proxycore.contract.protocol import Protocol
from proxycore.contract.snapshot import Server, Snapshot

DEFAULT_NAMES: Final[Mapping[Protocol, str]] = {
    Protocol.IMAP: "imap",
    Protocol.POP3: "pop3",
    Protocol.SMTP: "submission",
}


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
def create_default_blocks() -> list[ServerBlock]:
    """Create the three blocks of a first start, unless there is any block already."""
    if ServerBlock.objects.exists():
        return []
    ports = {
        Protocol.IMAP: settings.IMAP_PORT,
        Protocol.POP3: settings.POP3_PORT,
        Protocol.SMTP: settings.SMTP_PORT,
    }
    created = []
    for protocol, name in DEFAULT_NAMES.items():
        # nginx's default answers a mistyped password as if the mail server were broken
        block = save_block(
            ServerBlock(name=name, protocol=protocol.value, proxy_pass_error_message=True)
        )
        save_listener(Listener(block=block, address=settings.LISTEN_ADDRESS, port=ports[protocol]))
        created.append(block)
    return created
