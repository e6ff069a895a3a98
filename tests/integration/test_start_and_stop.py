"""``manage.py run`` from the first start to the second, and what may stand in its way."""

import socket
from collections.abc import Generator

import pytest
from cryptography.fernet import Fernet

from tests.support import cast, clients
from tests.support.appliance import Appliance
from tests.support.dovecot import Dovecot
from tests.support.process import descendants_of, is_alive
from tests.support.wait import eventually

_STOPPED_WITHIN_S = 5.0


@pytest.fixture
def own_appliance() -> Generator[Appliance, None, None]:
    """An appliance that nobody else uses, not started."""
    appliance = Appliance()
    yield appliance
    appliance.close()


def test_ctrl_c_stops_everything_and_the_next_start_has_all_data(
    own_appliance: Appliance, mailhost02: Dovecot
) -> None:
    own_appliance.start()
    assert own_appliance.log_contains("Postroad is listening")
    password = own_appliance.one_time_password()
    own_appliance.load_example([mailhost02])
    processes = [own_appliance.pid, *descendants_of(own_appliance.pid)]

    assert own_appliance.interrupt(within_s=_STOPPED_WITHIN_S) == 0
    assert [pid for pid in processes if is_alive(pid)] == []

    own_appliance.start()
    eventually(lambda: own_appliance.log().count("Postroad is listening") == 2, "it listens again")
    assert own_appliance.log().count(password) == 1, "the password is shown only once"
    with clients.imap(own_appliance.front.imap, cast.ZOE, cast.PASSWORDS[cast.ZOE]) as client:
        assert clients.imap_host(client) == cast.MAILHOST02


@pytest.mark.parametrize("name", ["HTTP", "IMAP", "POP3", "SMTP"])
def test_a_taken_port_is_named_with_the_variable_that_changes_it(
    own_appliance: Appliance, name: str
) -> None:
    port = int(own_appliance.variables[f"POSTROAD_{name}_PORT"])
    with socket.create_server(("127.0.0.1", port)):
        own_appliance.launch_only()
        assert own_appliance.wait(within_s=30) != 0
    log = own_appliance.log()
    assert str(port) in log
    assert f"POSTROAD_{name}_PORT" in log
    assert "Traceback" not in log


def test_a_key_file_that_is_not_the_database_s_is_named_with_what_to_do(
    own_appliance: Appliance,
) -> None:
    own_appliance.manage("migrate", "--verbosity", "0")
    own_appliance.python("from appliance.servers import services\nservices.create_default_blocks()")
    own_appliance.publish()
    key_file = own_appliance.state / "secret.key"
    key_file.write_bytes(Fernet.generate_key())
    own_appliance.launch_only()
    own_appliance.wait_for_port(own_appliance.http_port, within_s=30)
    assert own_appliance.log_contains(f"other keys than those in {key_file}")
    assert own_appliance.log_contains("Put the lines of the former key file below", within_s=1)
    assert "Traceback" not in own_appliance.log()
