"""/metrics of a node: a running daemon is asked as a collector asks."""

import http.client

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxycore.__main__ import main
from proxycore.contract.messages import HttpAddress
from proxycore.daemon.metrics import parse_place
from tests.support.ports import free_port
from tests.support.wait import eventually
from tests.unit.proxycore.daemon.serve import Serve
from tests.unit.proxycore.daemon.test_serve import config


def ask(port: int, method: str, target: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_a_node_tells_what_it_counts_where_it_is_told_to() -> None:
    mail_port, port = free_port(), free_port()
    daemon = Serve()
    daemon.configure(config(mail_port))
    place = ["--metrics", f"127.0.0.1:{port}"]
    daemon._arguments = ["--config", str(daemon.config_file), *place]
    with daemon:
        workers = "postroad_server_workers"

        def told() -> str:
            text = ask(port, "GET", "/metrics")[2]
            return text if workers in text else ""

        text = eventually(told, "the worker has reported")
        families = {one.name: one for one in text_string_to_metric_families(text)}
        assert [one.value for one in families[workers].samples] == [1]
        assert families["postroad_auth_time_seconds"].type == "histogram"
        assert families["postroad_sessions_accepted"].samples[0].value == 0
        status, kind, body = ask(port, "HEAD", "/metrics")
        assert (status, kind[:25], body) == (200, "text/plain; version=0.0.4", "")
        assert ask(port, "GET", "/")[0] == 404
        assert ask(port, "POST", "/metrics")[0] == 404
        assert daemon.stop() == 0


def test_a_taken_port_keeps_no_mail_from_being_served() -> None:
    mail_port = free_port()
    daemon = Serve()
    daemon.configure(config(mail_port))
    place = ["--metrics", f"127.0.0.1:{mail_port}"]
    daemon._arguments = ["--config", str(daemon.config_file), *place]
    with daemon:
        eventually(lambda: "metrics cannot be served" in daemon.log(), "it says so")
        assert daemon.workers()
        assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [("192.0.2.1:9145", "192.0.2.1", 9145), ("[::1]:1", "::1", 1), (":80", "127.0.0.1", 80)],
)
def test_an_address_is_read(text: str, address: str, port: int) -> None:
    assert parse_place(text) == HttpAddress(address=address, port=port)


@pytest.mark.parametrize("text", ["", "9145", "host:", "host:0", "host:65536", "host:x"])
def test_what_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--config", "x", "--metrics", text])
    assert "is not address:port" in capsys.readouterr().err
