"""Capabilities that have a name in IANA's registries, to suggest to who writes a list of them.

IMAP Capabilities, POP3 Extension Mechanism, and Mail Parameters (SMTP Service Extensions). Left out
is what the server block says by itself: AUTH, LOGINDISABLED, SASL, STARTTLS and STLS.
"""

from collections.abc import Mapping
from typing import Final

from proxycore.contract.protocol import Protocol

REGISTERED: Final[Mapping[Protocol, tuple[str, ...]]] = {
    Protocol.IMAP: (
        *("IMAP4rev1", "IMAP4rev2", "ACL", "APPENDLIMIT", "BINARY", "CATENATE", "CHILDREN"),
        *("COMPRESS=DEFLATE", "CONDSTORE", "CONTEXT=SEARCH", "CONTEXT=SORT", "CONVERT"),
        *("CREATE-SPECIAL-USE", "ENABLE", "ESEARCH", "ESORT", "FILTERS", "I18NLEVEL=1"),
        *("I18NLEVEL=2", "ID", "IDLE", "INPROGRESS", "JMAPACCESS", "LANGUAGE", "LIST-EXTENDED"),
        *("LIST-METADATA", "LIST-MYRIGHTS", "LIST-STATUS", "LITERAL+", "LITERAL-"),
        *("LOGIN-REFERRALS", "MAILBOX-REFERRALS", "METADATA", "METADATA-SERVER", "MOVE"),
        *("MULTIAPPEND", "MULTISEARCH", "NAMESPACE", "NOTIFY", "OBJECTID", "PARTIAL", "PREVIEW"),
        *("QRESYNC", "QUOTA", "QUOTASET", "REPLACE", "SASL-IR", "SAVEDATE", "SEARCH=FUZZY"),
        *("SEARCHRES", "SORT", "SORT=DISPLAY", "SPECIAL-USE", "STATUS=SIZE"),
        *("THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "UIDONLY", "UIDPLUS", "UNAUTHENTICATE"),
        *("UNSELECT", "URL-PARTIAL", "URLAUTH", "UTF8=ACCEPT", "UTF8=ONLY", "WITHIN"),
    ),
    Protocol.POP3: (
        *("TOP", "USER", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"),
        *("LOGIN-DELAY 0", "IMPLEMENTATION Postroad", "UTF8", "LANG"),
    ),
    Protocol.SMTP: (
        *("8BITMIME", "ATRN", "BINARYMIME", "BURL", "CHECKPOINT", "CHUNKING", "CONNEG", "CONPERM"),
        *("DELIVERBY", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "EXPN", "FUTURERELEASE", "HELP"),
        *("LIMITS", "MT-PRIORITY", "MTRK", "NO-SOLICITING", "PIPELINING", "REQUIRETLS", "RRVS"),
        *("SIZE 10240000", "SMTPUTF8", "SUBMITTER", "VRFY"),
    ),
}
"""In the registries' order; what takes a value has a usual one."""
