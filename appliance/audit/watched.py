"""Which models are in the audit trail, and which are not, and why.

Every model of the appliance is in one of the two tables; a test sees to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Watched:
    """How changes of a model are written down."""

    owner: str = ""
    """Foreign key to what it is a part of: its changes are shown with that, too."""
    secret: tuple[str, ...] = ()
    """Fields of which only is said that they changed. Encrypted fields always are."""
    ignored: tuple[str, ...] = ()
    """Fields that nobody sets: what is counted, computed or reported."""
    ignores_rest: tuple[str, ...] = ()
    """When given, the only fields that are watched."""


WATCHED: Final[Mapping[str, Watched]] = {
    "auth.user": Watched(secret=("password",), ignored=("last_login",)),
    "auth.group": Watched(),
    "servers.nodegroup": Watched(),
    "servers.serverblock": Watched(),
    "servers.listener": Watched(owner="block"),
    "servers.capability": Watched(owner="block"),
    "servers.authhttpheader": Watched(owner="block"),
    "servers.blocklog": Watched(owner="block"),
    "servers.servercertificate": Watched(owner="block"),
    "servers.ticketkey": Watched(owner="block"),
    "servers.processsettings": Watched(),
    "routing.mailhost": Watched(ignored=("found_down", "probe_due_at")),
    "routing.verifier": Watched(),
    "routing.account": Watched(secret=("password_hash",), ignored=("epoch",)),
    "routing.route": Watched(ignored=("is_spread",)),
    "routing.routeshare": Watched(owner="route"),
    "routing.domainalias": Watched(),
    "credentials.apppassword": Watched(
        owner="account", secret=("digest",), ignored=("last_used_at", "last_used_ip")
    ),
    "credentials.recoverablesecret": Watched(owner="account", ignored=("changed_at",)),
    "authhttp.callersecret": Watched(),
    "certs.authority": Watched(secret=("pem",), ignored=("crl_number",)),
    "certs.certificate": Watched(secret=("pem",), ignored=("updated_at",)),
    "certs.issuedcertificate": Watched(owner="authority", secret=("pem",)),
    "certs.signingrequest": Watched(secret=("pem",)),
    "alerts.recipient": Watched(ignored=("webhook_host",)),
    "acme.dnssolver": Watched(),
    "acme.account": Watched(
        ignores_rest=(
            *("name", "directory_url", "contact", "terms_agreed", "eab_kid", "eab_key"),
            *("ca_bundle", "private_key", "url"),
        )
    ),
    "acme.issuance": Watched(ignored=("publish_since",)),
    "publish.onsave": Watched(ignores_rest=("enabled", "quiet_s")),
    "fleet.node": Watched(
        secret=("token_hash",), ignores_rest=("name", "token_hash", "revoked_at")
    ),
}
"""By lower-case label."""

UNWATCHED: Final[Mapping[str, str]] = {
    "audit.entry": "is the audit trail",
    "certs.certificateversion": "is itself a record of what happened, beside its certificate",
    "publish.configrevision": "is written down by publish.services, in words",
    "publish.candidate": "is a question to the nodes and changes nothing",
    "routing.hosthealth": "is what probes found",
    "routing.importchunk": "is a part of an import",
    "routing.importjob": "is written down by routing.transfer, with counts",
    "routing.generation": "counts changes",
    "routing.change": "says whose cached answers are void",
    "acme.variant": "is how far an issuance is",
    "acme.order": "is itself a record, with its author, on the page of its certificate",
    "acme.orderstep": "is a record of an order",
    "acme.challenge": "is a part of an order",
    "acme.revocation": "is itself a record, with its author",
    "alerts.alert": "is raised and cleared by the appliance",
    "alerts.delivery": "is a record of who was told",
    "history.sessionrecord": "is reported by nodes",
    "history.lastlogin": "is reported by nodes",
    "history.intake": "counts what nodes report",
    "stats.sample": "is reported by nodes",
    "stats.rollup": "is computed",
    "stats.stale": "says what is to be computed",
    "fleet.ticketkey": "is made by the clock, for all nodes",
    "fleet.livesession": "is reported by nodes",
    "fleet.disconnect": "is written down by fleet.services, in words",
    "fleet.enrolmentcode": "is written down by fleet.services, in words",
    "fleet.nodecommand": "is written down by fleet.services, in words",
    "stats.nodetotals": "is reported by nodes",
    "proof.round": "is what was looked at",
    "proof.sighting": "is what was seen there",
}
