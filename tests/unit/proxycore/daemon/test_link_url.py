"""Where --control leads."""

import pytest

from proxycore.daemon.link import link_url


@pytest.mark.parametrize(
    ("control", "url"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/ws/node/"),
        ("http://127.0.0.1:8000/", "ws://127.0.0.1:8000/ws/node/"),
        ("https://mail.example", "wss://mail.example/ws/node/"),
        ("ws://[::1]:8000/ws/node/", "ws://[::1]:8000/ws/node/"),
        ("https://mail.example/behind/a/path", "wss://mail.example/behind/a/path"),
    ],
)
def test_link_url(control: str, url: str) -> None:
    assert link_url(control) == url


@pytest.mark.parametrize("control", ["", "mail.example:8000", "ftp://x", "http://", "http://u:p@x"])
def test_what_is_no_control_url(control: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        link_url(control)
