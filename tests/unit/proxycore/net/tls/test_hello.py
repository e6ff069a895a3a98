"""Reading a ClientHello: real ones, cut ones, wrong ones, and any octets at all."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.net.tls.hello import LONGEST_HELLO_BYTES, Hello, HelloReader
from tests.unit.proxycore.net.tls.client import Client


def read_hello(octets: bytes) -> Hello | None:
    return HelloReader().read(octets)


def hello(name: str | None = "mail.example.com") -> bytes:
    return Client(name=name, alpn=["imap"]).feed(b"")[1]


def fragments(octets: bytes, size: int) -> bytes:
    """Give the same ClientHello in records of ``size`` octets."""
    body = octets[5:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(octets[:3] + len(part).to_bytes(2) + part for part in parts)


def test_the_name_is_read() -> None:
    assert read_hello(hello("Mail.Example.COM")) == Hello("mail.example.com")


def test_without_name_there_is_none() -> None:
    assert read_hello(hello(None)) == Hello("")


def test_every_beginning_needs_more() -> None:
    octets = hello()
    assert all(read_hello(octets[:end]) is None for end in range(len(octets)))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_fragments_are_put_together(size: int) -> None:
    octets = fragments(hello(), size)
    assert read_hello(octets) == Hello("mail.example.com")
    assert read_hello(octets[:-1]) is None


def test_what_follows_is_left_alone() -> None:
    assert read_hello(hello() + b"anything") == Hello("mail.example.com")


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1",
        b"\x17\x03\x03\x00\x01a",
        b"\x16\x02\x00\x00\x01a",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    ],
)
def test_what_is_no_hello_is_left_to_openssl(octets: bytes) -> None:
    assert read_hello(octets) == Hello("")


@pytest.mark.parametrize(
    "name", [b"", b"a b", b"a\0b", b"\xff\xfe", b"x" * 256, "ä".encode(), b"a\r\nb"]
)
def test_a_name_that_is_none_is_no_name(name: bytes) -> None:
    real = b"mail.example.com"
    octets = hello()
    at = octets.index(real)
    # the list, its entry and the record all say how long they are
    listed = b"\0" + len(name).to_bytes(2) + name
    extension = b"\0\0" + (len(listed) + 2).to_bytes(2) + len(listed).to_bytes(2) + listed
    body = octets[43:]
    session = 1 + body[0]
    suites = session + 2 + int.from_bytes(body[session : session + 2])
    before = octets[9 : 43 + suites + 2]
    message = before + len(extension).to_bytes(2) + extension
    whole = b"\x01" + len(message).to_bytes(3) + message
    assert at
    assert read_hello(b"\x16\x03\x01" + len(whole).to_bytes(2) + whole) == Hello("")


@given(st.binary(max_size=600))
def test_any_octets_give_a_hello_or_a_wish_for_more(octets: bytes) -> None:
    assert isinstance(read_hello(octets), Hello | None)


@given(st.data())
def test_a_damaged_hello_does_no_harm(data: st.DataObject) -> None:
    octets = bytearray(hello())
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    found = read_hello(bytes(octets))
    assert found is None or (found.server_name.isascii() and len(found.server_name) < 256)


def test_records_of_a_hello_that_is_never_complete_do_not_pass_the_limit() -> None:
    octets = b"\x16\x03\x01\x00\x04\x01" + LONGEST_HELLO_BYTES.to_bytes(3)
    assert read_hello(octets) == Hello("")


def test_a_hello_that_grows_is_read_on_and_not_again() -> None:
    whole = fragments(hello(), 1)
    reader = HelloReader()
    assert all(reader.read(whole[:end]) is None for end in range(len(whole)))
    assert reader.read(whole) == Hello("mail.example.com")


def test_octet_by_octet_costs_no_more_than_its_octets() -> None:
    head = b"\x16\x03\x01\x00\x00"
    whole = fragments(head + b"\x01" + (12_000).to_bytes(3) + bytes(2_000), 1)
    reader, began = HelloReader(), time.process_time()
    for end in range(len(whole)):
        assert reader.read(whole[:end]) is None
    # begun anew with every octet it took 9 s
    assert time.process_time() - began < 2
