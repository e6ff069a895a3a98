"""What the driver tells the machine of a connection, as the auth service gets to see it."""

import base64
import re
import time

from tests.unit.proxycore.net.house import House

SALT = re.compile(rb"<(\d+)\.(\d+)@[^<>@]+>")


def test_the_ports_of_a_connection_are_told(house: House) -> None:
    house.serve()
    client = house.client()
    client.send(b"a1 LOGIN alice secret\r\n")
    _, question = house.asked()
    port = client.sock.getsockname()[1]
    assert b"\r\nClient-Port: %d\r\nAuth-Port: %d\r\n" % (port, house.address[1]) in question


def test_a_challenge_has_the_time_and_is_never_the_same(house: House) -> None:
    house.serve(imap_auth=("cram-md5",))
    before = int(time.time())
    salts = []
    for _ in range(2):
        client = house.client()
        client.send(b"a1 AUTHENTICATE CRAM-MD5\r\n")
        challenge = client.expect(b"\r\n").splitlines()[-1]
        salt = base64.b64decode(challenge.removeprefix(b"+ "))
        client.send(base64.b64encode(b"alice " + b"0" * 32) + b"\r\n")
        _, question = house.asked()
        assert b"\r\nAuth-Salt: %b\r\n" % salt in question
        salts.append(salt)
    found = [SALT.fullmatch(salt) for salt in salts]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] != found[1][1]
    assert before <= int(found[0][2]) <= int(time.time())
