"""Ways a certificate comes in."""

from django.db import models


class Way(models.TextChoices):
    """How a certificate and its key are given."""

    PEM = "pem", "PEM: certificate with its chain, and the key"
    PKCS12 = "pkcs12", "PKCS#12: one file with a password (.p12, .pfx)"
    SELF_SIGNED = "self", "self-signed, made here: for a first start and for tests"


class Event(models.TextChoices):
    """What happened to a certificate."""

    UPLOADED = "uploaded", "uploaded"
    MADE = "made", "self-signed here"
    ISSUED = "issued", "issued by ACME"
    ANSWERED = "answered", "answer to a request"
    PRIVATE = "private", "issued by a private authority"
    RESTORED = "restored", "brought back from a revision"


class KeyKind(models.TextChoices):
    """Kinds of keys that are made here."""

    EC256 = "ec256", "EC P-256"
    EC384 = "ec384", "EC P-384"
    RSA2048 = "rsa2048", "RSA 2048"
    RSA3072 = "rsa3072", "RSA 3072"
    RSA4096 = "rsa4096", "RSA 4096"


class IssueFor(models.TextChoices):
    """For whom a private authority issues a certificate."""

    OTHER = "other", "a mail host or node: key made here, shown once, not kept"
    REQUEST = "request", "somebody who made a request (CSR) and has the key"
    HERE = "here", "this installation: kept under Certificates"


class Usage(models.TextChoices):
    """What a certificate may prove."""

    BOTH = "both", "server and client"
    SERVER = "server", "server: what others connect to"
    CLIENT = "client", "client: who connects to others"
