"""Cache and auth service together: who is asked, who is let in while nobody answers."""

from proxycore.contract.stats import (
    AUTH_CACHE_HITS,
    AUTH_CACHE_STALE,
    AUTH_REQUESTS,
    LOGIN_FAILURES,
    series,
)
from proxycore.net.auth_desk import REFUSED_S
from tests.unit.proxycore.net.house import House, Peer

HOUR_MS = 3_600_000


def count(house: House, stat: object, server: str = "main") -> int:
    return house.engine.ledger.counts[series(stat, server)]  # type: ignore[arg-type]


def submit(house: House, password: bytes = b"p", user: bytes = b"u") -> Peer:
    return house.client().send(b"a1 LOGIN %b %b\r\n" % (user, password))


def let_in(house: House, client: Peer) -> None:
    house.mail_login()
    client.expect(b"a1 OK logged in\r\n")


def answer(house: House, reply: bytes) -> None:
    auth, _ = house.asked()
    auth.send(reply)
    auth.close()


def refuse_next(house: House) -> None:
    answer(house, b"Auth-Status: Invalid login\r\n\r\n")


def fail_next(house: House) -> None:
    house.asked()[0].close()


def age(house: House, seconds: float) -> None:
    """Let every cached answer be so much older."""
    entries = house.engine._cache._entries
    for key, (verdict, fresh_until, stale_until, tag) in entries.items():
        entries[key] = (verdict, fresh_until - seconds, stale_until - seconds, tag)


def test_a_good_answer_is_used_again_without_asking(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    house.login(b"u", b"p")
    let_in(house, submit(house))
    assert (count(house, AUTH_REQUESTS), count(house, AUTH_CACHE_HITS)) == (1, 1)


def test_a_wrong_password_after_the_right_one_is_asked_and_refused(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    house.login(b"u", b"p")
    client = submit(house, b"wrong")
    refuse_next(house)
    assert client.expect_end() == b"a1 NO Invalid login\r\n"
    assert count(house, AUTH_CACHE_HITS) == 0


def test_without_a_ttl_every_login_is_asked(house: House) -> None:
    house.serve()
    house.login()
    house.login()
    assert count(house, AUTH_REQUESTS) == 2


def test_a_refusal_is_remembered_for_a_moment_only(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS, "cache_stale_ms": HOUR_MS})
    client = submit(house)
    refuse_next(house)
    client.expect_end()
    assert submit(house).expect_end() == b"a1 NO Invalid login\r\n"
    assert (count(house, AUTH_REQUESTS), count(house, LOGIN_FAILURES)) == (1, 2)
    age(house, REFUSED_S)
    client = submit(house)
    answer(house, house.ok())
    let_in(house, client)


def test_without_a_cache_every_refusal_is_asked_for(house: House) -> None:
    house.serve()
    for _ in range(2):
        client = submit(house)
        refuse_next(house)
        client.expect_end()
    assert count(house, AUTH_REQUESTS) == 2


def test_the_service_may_say_itself_how_long_an_answer_is_good(house: House) -> None:
    house.serve()
    client = submit(house)
    answer(house, house.ok()[:-2] + b"Auth-Cache-TTL: 60\r\n\r\n")
    let_in(house, client)
    let_in(house, submit(house))
    assert (count(house, AUTH_REQUESTS), count(house, AUTH_CACHE_HITS)) == (1, 1)
    age(house, 61)
    client = submit(house)
    answer(house, house.ok())
    let_in(house, client)


def test_the_service_may_forbid_to_use_an_answer_again(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    for _ in range(2):
        client = submit(house)
        answer(house, house.ok()[:-2] + b"Auth-Cache-TTL: 0\r\n\r\n")
        let_in(house, client)


def test_equal_submissions_at_the_same_time_ask_once(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    clients = [submit(house) for _ in range(5)]
    other = submit(house, b"wrong")
    house.pump(lambda: house.engine.open_count == 6, "six sessions")
    house.idle()
    assert count(house, AUTH_REQUESTS) == 2
    clients.pop(0).close()
    house.idle()
    replies = [house.accept(house.auth) for _ in range(2)]
    for auth in replies:
        right = b"Auth-Pass: p\r\n" in auth.expect(b"\r\n\r\n")
        auth.send(house.ok() if right else b"Auth-Status: Invalid login\r\n\r\n")
    assert other.expect_end() == b"a1 NO Invalid login\r\n"
    for _ in clients:
        house.mail_login()
    for client in clients:
        client.expect(b"a1 OK logged in\r\n")
    assert count(house, AUTH_REQUESTS) == 2


def test_when_all_who_wait_have_gone_the_question_is_withdrawn(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    clients = [submit(house) for _ in range(2)]
    auth, _ = house.asked()
    house.idle()
    for client in clients:
        client.close()
    auth.expect_end()
    # and the next one asks anew
    client = submit(house)
    answer(house, house.ok())
    let_in(house, client)


def test_an_invalidation_makes_the_next_login_ask(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS, "cache_stale_ms": HOUR_MS})
    house.login(b"u", b"p")
    house.engine.invalidate(7)
    client = submit(house)
    refuse_next(house)
    client.expect_end()


def test_an_answer_asked_before_an_invalidation_is_not_kept(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    client = submit(house)
    auth, _ = house.asked()
    house.engine.invalidate(7)
    auth.send(house.ok())
    let_in(house, client)
    again = submit(house)
    answer(house, house.ok())
    let_in(house, again)
    assert count(house, AUTH_CACHE_HITS) == 0


def test_the_same_credentials_at_another_block_or_service_are_asked(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    house.login(b"u", b"p")
    house.serve(name="other", auth={"cache_ttl_ms": HOUR_MS})
    house.login(b"u", b"p")
    house.serve(auth={"cache_ttl_ms": HOUR_MS, "uri": "/else"})
    house.login(b"u", b"p")
    assert count(house, AUTH_CACHE_HITS) == 0


def test_while_the_service_is_away_known_users_get_in_and_unknown_do_not(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": 1000, "cache_stale_ms": HOUR_MS})
    house.login(b"u", b"p")
    age(house, 2)
    client = submit(house)
    fail_next(house)
    let_in(house, client)
    assert count(house, AUTH_CACHE_STALE) == 1
    assert "closed the connection without a response, using what it said" in house.log.text()
    # while it is known to be away, it is not asked for those
    let_in(house, submit(house))
    assert (count(house, AUTH_CACHE_STALE), count(house, AUTH_REQUESTS)) == (2, 2)
    stranger = submit(house, b"wrong")
    fail_next(house)
    assert stranger.expect_end() == b"* BAD internal server error\r\n"


def test_a_stale_answer_does_not_outrank_a_refusal(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": 1000, "cache_stale_ms": HOUR_MS})
    house.login(b"u", b"p")
    age(house, 2)
    client = submit(house)
    refuse_next(house)
    client.expect_end()
    # and it is gone for good
    age(house, REFUSED_S)
    again = submit(house)
    fail_next(house)
    assert again.expect_end() == b"* BAD internal server error\r\n"


def test_an_answer_that_says_when_it_ends_is_not_used_beyond(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": 1000, "cache_stale_ms": HOUR_MS})
    first = submit(house)
    answer(house, house.ok()[:-2] + b"Auth-Cache-TTL: 5\r\n\r\n")
    let_in(house, first)
    age(house, 6)
    client = submit(house)
    fail_next(house)
    assert client.expect_end() == b"* BAD internal server error\r\n"


def test_a_stale_answer_is_not_for_ever(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": 1000, "cache_stale_ms": HOUR_MS})
    house.login(b"u", b"p")
    age(house, 3602)
    client = submit(house)
    fail_next(house)
    assert client.expect_end() == b"* BAD internal server error\r\n"


def test_an_invalidation_while_the_service_does_not_answer_takes_the_stale_answer_away(
    house: House,
) -> None:
    house.serve(auth={"cache_ttl_ms": 1000, "cache_stale_ms": HOUR_MS})
    house.login(b"u", b"p")
    age(house, 2)
    client = submit(house)
    auth, _ = house.asked()
    house.engine.invalidate(9)
    auth.close()
    assert client.expect_end() == b"* BAD internal server error\r\n"


def test_a_password_given_by_the_service_is_kept_and_the_clients_never(house: House) -> None:
    house.serve(auth={"cache_ttl_ms": HOUR_MS})
    house.login(b"u", b"client-password")
    client = submit(house, b"other-password", b"v")
    answer(house, house.ok()[:-2] + b"Auth-Pass: given\r\n\r\n")
    let_in(house, client)
    kept = [entry[0].password for entry in house.engine._cache._entries.values()]
    assert kept == [None, b"given"]
    assert b"client-password" not in repr(house.engine._cache._entries).encode()
