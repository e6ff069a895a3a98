"""Probe mail hosts and write down what was found. Any number of workers may do so at once."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from appliance.routing import services as routing
from appliance.routing.choices import HealthState, HealthUse
from appliance.routing.health import alarms, policy, probe, queries
from appliance.routing.health.models import HostHealth
from appliance.routing.models import MailHost
from proxycore.contract.protocol import Protocol

EVERY: Final = timedelta(seconds=15)
MOST_AT_ONCE: Final = 40
"""Mail hosts in one round, which with three protocols and none that answers takes 20 s."""

_LATE: Final = timedelta(seconds=1)
"""The clock that calls is not exact."""


def probe_due(now: datetime) -> bool:
    """Probe mail hosts whose time has come; tell whether there may be more of them."""
    hosts = _claim(now)
    if hosts:
        found = probe.probe_all(queries.targets(hosts, queries.served()))
        by_host: dict[int, list[probe.Found]] = defaultdict(list)
        for one in found:
            by_host[one.target.host].append(one)
        for host in hosts:
            store(host, by_host[host.pk], now)
    return len(hosts) == MOST_AT_ONCE


def _claim(now: datetime) -> list[MailHost]:
    """Take mail hosts that nobody else is probing, and set when it is their turn again."""
    due = Q(probe_due_at=None) | Q(probe_due_at__lte=now + _LATE)
    rows = MailHost.objects.filter(due, is_probed=True).order_by("probe_due_at", "pk")
    return [
        host
        for host in rows[:MOST_AT_ONCE]
        if MailHost.objects.filter(due, pk=host.pk).update(probe_due_at=now + EVERY)
    ]


@transaction.atomic
def store(probed: MailHost, found: Iterable[probe.Found], now: datetime) -> None:
    """Write down what one round found of a mail host, and have done what follows from it."""
    host = MailHost.objects.select_for_update().filter(pk=probed.pk).first()
    if host is None or routing.place_of(host) != routing.place_of(probed):
        return  # changed meanwhile: this is of what it was
    known = {(row.protocol, row.address): row for row in HostHealth.objects.filter(mail_host=host)}
    seen = set()
    for one in _of_all_ways(found):
        protocol = one.target.protocol.value
        rows = [key for key in known if key[0] == protocol] if one.is_nameless else []
        for key in rows or [(protocol, one.target.address)]:
            seen.add(key)
            row = known.get(key) or HostHealth(
                mail_host=host, protocol=key[0], address=key[1], since=now
            )
            known[key] = row
            _advance(row, one, now)
    gone = [row.pk for key, row in known.items() if key not in seen]
    HostHealth.objects.filter(pk__in=gone).delete()
    rows_now = [row for key, row in known.items() if key in seen]
    _follow(host, rows_now, now)


def _of_all_ways(found: Iterable[probe.Found]) -> list[probe.Found]:
    """Give one finding for each door: good where the logins of every server block get through."""
    doors: dict[tuple[Protocol, str], list[probe.Found]] = defaultdict(list)
    nameless: dict[Protocol, list[probe.Found]] = defaultdict(list)
    for one in found:
        where = f"at server block {one.target.blocks}: " if one.target.blocks and one.reason else ""
        told = dataclasses.replace(one, reason=f"{where}{one.reason}")
        if one.is_nameless:
            nameless[one.target.protocol].append(told)
        else:
            doors[one.target.protocol, one.target.address].append(told)
    for (protocol, _), ways in doors.items():
        # the name is known to some name servers, and to others not
        ways += nameless.pop(protocol, ())
    return [_worst(ways) for ways in (*doors.values(), *nameless.values())]


def _worst(ways: list[probe.Found]) -> probe.Found:
    reasons = dict.fromkeys(one.reason for one in ways if one.reason)
    latencies = [one.latency_ms for one in ways if one.latency_ms is not None]
    is_good = len(latencies) == len(ways)
    latency_ms = max(latencies) if is_good else None
    return dataclasses.replace(ways[0], latency_ms=latency_ms, reason="; ".join(reasons))


def _advance(row: HostHealth, found: probe.Found, now: datetime) -> None:
    before = policy.Reading(HealthState(row.state), row.is_good, row.in_a_row) if row.pk else None
    after = policy.after(before, found.latency_ms is not None)
    if after.state != row.state:
        row.since = now
    row.state, row.is_good, row.in_a_row = after.state, after.is_good, after.in_a_row
    row.checked_at, row.reason = now, found.reason[:300]
    if found.latency_ms is not None:
        row.latency_ms = found.latency_ms
    row.save()


def _follow(host: MailHost, rows: list[HostHealth], now: datetime) -> None:
    """Have routes avoid what is down, if they shall, and people told."""
    by_protocol: dict[str, list[HostHealth]] = defaultdict(list)
    for row in rows:
        by_protocol[row.protocol].append(row)
    down = " ".join(
        protocol
        for protocol, each in sorted(by_protocol.items())
        if policy.together(row.state for row in each) is HealthState.DOWN
    )
    if down != host.found_down:
        MailHost.objects.filter(pk=host.pk).update(found_down=down)
        if host.use_health == HealthUse.AVOID:
            routing.bump_generation()
    alarms.tell(host, by_protocol, now)


@transaction.atomic
def forget_unprobed(now: datetime) -> None:
    """Drop what is known of mail hosts that nobody probes any more."""
    for host in MailHost.objects.filter(is_probed=False, health__isnull=False).distinct():
        HostHealth.objects.filter(mail_host=host).delete()
        _follow(host, [], now)
