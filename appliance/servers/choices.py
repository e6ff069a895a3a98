"""Choices of a server block."""

from django.db import models

from proxycore.contract.protocol import Protocol


class MailProtocol(models.TextChoices):
    """The three protocols, as the contract spells them."""

    IMAP = Protocol.IMAP.value, "IMAP"
    POP3 = Protocol.POP3.value, "POP3"
    SMTP = Protocol.SMTP.value, "SMTP"


class AuthService(models.TextChoices):
    """Who decides about logins."""

    BUILTIN = "builtin", "Postroad's accounts and routes"
    EXTERNAL = "external", "another auth_http service"


class LogLevel(models.TextChoices):
    """Levels of the error log, least severe first, with what each adds."""

    DEBUG = "debug", "debug: everything there is to say; not for service"
    INFO = "info", "info: every connection, login and refusal"
    NOTICE = "notice", "notice: starts, stops, reloads"
    WARN = "warn", "warn: what works and is not as it should be"
    ERROR = "error", "error: what failed for somebody"
    CRIT = "crit", "crit"
    ALERT = "alert", "alert"
    EMERG = "emerg", "emerg: it cannot go on"


class TlsPolicy(models.TextChoices):
    """Who is spoken to in TLS, and how."""

    INTERMEDIATE = "intermediate", "intermediate: TLS 1.2 and 1.3 with forward secrecy"
    MODERN = "modern", "modern: TLS 1.3 only"
    CUSTOM = "custom", "as set below"


class LogKind(models.TextChoices):
    """The two logs of a server block."""

    ERROR = "error", "error_log: messages"
    ACCESS = "access", "access_log: a record for each session"
