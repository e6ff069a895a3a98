"""Host names that sockets are to listen on: looked up when a configuration is applied (nginx)."""

import ipaddress
import socket
from dataclasses import dataclass, replace

from proxycore.contract.messages import SettingProblem
from proxycore.contract.snapshot import Listen, Server, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A snapshot whose sockets all have addresses."""

    snapshot: Snapshot
    paths: dict[str, str]
    """Setting of the given snapshot by setting of this one, where they differ."""
    problems: tuple[SettingProblem, ...] = ()


def is_name(listen: Listen) -> bool:
    """Tell whether the address has to be looked up."""
    if listen.address == "*" or listen.address.startswith("unix:"):
        return False
    try:
        ipaddress.ip_address(listen.address)
    except ValueError:
        return True
    return False


def locate(snapshot: Snapshot) -> Located:
    """Put every address of a host name in the place of the name; may wait for name servers."""
    if not any(is_name(listen) for server in snapshot.servers for listen in server.listens):
        return Located(snapshot=snapshot, paths={})
    paths: dict[str, str] = {}
    problems: list[SettingProblem] = []
    taken = {
        listen.key
        for server in snapshot.servers
        for listen in server.listens
        if not is_name(listen)
    }
    servers: list[Server] = []
    for i, server in enumerate(snapshot.servers):
        listens: list[Listen] = []
        for j, listen in enumerate(server.listens):
            path = f"servers[{i}].listens[{j}]"
            found = _addresses(listen) if is_name(listen) else [listen]
            if not found:
                message = f'host not found in "{listen.key}" of the "listen" directive'
                problems.append(SettingProblem(path=path, message=message))
            for one in found:
                if one is not listen and one.key in taken:
                    message = f'duplicate "{one.key}" address and port pair'
                    problems.append(SettingProblem(path=path, message=message))
                taken.add(one.key)
                paths[f"servers[{i}].listens[{len(listens)}]"] = path
                listens.append(one)
        servers.append(replace(server, listens=tuple(listens)))
    return Located(
        snapshot=replace(snapshot, servers=tuple(servers)), paths=paths, problems=tuple(problems)
    )


def _addresses(listen: Listen) -> list[Listen]:
    try:
        found = socket.getaddrinfo(listen.address, listen.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = dict.fromkeys(str(address[0]) for _, _, _, _, address in found)
    return [replace(listen, address=address) for address in addresses]
