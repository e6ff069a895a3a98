"""One Django process that is asked many things: starting one for each costs a second of processor.

Every question is answered by a fork that ends with it, so that none finds what another has left.
"""

import json
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_WITHIN_S: Final = 100.0

_SERVE: Final = """
import contextlib, io, json, os, sys, traceback
os.environ["DJANGO_SETTINGS_MODULE"] = "appliance.settings"
import django
from django.db import connections
django.setup()

def answer(said, error):
    sys.stdout.write(json.dumps({"said": said, "error": error}) + "\\n")
    sys.stdout.flush()

def do(asked):
    os.environ.update(asked["variables"])
    said, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(said):
            exec(asked["code"], {"__name__": "asked"})
        connections.close_all()
    except BaseException:
        error = traceback.format_exc()
    answer(said.getvalue(), error)

for line in sys.stdin:
    child = os.fork()
    if not child:
        do(json.loads(line))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        answer("", f"it ended with status {status}")
"""


class Shell:
    """Runs code in a Django process beside the appliance's own."""

    def __init__(self, interpreter: str, environment: Mapping[str, str], directory: Path) -> None:
        self.environment = dict(environment)
        self._process = subprocess.Popen(
            [interpreter, "-c", _SERVE],
            env=self.environment,
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, code: str, variables: Mapping[str, str] | None = None) -> str:
        """Run code; gives what it printed.

        variables: further environment variables, for this once.
        """
        asking, answers = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answers is not None
        asking.write(json.dumps({"code": code, "variables": dict(variables or {})}) + "\n")
        asking.flush()
        assert select.select([answers], [], [], _WITHIN_S)[0], f"no answer in {_WITHIN_S:g} s"
        line = answers.readline()
        assert line, "the Django process has ended"
        answer = json.loads(line)
        assert not answer["error"], answer["error"]
        return str(answer["said"])

    def manage(self, *arguments: str) -> str:
        """Run a management command; gives what it printed."""
        return self.ask(
            "from django.core.management import execute_from_command_line\n"
            f"execute_from_command_line({['manage.py', *arguments]!r})"
        )

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
