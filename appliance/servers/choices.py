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
