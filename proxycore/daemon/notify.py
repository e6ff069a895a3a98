"""Words to an init system that listens (sd_notify(3), systemd's ``Type=notify``)."""

import os
import socket


def notify(state: str) -> None:
    """Send one state, such as ``READY=1``; nothing happens where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.sendto(state.encode(), address)
        except OSError:
            return  # as sd_notify(3) advises: who does not listen is not our concern
