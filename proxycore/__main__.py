"""The command line: ``python -m proxycore serve …``, ``check FILE`` and ``enrol …``."""

import argparse
import sys
from collections.abc import Sequence

from proxycore.contract.messages import HttpAddress
from proxycore.contract.secret import Secret
from proxycore.daemon import life, standalone
from proxycore.daemon.enrol import NotEnrolled, fetch_token
from proxycore.daemon.link import link_url
from proxycore.daemon.logs import ErrorLogs
from proxycore.daemon.managed import Managed
from proxycore.daemon.metrics import parse_place
from proxycore.daemon.standalone import Standalone
from proxycore.daemon.state import StateDir, TokenFile
from proxycore.nginxconf import format_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code: 0 good, 1 refused, 2 called wrongly."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "check":
        return check(options.file)
    if options.command == "enrol":
        return enrol(options.control, options.code, options.state_dir)
    if options.config:
        if options.state_dir or options.token_file:
            parser.error("--state-dir and --token-file belong to --control")
        return life.run(
            lambda logs: Standalone(options.config, logs, workers=options.workers),
            options.metrics,
        )
    if not options.state_dir:
        parser.error("--control needs --state-dir")
    return serve_managed(options)


def check(path: str) -> int:
    """Say everything that is wrong with a configuration file, in nginx's words."""
    loaded = standalone.check(path)
    for line in format_report(loaded):
        _say(line)
    return life.EXIT_REFUSED if loaded.problems else 0


def enrol(control: str, code: str, state_dir: str) -> int:
    """Fetch this node's token, and keep it where ``serve`` looks for it."""
    given = Secret(sys.stdin.readline().strip() if code == "-" else code)
    state = StateDir(state_dir)
    try:
        # before the code is used up
        state.ensure()
        token, name = fetch_token(control, given)
        state.keep_token(token)
    except OSError as error:
        _say(f'postroad: [emerg] "{error.filename}": {error.strerror}')
        return life.EXIT_REFUSED
    except (ValueError, NotEnrolled) as error:
        _say(f"postroad: [emerg] not enrolled: {error}")
        return life.EXIT_REFUSED
    _say(f"postroad: enrolled as {name}; the token is in {state.token_path}")
    return 0


def serve_managed(options: argparse.Namespace) -> int:
    """Run as a node of an appliance."""
    state = StateDir(options.state_dir)
    try:
        url = link_url(options.control)
        token_file = TokenFile(options.token_file or state.token_path)
        _, warning = token_file.read()
        state.ensure()
        state.ticket_secret()
    except OSError as error:
        _say(f'postroad: [emerg] "{error.filename}": {error.strerror}')
        return life.EXIT_REFUSED
    except ValueError as error:
        _say(f"postroad: [emerg] {error}")
        return life.EXIT_REFUSED

    def make_mode(logs: ErrorLogs) -> Managed:
        if warning:
            logs.write("warn", warning)
        return Managed(url, token_file, state, logs, workers=options.workers)

    return life.run(make_mode, options.metrics)


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  (what the command is for)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="proxycore", description="Mail proxy daemon.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run in the foreground")
    source = serve.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", metavar="FILE", help="nginx.conf, or a snapshot as .json")
    source.add_argument("--control", metavar="URL", help="appliance that steers this node")
    serve.add_argument("--state-dir", metavar="DIR", help="where the last good revision is kept")
    serve.add_argument(
        "--token-file", metavar="FILE", help="file with this node's token, if not of enrol"
    )
    serve.add_argument("--workers", metavar="N", type=_count, help="instead of worker_processes")
    serve.add_argument(
        "--metrics", metavar="ADDRESS:PORT", type=_place, help="serve /metrics there, to everybody"
    )
    enrol_command = commands.add_parser("enrol", help="fetch this node's token with a code")
    enrol_command.add_argument("--control", metavar="URL", required=True, help="the appliance")
    enrol_command.add_argument(
        "--code", metavar="CODE", required=True, help="one-time code, or - to read it from stdin"
    )
    enrol_command.add_argument(
        "--state-dir", metavar="DIR", required=True, help="where the token is kept"
    )
    check_command = commands.add_parser("check", help="test a configuration file")
    check_command.add_argument("file", metavar="FILE")
    return parser


def _place(text: str) -> HttpAddress:
    try:
        return parse_place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 512:
        raise argparse.ArgumentTypeError("must be from 1 to 512")
    return number


if __name__ == "__main__":
    sys.exit(main())
