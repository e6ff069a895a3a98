"""Fields of a server block that limit logins (proxycore.contract.throttle)."""

from typing import Final

from django.db import models

from appliance.servers import declared
from proxycore.contract.throttle import LoginLimits

_COUNTS: Final = {
    "all": "all: every login, right or wrong",
    "refused": "refused: wrong passwords, each once",
}


class LoginLimitFields(models.Model):
    """How often may be tried to log in."""

    mail_login_ip_max = declared.number(LoginLimits, "mail_login_ip_max")
    mail_login_ip_ttl_ms = declared.number(LoginLimits, "mail_login_ip_ttl_ms")
    mail_login_user_max = declared.number(LoginLimits, "mail_login_user_max")
    mail_login_user_ttl_ms = declared.number(LoginLimits, "mail_login_user_ttl_ms")
    mail_login_counts = declared.choice(LoginLimits, "mail_login_counts", _COUNTS)
    mail_whitelist_ip = declared.words(LoginLimits, "mail_whitelist_ip", "Blanks between.")

    class Meta:
        """For server blocks."""

        abstract = True
