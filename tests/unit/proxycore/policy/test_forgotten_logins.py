"""A change of one account forgets that account's verdicts, all of them, and nobody else's."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from proxycore.contract.authhttp import AuthOk, AuthRequest
from proxycore.contract.messages import UNTOLD
from proxycore.contract.protocol import Protocol
from proxycore.policy.auth_cache import AuthCache, Freshness
from proxycore.policy.login_index import LoginIndex

KEY = b"k" * 32
BASE = AuthRequest(
    protocol=Protocol.IMAP,
    method="plain",
    login=b"joe",
    password=b"secret",
    attempt=1,
    client_ip="192.0.2.7",
)
VERDICT = AuthOk(server="192.0.2.10", port=143)


def keep(
    cache: AuthCache, login: bytes, password: bytes = b"p", verdict: AuthOk = VERDICT
) -> bytes:
    request = replace(BASE, login=login, password=password)
    key = cache.key_of("main", request)
    cache.store(key, login, verdict, 0.0, ttl_s=10.0, stale_s=100.0)
    return key


def test_only_the_changed_login_is_forgotten_in_every_spelling_and_for_every_password() -> None:
    cache = AuthCache(KEY, generation=4)
    changed = [keep(cache, b"joe"), keep(cache, b"JOE"), keep(cache, b"Joe", b"app-password")]
    other = keep(cache, b"jim")
    assert cache.invalidate(5, since=4, logins=[b"joe"])
    assert [cache.find(key, 1.0) for key in changed] == [None, None, None]
    assert cache.find(other, 1.0) == (VERDICT, Freshness.FRESH)
    assert cache.generation == 5


def test_letters_beyond_ascii_are_not_folded() -> None:
    cache = AuthCache(KEY, generation=4)
    other = keep(cache, "JÖRG".encode())
    cache.invalidate(5, since=4, logins=["jörg".encode()])
    assert cache.find(other, 1.0) is not None


def test_a_cache_of_another_generation_forgets_everything() -> None:
    for since in (3, 5, UNTOLD):
        cache = AuthCache(KEY, generation=4)
        keep(cache, b"jim")
        cache.invalidate(6, since=since, logins=[b"joe"])
        assert len(cache) == 0


def test_a_repeated_message_forgets_nothing_more() -> None:
    cache = AuthCache(KEY, generation=4)
    cache.invalidate(5, since=4, logins=[b"joe"])
    key = keep(cache, b"joe")
    assert cache.invalidate(5, since=4, logins=[b"joe"]) is False
    assert cache.find(key, 1.0) is not None


def test_nothing_is_kept_while_nobody_tells_of_changes() -> None:
    cache = AuthCache(KEY, generation=4)
    keep(cache, b"joe")
    cache.invalidate(UNTOLD)
    assert len(cache) == 0
    keep(cache, b"joe")
    assert len(cache) == 0
    cache.invalidate(4)
    keep(cache, b"joe")
    assert len(cache) == 1


def test_the_index_holds_no_more_than_the_cache() -> None:
    cache = AuthCache(KEY, capacity_bytes=6_000)
    for i in range(200):
        keep(cache, b"user%d" % (i % 50), b"%d" % i)
    assert len(cache) == 10
    assert len(cache._of_login) <= 10
    keep(cache, b"user1", b"x")
    cache.drop(cache.key_of("main", replace(BASE, login=b"user1", password=b"x")))
    for key in list(cache._entries):
        cache.drop(key)
    assert len(cache._of_login) == 0
    assert cache.size_bytes == 0


def test_no_name_is_in_the_index() -> None:
    cache = AuthCache(KEY)
    keep(cache, b"joe.in.the.index")
    assert b"joe" not in repr(cache._of_login._keys).encode()


TAGS = st.sampled_from([b"t1", b"t2"])
KEYS = st.sampled_from([b"k1", b"k2", b"k3"])


@given(st.lists(st.tuples(st.booleans(), TAGS, KEYS), max_size=30))
def test_the_index_is_a_table_of_sets(steps: list[tuple[bool, bytes, bytes]]) -> None:
    index, model = LoginIndex(), dict[bytes, set[bytes]]()
    for adds, tag, key in steps:
        if adds:
            index.add(tag, key)
            model.setdefault(tag, set()).add(key)
        else:
            index.remove(tag, key)
            model.get(tag, set()).discard(key)
    assert {tag: set(index.of(tag)) for tag in (b"t1", b"t2")} == {
        tag: model.get(tag, set()) for tag in (b"t1", b"t2")
    }
    assert len(index) == sum(bool(keys) for keys in model.values())


@dataclass
class World:
    """The truth: a version of each account, and the history that a change leaves."""

    generation: int = 1
    versions: dict[bytes, int] = field(default_factory=dict)
    history: dict[int, list[bytes] | None] = field(default_factory=dict)

    def change(self, logins: list[bytes] | None) -> None:
        self.generation += 1
        for login in ALL if logins is None else logins:
            self.versions[login] = self.versions.get(login, 0) + 1
        self.history[self.generation] = logins

    def tell(self, cache: AuthCache, *, remembers: int) -> None:
        """Say what a node of the cache's generation lacks, as far as the history goes."""
        since = cache.generation
        missed = range(since + 1, self.generation + 1)
        known = [self.history.get(number) for number in missed]
        if since == UNTOLD or since > self.generation or None in known or len(known) > remembers:
            cache.invalidate(self.generation)
        else:
            logins = [login for some in known for login in some or ()]
            cache.invalidate(self.generation, since=since, logins=logins)


ALL = [b"ann", b"bob", b"cyd"]
SPELLINGS = [b"ann", b"ANN", b"Ann", b"bob", b"BOB", b"cyd"]
STEPS = st.one_of(
    st.tuples(st.just("log in"), st.sampled_from(SPELLINGS), st.sampled_from([b"p", b"q"])),
    st.tuples(st.just("change"), st.lists(st.sampled_from(ALL), max_size=2)),
    st.tuples(st.just("change"), st.none()),
    st.tuples(st.just("tell")),
    st.tuples(st.just("lose everything")),
)


@given(st.lists(STEPS, max_size=40), st.integers(0, 5))
def test_no_verdict_from_before_a_change_survives_that_it_is_told(
    steps: list[tuple[object, ...]], remembers: int
) -> None:
    """Whatever changes while doorbells are lost: once told, what is found is as it is now."""
    world, cache = World(), AuthCache(KEY, generation=1)
    for kind, *what in steps:
        match kind:
            case "log in":
                login, password = what
                assert isinstance(login, bytes)
                assert isinstance(password, bytes)
                version = world.versions.get(login.lower(), 0)
                keep(cache, login, password, replace(VERDICT, port=version + 1))
            case "change":
                (logins,) = what
                assert logins is None or isinstance(logins, list)
                world.change(logins)
            case "tell":
                world.tell(cache, remembers=remembers)
            case _:
                cache.invalidate(UNTOLD)
    world.tell(cache, remembers=remembers)
    for login in SPELLINGS:
        for password in (b"p", b"q"):
            request = replace(BASE, login=login, password=password)
            found = cache.find(cache.key_of("main", request), 1.0)
            if found is not None:
                verdict, _ = found
                assert isinstance(verdict, AuthOk)
                assert verdict.port == world.versions.get(login.lower(), 0) + 1
