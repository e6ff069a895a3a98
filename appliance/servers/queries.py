"""Read what is drafted."""

from django.urls import reverse

from appliance.certs.models import Certificate
from appliance.certs.queries import Use
from appliance.servers.models import NodeGroup, ProcessSettings, ServerBlock, ServerCertificate

PROCESS_ROW = 1


def process_settings() -> ProcessSettings:
    """Give the settings of the nodes' processes; the defaults before anybody has saved some."""
    return ProcessSettings.objects.filter(pk=PROCESS_ROW).first() or ProcessSettings(pk=PROCESS_ROW)


def has_groups() -> bool:
    """Tell whether there are groups of nodes at all."""
    return NodeGroup.objects.exists()


def certificate_uses() -> dict[int, list[Use]]:
    """Say which server blocks use which certificate, in two queries."""
    found: dict[int, list[Use]] = {}
    chosen = ServerCertificate.objects.order_by("block").values_list(
        "certificate_id", "block_id", "block__name"
    )
    for key, block, name in chosen:
        found.setdefault(key, []).append(_use(block, str(name)))
    own = ServerBlock.objects.filter(proxy_ssl_certificate__isnull=False).values_list(
        "proxy_ssl_certificate_id", "pk", "name"
    )
    for certificate, block, name in own:
        found.setdefault(certificate or 0, []).append(_use(block, f"{name} (mail servers)"))
    return found


def clashing_keys(certificate: Certificate, key_kind: str) -> list[str]:
    """Name the blocks that show another certificate with this kind of key already.

    OpenSSL would show one of the two only.
    """
    mine = ServerCertificate.objects.filter(certificate=certificate).values("block")
    others = (
        ServerCertificate.objects.filter(
            block__in=mine, certificate__key_kind__startswith=key_kind.split()[0]
        )
        .exclude(certificate=certificate)
        .values_list("block__name", "certificate__name")
    )
    return [
        f"Server block {block} shows {name} already, whose key is of this kind"
        f" ({key_kind.split()[0]}): take it out there first, or use a key of the present kind."
        for block, name in others
    ]


def _use(block: int, label: str) -> Use:
    return Use(label, reverse("admin:servers_serverblock_change", args=[block]))
