"""Find out before anything is changed whether TLS settings can be used.

For the supervisor: a revision with a setting that cannot be used is refused as a whole, by the
setting's path, and what runs goes on. Raises ``libssl.Unavailable`` where there is no OpenSSL.
"""

from proxycore.contract.codec import Problem
from proxycore.contract.protocol import Protocol
from proxycore.contract.tls import BackTls, FrontTls, find_back_problems, find_front_problems
from proxycore.net.tls.back_context import BackContext
from proxycore.net.tls.front_context import FrontContext
from proxycore.net.tls.refused import Refused


def check_front(front: FrontTls, path: str) -> tuple[list[Problem], list[str]]:
    """Give what makes these settings unusable, and what is only to be noticed."""
    problems = find_front_problems(front, path)
    if problems:
        return problems, []
    try:
        context = FrontContext(front, scope=path, protocol=Protocol.IMAP)
    except Refused as refused:
        return [Problem(f"{path}.{field_of(refused)}", str(refused))], []
    return [], context.notices


def check_back(back: BackTls, path: str) -> tuple[list[Problem], list[str]]:
    """Give what makes these settings unusable, and what is only to be noticed."""
    problems = find_back_problems(back, path)
    if problems:
        return problems, []
    try:
        context = BackContext(back)
    except Refused as refused:
        return [Problem(f"{path}.{refused.setting}", str(refused))], []
    return [], context.notices


def field_of(refused: Refused) -> str:
    """Give the field the admin knows: a certificate and its key are one."""
    if refused.setting in ("ssl_certificate", "ssl_certificate_key"):
        return "certificates"
    return refused.setting
