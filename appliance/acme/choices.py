"""What can be chosen for accounts, issuances and solvers, and the states of an order."""

from django.db import models


class SolverKind(models.TextChoices):
    """How TXT records are set."""

    RFC2136 = "rfc2136", "dynamic update of a DNS server (RFC 2136)"
    HOOK = "hook", "a program of your own"


class TsigAlgorithm(models.TextChoices):
    """HMACs of RFC 8945 that are still good."""

    SHA256 = "hmac-sha256", "HMAC-SHA256"
    SHA384 = "hmac-sha384", "HMAC-SHA384"
    SHA512 = "hmac-sha512", "HMAC-SHA512"


class ChallengeType(models.TextChoices):
    """How the CA is shown that a name is ours."""

    HTTP_01 = "http-01", "HTTP-01: a page on port 80 of each name"
    DNS_01 = "dns-01", "DNS-01: a TXT record; wildcards need it"


class Keys(models.TextChoices):
    """Kinds of keys a certificate is asked for."""

    EC256 = "ec256", "EC P-256"
    EC384 = "ec384", "EC P-384"
    RSA2048 = "rsa2048", "RSA 2048"
    RSA3072 = "rsa3072", "RSA 3072"
    RSA4096 = "rsa4096", "RSA 4096"
    PAIR = "pair", "a pair: EC P-256, and RSA 2048 for old clients"


PAIR_OF = (Keys.EC256, Keys.RSA2048)


class Renew(models.TextChoices):
    """When an issued certificate is renewed."""

    SUGGESTED = "suggested", "when the CA suggests it, else after two thirds of its life"
    FRACTION = "fraction", "after two thirds of its life"
    NEVER = "never", "only when somebody asks for it"


class AccountState(models.TextChoices):
    """What is known of an account."""

    NEW = "new", "not registered yet"
    VALID = "valid", "registered"
    ROLLING = "rolling", "key is being changed"
    REFUSED = "refused", "refused by the CA"


class OrderState(models.TextChoices):
    """Where an order stands; ``flow.MOVES`` says which may follow which."""

    WANTED = "wanted", "wanted"
    ORDERED = "ordered", "ordered from the CA"
    CHALLENGED = "challenged", "challenges received"
    PREPARED = "prepared", "proofs are in place"
    ANSWERED = "answered", "CA asked to look"
    READY = "ready", "names proven"
    FINALIZED = "finalized", "certificate requested"
    ISSUED = "issued", "issued by the CA"
    STORED = "stored", "certificate stored"
    DONE = "done", "done"
    FAILING = "failing", "failed, tidying up"
    FAILED = "failed", "failed"


ENDED = (OrderState.DONE, OrderState.FAILED)
TIDYING = (OrderState.STORED, OrderState.FAILING)
"""The CA has nothing more to say; what was put up for it is taken away."""


class OrderCause(models.TextChoices):
    """Why an order was made."""

    ASKED = "asked", "asked for"
    FIRST = "first", "first certificate"
    DUE = "due", "time to renew"
    SUGGESTED = "suggested", "renewal suggested by the CA"
    AGAIN = "again", "next try after a failure"


class Reason(models.IntegerChoices):
    """Why a certificate is revoked (RFC 5280 §5.3.1, those a CA lets a subscriber say)."""

    UNSPECIFIED = 0, "no particular reason"
    KEY_COMPROMISE = 1, "the key may be in other hands"
    AFFILIATION_CHANGED = 3, "the owner has another name"
    SUPERSEDED = 4, "replaced by another certificate"
    CESSATION = 5, "no longer used"
