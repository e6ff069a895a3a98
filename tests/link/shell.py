"""One Django process that is asked many things: starting one for each costs a second."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SERVE: Final = """
import contextlib, io, json, os, sys, traceback
os.environ["DJANGO_SETTINGS_MODULE"] = "appliance.settings"
import django
django.setup()
answers = sys.stdout
for line in sys.stdin:
    asked, said, error = json.loads(line), io.StringIO(), ""
    os.environ.update(asked["variables"])
    try:
        with contextlib.redirect_stdout(said):
            exec(asked["code"], {"__name__": "asked"})
    except BaseException:
        error = traceback.format_exc()
    answers.write(json.dumps({"said": said.getvalue(), "error": error}) + "\\n")
    answers.flush()
"""


class Shell:
    """Runs code in a Django process beside the appliance's own."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, code: str, variables: Mapping[str, str]) -> str:
        """Run code; gives what it printed."""
        asking, answers = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answers is not None
        asking.write(json.dumps({"code": code, "variables": dict(variables)}) + "\n")
        asking.flush()
        line = answers.readline()
        assert line, "the Django process has ended"
        answer = json.loads(line)
        assert not answer["error"], answer["error"]
        return str(answer["said"])

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(10)
