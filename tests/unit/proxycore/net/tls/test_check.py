"""Settings are looked at as a whole before they are run."""

from typing import Any

import pytest

from proxycore.contract.secret import Secret
from proxycore.contract.tls import BackTls, Certificate, FrontTls
from proxycore.net.tls.check import check_back, check_front
from tests.support.pki import self_signed
from tests.unit.proxycore.net.tls.ends import SERVER, back_settings, front_settings

WRONG_KEY = Certificate(
    ssl_certificate="data:" + SERVER.pem, ssl_certificate_key=Secret("data:nothing")
)


def test_good_settings_have_no_problems() -> None:
    assert check_front(front_settings(), "servers[0].tls") == ([], [])
    assert check_back(back_settings(), "servers[0].back") == ([], [])


def test_notices_are_not_problems() -> None:
    problems, notices = check_front(front_settings(ssl_protocols=("SSLv3", "TLSv1.2")), "tls")
    assert (problems, len(notices)) == ([], 1)


def test_a_key_of_another_kind_is_noticed() -> None:
    """nginx takes it, and then no client can shake hands."""
    other = self_signed("other", kind="rsa")
    pair = Certificate(
        ssl_certificate="data:" + SERVER.pem, ssl_certificate_key=Secret("data:" + other.key_pem)
    )
    words = '"data:" is not the key of certificate "data:", which cannot be used without its own'
    assert check_front(FrontTls(certificates=(pair,)), "tls") == ([], [words])
    mine = {
        "proxy_ssl_certificate": pair.ssl_certificate,
        "proxy_ssl_certificate_key": pair.ssl_certificate_key,
    }
    assert check_back(back_settings(**mine), "tls") == ([], [words])


@pytest.mark.parametrize(
    ("front", "path"),
    [
        (FrontTls(), "tls.certificates"),
        (FrontTls(certificates=(WRONG_KEY,)), "tls.certificates"),
        (front_settings(ssl_ciphers="NONSENSE"), "tls.ssl_ciphers"),
        (front_settings(ssl_verify_client="on"), "tls.ssl_verify_client"),
    ],
)
def test_a_problem_of_the_front_has_its_path(front: FrontTls, path: str) -> None:
    (problem,), _ = check_front(front, "tls")
    assert problem.path == path


@pytest.mark.parametrize(
    ("back", "path"),
    [
        ({"proxy_ssl_certificate": "x"}, "tls.proxy_ssl_certificate_key"),
        ({"proxy_ssl_ciphers": "NONSENSE"}, "tls.proxy_ssl_ciphers"),
    ],
)
def test_a_problem_of_the_back_has_its_path(back: dict[str, Any], path: str) -> None:
    (problem,), _ = check_back(BackTls(**back), "tls")
    assert problem.path == path
