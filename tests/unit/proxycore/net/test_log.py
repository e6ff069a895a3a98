"""nginx's log line, and what a peer cannot do to it."""

from proxycore.net.log import escaped, line, shown, whereabouts


def test_a_line_has_nginx_form() -> None:
    where = whereabouts("192.0.2.7", "192.0.2.1:143", b"u", "192.0.2.10:143")
    text = line(86, "auth http server 192.0.2.9:80 timed out", where, "in http auth state")
    assert text == (
        "*86 auth http server 192.0.2.9:80 timed out while in http auth state, client: 192.0.2.7,"
        ' server: 192.0.2.1:143, login: "u", upstream: 192.0.2.10:143'
    )


def test_a_line_without_login_and_upstream_does_not_mention_them() -> None:
    assert line(1, "hello", whereabouts("::1", "[::1]:143", b"", "")) == (
        "*1 hello, client: ::1, server: [::1]:143"
    )
    assert line(1, "hello") == "*1 hello"


def test_octets_that_are_no_text_and_controls_are_shown_as_numbers() -> None:
    assert shown(b"j\xc3\xb6e") == "jöe"
    assert shown(b"a\xffb\r\n\x1b[2J\x00") == r"a\xffb\x0D\x0A\x1B[2J\x00"


def test_no_text_can_break_the_line_or_turn_its_direction() -> None:
    hostile = "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\u202e\u2066z"
    assert len(escaped(hostile).splitlines()) == 1
    assert "\u202e" not in escaped(hostile)
    assert escaped("plain text") == "plain text"
