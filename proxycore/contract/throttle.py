"""How often may be tried to log in (Zimbra's nginx has these directives)."""

from dataclasses import dataclass

from proxycore.contract.fields import setting

_HOUR_MS = 3_600_000
_WEEK_MS = 604_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLimits:
    """Logins from one address, and of one user, in a time that begins with the first of them.

    They are counted for all workers of a node together, and start at nothing with its start.
    """

    mail_login_ip_max: int = setting(
        "Logins from one client address (of IPv6, one /64) before others are put off; 0: any"
        " number.",
        default=0,
        directive="mail_login_ip_max",
        unit="count",
        minimum=0,
        maximum=1_000_000_000,
    )
    mail_login_ip_ttl_ms: int = setting(
        "Time in which they are counted.",
        default=_HOUR_MS,
        directive="mail_login_ip_ttl",
        unit="ms",
        minimum=1000,
        maximum=_WEEK_MS,
    )
    mail_login_user_max: int = setting(
        "Logins of one user, from anywhere, before others are put off; 0: any number.",
        default=0,
        directive="mail_login_user_max",
        unit="count",
        minimum=0,
        maximum=1_000_000_000,
    )
    mail_login_user_ttl_ms: int = setting(
        "Time in which they are counted.",
        default=_HOUR_MS,
        directive="mail_login_user_ttl",
        unit="ms",
        minimum=1000,
        maximum=_WEEK_MS,
    )
    mail_login_counts: str = setting(
        "Which logins count: `all`, or those `refused`, each wrong password once: a telephone that"
        " keeps trying an old one locks nobody out.",
        default="all",
        directive="mail_login_counts",
        choices=("all", "refused"),
    )
    mail_whitelist_ip: tuple[str, ...] = setting(
        "Client addresses and networks whose logins are not counted, for instance the webmail's.",
        default=(),
        directive="mail_whitelist_ip",
        pattern=r"unix:|[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?",
        allowed="IP addresses, networks and `unix:`",
    )

    @property
    def limit_anything(self) -> bool:
        """Whether logins have to be counted at all."""
        return bool(self.mail_login_ip_max or self.mail_login_user_max)
