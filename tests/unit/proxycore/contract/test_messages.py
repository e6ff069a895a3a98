"""Control-link frames: each message survives the way through JSON, nothing else gets in."""

import contextlib
import json
from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.codec import Invalid
from proxycore.contract.messages import (
    Ack,
    ApplianceMessage,
    Apply,
    Challenges,
    Check,
    Checked,
    CommandResult,
    Drain,
    Heartbeat,
    Hello,
    HttpAddress,
    Invalidate,
    Kick,
    Message,
    Nack,
    NodeMessage,
    Records,
    RecordsTaken,
    Sessions,
    SettingProblem,
    Stats,
    Survey,
    Tickets,
    Waiting,
    from_frame,
    records_frame,
    to_frame,
)
from proxycore.contract.secret import Secret
from proxycore.contract.session import SessionBytes, SessionRecord, Standing, WaitingSession

_RECORD = SessionRecord(
    session="b.1",
    server="imap",
    protocol="imap",
    user="alice",
    client="192.0.2.1",
    client_port=40_000,
    listen="*:143",
    backend="192.0.2.9:143",
    started_at=1_700_000_000.25,
    bytes_to_front=5,
)

MESSAGES: list[Message] = [
    Hello(version="1", boot_id="b", hostname="h", workers=2, revision=3, digest="d", generation=4),
    Heartbeat(boot_id="b", revision=1, digest="d", generation=2, workers=3, sessions=4),
    Ack(revision=1, digest="d"),
    Nack(revision=1, problems=(SettingProblem(path="servers[0].name", message="is required"),)),
    Sessions(
        boot_id="b",
        full=False,
        opened=(_RECORD,),
        counted=(SessionBytes(session="b.1", bytes_to_front=1, bytes_to_back=2),),
        closed=("b.2",),
    ),
    Stats(boot_id="b", seq=7, values={"sessions_open": 1}),
    CommandResult(command="c", affected=2, message="m"),
    Apply(revision=1, digest="d", snapshot={"servers": [], "process": {"user": ""}}),
    Check(candidate=3, digest="d", snapshot={"servers": []}),
    Checked(
        candidate=3,
        digest="d",
        problems=(SettingProblem(path="servers[0].listens[0]", message="is taken"),),
        warnings=(SettingProblem(path="servers[0].auth_http", message="cannot be reached"),),
    ),
    Invalidate(generation=5),
    Tickets(number=3, keys=(Secret("a2V5"), Secret("bmV4dA=="))),
    Challenges(
        digest="d", listen=(HttpAddress(address="*", port=80),), answers={"token": "token.thumb"}
    ),
    Drain(is_wanted=True),
    Kick(command="c", sessions=("b.1", "b.2")),
    Kick(command="c", sessions=(), waiting_from="192.0.2.7"),
    Survey(number=1, most=100),
    Waiting(
        number=1,
        total=3,
        by_standing={"connecting": 3},
        by_address={"192.0.2.1": 3},
        sessions=(
            WaitingSession(
                session="b.3",
                server="imap",
                protocol="imap",
                client="192.0.2.1",
                client_port=40_000,
                listen="*:143",
                standing=Standing.CONNECTING,
                age_s=0.25,
            ),
        ),
        mute=1,
    ),
    Records(boot_id="b", number=3, sessions=({"a": 1},), logins=({}, {"b": None}), dropped=4),
    RecordsTaken(boot_id="b", number=3),
]


def test_there_is_an_example_of_every_message() -> None:
    known = {*get_args(NodeMessage), *get_args(ApplianceMessage)}
    assert {type(message) for message in MESSAGES} == known


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_the_way_through_json(message: Message) -> None:
    assert from_frame(json.loads(json.dumps(to_frame(message)))) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_has_no_field_called_type(message: Message) -> None:
    assert "type" not in {field.name for field in fields(message)}


@pytest.mark.parametrize(
    "plain",
    [None, 1, "ack", [], {}, {"type": "wat"}, {"type": None}, {"type": []}, {"type": {}}],
)
def test_what_is_no_message_is_refused(plain: Any) -> None:
    with pytest.raises(Invalid, match="type: is not a known message"):
        from_frame(plain)


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(Invalid) as refused:
        from_frame({"type": "ack", "revision": "1", "extra": 1})
    assert [problem.path for problem in refused.value.problems] == ["revision", "digest", "extra"]


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(
    st.sampled_from([to_frame(message)["type"] for message in MESSAGES]),
    st.dictionaries(
        st.sampled_from(sorted({key for message in MESSAGES for key in to_frame(message)})),
        _LEAVES | st.lists(_LEAVES, max_size=3) | st.dictionaries(st.text(), _LEAVES, max_size=3),
    ),
)
def test_any_frame_is_a_message_or_invalid(name: str, plain: dict[str, Any]) -> None:
    with contextlib.suppress(Invalid):
        assert to_frame(from_frame({**plain, "type": name}))["type"] == name


def test_records_that_are_json_already_make_the_same_frame() -> None:
    message = Records(
        boot_id="b", number=3, sessions=({"a": 1}, {"c": "d"}), logins=({"b": None},), dropped=4
    )
    frame = records_frame("b", 3, 4, ['{"a":1}', '{"c":"d"}'], ['{"b":null}'])
    assert from_frame(json.loads(frame)) == message
    assert json.loads(records_frame("b", 3, 4, [], []))["logins"] == []
