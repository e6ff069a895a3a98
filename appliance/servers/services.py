"""Everything that writes server blocks. What is written is a draft until it is published."""

from collections.abc import Iterable, Mapping
from typing import Final

from django.conf import settings
from django.db import transaction

from appliance.servers.models import Listener, ServerBlock
from proxycore.contract.protocol import Protocol

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
        block = save_block(ServerBlock(name=name, protocol=protocol.value))
        save_listener(Listener(block=block, address=settings.LISTEN_ADDRESS, port=ports[protocol]))
        created.append(block)
    return created
