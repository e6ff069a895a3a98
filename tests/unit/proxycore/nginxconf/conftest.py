"""A configuration file from a string."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proxycore.nginxconf import Loaded, load

LoadText = Callable[[str], Loaded]


@pytest.fixture
def load_text(tmp_path: Path) -> LoadText:
    def load_it(text: str) -> Loaded:
        path = tmp_path / "nginx.conf"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return load(str(path))

    return load_it
