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
    RESTORED = "restored", "brought back from a revision"
