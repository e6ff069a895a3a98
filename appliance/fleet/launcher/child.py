"""Become another program that ends when its parent does: ``python child.py PARENT PROGRAM …``.

A launcher that is killed cannot stop what it has started; the kernel can (prctl(2),
PR_SET_PDEATHSIG). The signal stays set across exec, so this program has only to set it and leave.
It imports nothing of ours: it is started for every program, and again for every restart.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Tie this process to its parent and become ``argv``."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # it ended before the line above took effect
        sys.exit(1)
    os.execv(argv[0], argv)  # noqa: S606  (the launcher's own command line)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
