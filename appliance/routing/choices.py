"""What a route can look at."""

from django.db import models

from proxycore.contract.protocol import Protocol


class MatchKind(models.TextChoices):
    """How a route's value is compared with the login."""

    USER = "user", "exact user"
    DOMAIN = "domain", "domain"
    PREFIX = "prefix", "prefix"
    LETTERS = "letters", "first letter"
    PATTERN = "pattern", "pattern"
    DEFAULT = "default", "everybody else"


class MailProtocol(models.TextChoices):
    """The three protocols, as the contract spells them."""

    IMAP = Protocol.IMAP.value, "IMAP"
    POP3 = Protocol.POP3.value, "POP3"
    SMTP = Protocol.SMTP.value, "SMTP"


class VerifierKind(models.TextChoices):
    """How another service is asked whether a password is right."""

    MAIL_HOST = "mail_host", "login at a mail server"
    AUTH_HTTP = "auth_http", "another auth_http service"


class HostTls(models.TextChoices):
    """Whether a mail host is spoken to in TLS."""

    BY_PORT = "port", "TLS: implicit on 993, 995 and 465, STARTTLS on others"
    IMPLICIT = "implicit", "TLS from the first octet"
    STARTTLS = "starttls", "STARTTLS"
    NONE = "none", "none: in clear"
    BLOCK = "block", "as the server block says (proxy_ssl)"


class HostState(models.TextChoices):
    """Whether a mail host takes logins. Set by an operator."""

    UP = "up", "up"
    DRAINING = "draining", "draining: no new logins"
    DOWN = "down", "down"


class HealthUse(models.TextChoices):
    """What follows when probes find a mail host down."""

    OBSERVE = "observe", "observe only: show it and tell people"
    AVOID = "avoid", "avoid when down: routes that name others use those"


class HostHold(models.TextChoices):
    """What is done with the logins of a mail host that is down or draining."""

    LATER = "later", "ask to try again later"
    WAIT = "wait", "keep the client waiting"


class HealthState(models.TextChoices):
    """What probes found."""

    UNKNOWN = "unknown", "no answer yet"
    UP = "up", "up"
    DOWN = "down", "down"


class RouteAction(models.TextChoices):
    """What is done with a login that a route fits."""

    SEND = "send", "send to the mail host"
    LATER = "later", "hold: ask to try again later"
    WAIT = "wait", "hold: keep the client waiting"


class LoginRewrite(models.TextChoices):
    """What the mail server is told as the login."""

    KEEP = "", "the login as it is"
    STRIP = "strip", "the login without its domain"
    ADD = "add", "the login, with a domain if it has none"
    FIXED = "fixed", "always the same login"


class ImportState(models.TextChoices):
    """How far the import of a file is."""

    TAKING = "taking", "being received"
    CHECKING = "checking", "being checked"
    CHECKED = "checked", "checked, nothing written"
    RUNNING = "running", "being written"
    STOPPED = "stopped", "stopped"
    DONE = "done", "done"
