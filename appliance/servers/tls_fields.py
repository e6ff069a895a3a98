"""The TLS settings of a server block as columns, named as in the contract (contract.tls).

What belongs to a block in rows (certificates, ticket keys) is in ``models``. Not here, because a
certificate of ours has its key without a passphrase: ``ssl_password_file`` and
``proxy_ssl_password_file``.
"""

from typing import Final

from django.db import models

from appliance.certs.models import Certificate
from appliance.servers import declared
from appliance.servers.choices import TlsPolicy
from proxycore.contract.tls import BackTls, FrontTls

_STARTTLS: Final = {
    "off": "off: not offered",
    "on": "on: offered",
    "only": "only: nobody logs in without it",
}
_PROXY_SSL: Final = {
    "none": "none: in clear",
    "implicit": "implicit: from the first octet",
    "starttls": "starttls: after the greeting",
}
_SESSION_CACHE: Final = {
    "off": "off: no resumption",
    "none": "none: by tickets only",
    "stored": "stored: in the caches below",
}
_VERIFY_CLIENT: Final = {
    "off": "off: not asked for",
    "on": "on: needed",
    "optional": "optional: if given, it has to be good",
    "optional_no_ca": "optional_no_ca: passed on to the auth service as it is",
}


class FrontTlsFields(models.Model):
    """TLS towards clients."""

    starttls = declared.choice(FrontTls, "starttls", _STARTTLS)
    tls_policy = models.CharField(
        "TLS policy",
        max_length=12,
        choices=TlsPolicy,
        default=TlsPolicy.INTERMEDIATE,
        help_text="Versions, ciphers and groups for the key exchange.",
    )
    ssl_protocols = declared.words(FrontTls, "ssl_protocols")
    ssl_ciphers = declared.line(
        FrontTls,
        "ssl_ciphers",
        max_length=2000,
        default=declared.default_of(FrontTls, "ssl_ciphers"),
    )
    ssl_prefer_server_ciphers = declared.switch(FrontTls, "ssl_prefer_server_ciphers")
    ssl_ecdh_curve = declared.line(
        FrontTls,
        "ssl_ecdh_curve",
        max_length=300,
        default=declared.default_of(FrontTls, "ssl_ecdh_curve"),
    )
    ssl_dhparam = declared.material(FrontTls, "ssl_dhparam")
    ssl_certificate_compression = declared.switch(FrontTls, "ssl_certificate_compression")
    ssl_session_tickets = declared.switch(FrontTls, "ssl_session_tickets")
    ssl_session_timeout_ms = declared.number(FrontTls, "ssl_session_timeout_ms")
    ssl_session_cache = declared.choice(FrontTls, "ssl_session_cache", _SESSION_CACHE)
    ssl_session_cache_builtin_count = declared.number(FrontTls, "ssl_session_cache_builtin_count")
    ssl_session_cache_shared_name = declared.line(
        FrontTls, "ssl_session_cache_shared_name", max_length=100, blank=True, default=""
    )
    ssl_session_cache_shared_bytes = declared.number(FrontTls, "ssl_session_cache_shared_bytes")
    ssl_verify_client = declared.choice(FrontTls, "ssl_verify_client", _VERIFY_CLIENT)
    ssl_verify_depth = declared.number(FrontTls, "ssl_verify_depth")
    ssl_client_certificate = declared.material(FrontTls, "ssl_client_certificate")
    ssl_trusted_certificate = declared.material(FrontTls, "ssl_trusted_certificate")
    ssl_crl = declared.material(FrontTls, "ssl_crl")
    ssl_conf_command = declared.pairs(
        FrontTls, "ssl_conf_command", "Ciphersuites = TLS_AES_128_GCM_SHA256"
    )

    class Meta:
        """Columns of a block."""

        abstract = True


class BackTlsFields(models.Model):
    """TLS towards mail servers, for logins whose answer does not say otherwise."""

    proxy_ssl = declared.choice(BackTls, "proxy_ssl", _PROXY_SSL)
    proxy_ssl_verify = declared.switch(BackTls, "proxy_ssl_verify")
    proxy_ssl_name = declared.line(BackTls, "proxy_ssl_name", blank=True, default="")
    proxy_ssl_server_name = declared.switch(BackTls, "proxy_ssl_server_name")
    proxy_ssl_trusted_certificate = declared.material(BackTls, "proxy_ssl_trusted_certificate")
    proxy_ssl_pins = declared.words(BackTls, "proxy_ssl_pins", "Blanks between.")
    proxy_ssl_crl = declared.material(BackTls, "proxy_ssl_crl")
    proxy_ssl_verify_depth = declared.number(BackTls, "proxy_ssl_verify_depth")
    proxy_ssl_certificate = models.ForeignKey(
        Certificate,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name="proxy SSL certificate",
        help_text="Our own certificate, for mail servers that ask for one."
        " nginx: proxy_ssl_certificate, proxy_ssl_certificate_key.",
    )
    proxy_ssl_protocols = declared.words(BackTls, "proxy_ssl_protocols")
    proxy_ssl_ciphers = declared.line(
        BackTls,
        "proxy_ssl_ciphers",
        max_length=2000,
        default=declared.default_of(BackTls, "proxy_ssl_ciphers"),
    )
    proxy_ssl_session_reuse = declared.switch(BackTls, "proxy_ssl_session_reuse")
    proxy_ssl_conf_command = declared.pairs(
        BackTls, "proxy_ssl_conf_command", "Groups = X25519:P-256"
    )

    class Meta:
        """Columns of a block."""

        abstract = True
