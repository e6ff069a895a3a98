"""What web processes share in Redis is JSON, so reading it runs nothing."""

import pickle

import pytest

from appliance.lib.cache import JsonSerializer


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, "ü\x00"]}, "text", [], True])
def test_values_survive(value: object) -> None:
    serializer = JsonSerializer()
    data = serializer.dumps(value)
    assert isinstance(data, bytes)
    assert serializer.loads(data) == value


def test_numbers_stay_numbers_for_redis() -> None:
    assert JsonSerializer().dumps(7) == 7
    assert JsonSerializer().loads(b"7") == 7


def test_a_pickle_is_not_opened() -> None:
    with pytest.raises(UnicodeDecodeError):
        JsonSerializer().loads(pickle.dumps({"a": 1}))
