"""What /metrics says, read back by Prometheus' own client library."""

from prometheus_client.parser import text_string_to_metric_families

from proxycore.contract import stats
from proxycore.contract.exposition import exposition
from proxycore.contract.stats import BOUNDS_S, CATALOGUE, HISTOGRAM_SIZE, series

ODD = 'a "b" \\ c'


def test_every_stat_is_read_back_with_kind_labels_and_value() -> None:
    texts = {"server": ODD, "backend": "[::1]:143", "reason": "done", "protocol": "imap"}
    names = {
        stat.name: series(stat, *(texts[label] for label in stat.labels))
        for stat in CATALOGUE.values()
    }
    text = exposition(
        [(names[s.name], 7, {"node": "n"}) for s in CATALOGUE.values() if not s.histogram],
        [
            (names[s.name], [2] * HISTOGRAM_SIZE, {"node": "n"})
            for s in CATALOGUE.values()
            if s.histogram
        ],
    )
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert len(families) == len(CATALOGUE)
    for stat in CATALOGUE.values():
        found = families[stat.metric.removesuffix("_total")]
        kind = "gauge" if stat.gauge else "histogram" if stat.histogram else "counter"
        assert (found.type, found.documentation) == (kind, stat.help)
        for one in found.samples:
            wanted = {"node": "n"} | {label: texts[label] for label in stat.labels}
            assert {key: one.labels[key] for key in wanted} == wanted
        if not stat.histogram:
            assert [one.value for one in found.samples] == [7]


def test_a_histogram_has_cumulative_buckets_a_sum_in_seconds_and_a_count() -> None:
    row = [0] * HISTOGRAM_SIZE
    row[0], row[3], row[-2], row[-1] = 4, 2, 1, 2_500_000
    text = exposition([], [(series(stats.AUTH_TIME, "imap"), row, {})])
    (family,) = text_string_to_metric_families(text)
    values = {(one.name, one.labels.get("le")): one.value for one in family.samples}
    assert values["postroad_auth_time_seconds_bucket", str(BOUNDS_S[0])] == 4
    assert values["postroad_auth_time_seconds_bucket", str(BOUNDS_S[-1])] == 6
    assert values["postroad_auth_time_seconds_bucket", "+Inf"] == 7
    assert values["postroad_auth_time_seconds_sum", None] == 2.5
    assert values["postroad_auth_time_seconds_count", None] == 7


def test_metrics_are_named_as_prometheus_wants_them() -> None:
    metrics = {stat.name: stat.metric for stat in CATALOGUE.values()}
    assert metrics["logins"] == "postroad_logins_total"
    assert metrics["bytes_to_front"] == "postroad_to_front_bytes_total"
    assert metrics["backend_bytes_to_back"] == "postroad_backend_to_back_bytes_total"
    assert metrics["auth_time"] == "postroad_auth_time_seconds"
    assert metrics["sessions_open"] == "postroad_sessions_open"
    assert len(set(metrics.values())) == len(metrics)
