"""Translate the data plane to C and compile it: ``python -m proxycore.daemon.compiling``.

Needs mypyc (a part of mypy), setuptools, gcc and Python's headers; takes a minute or three. What is
there already and fits is left alone. Nothing is there before all of it is.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from proxycore.daemon.compiled import COMPILED, SOURCES, STAMP, fingerprint

_PACKAGES: Final = ("wire", "dialogue", "policy", "net", "net/tls")

OPTIONS: Final = ("--config-file=", "--ignore-missing-imports", "--follow-imports=silent")
"""For mypyc. Types are the linter's affair, which knows the stubs of everything."""

_LEFT: Final = frozenset(
    {
        # cffi's callbacks and declarations are functions and strings, not types
        "net/tls/callbacks.py",
        "net/tls/check.py",
        "net/tls/declarations.py",
        "net/tls/libssl.py",
        # pycares calls back with other types than it says, and no login waits for its speed
        "net/resolver.py",
        # mypyc makes a member of a C struct of `_unix`, which is a macro there
        "policy/trust.py",
    }
)

OPENSSL: Final = "proxycore.net.tls._openssl"


def modules() -> list[str]:
    """Give what is compiled, relative to the sources: all that a login or a relay passes."""
    root = SOURCES / "proxycore"
    files = [file for package in _PACKAGES for file in (root / package).glob("[!_]*.py")]
    names = {file.relative_to(root).as_posix() for file in files}
    return sorted(f"proxycore/{name}" for name in names - _LEFT)


def build(target: Path) -> None:
    """Compile into ``target``, which has a copy of the sources."""
    build_openssl(target)
    from mypyc.build import mypycify
    from setuptools import setup  # type: ignore[import-untyped]

    before = Path.cwd()
    os.chdir(target)
    try:
        extensions = mypycify([*OPTIONS, *modules()], opt_level="2", debug_level="0")
        setup(
            name="proxycore",
            packages=[],
            ext_modules=extensions,
            script_args=["-q", "build_ext", "--inplace"],
        )
        shutil.rmtree("build")
        shutil.rmtree(".mypy_cache", ignore_errors=True)
    finally:
        os.chdir(before)


def build_openssl(target: Path) -> None:
    """Make ``net/tls/_openssl``: calls of OpenSSL's functions in C instead of by libffi.

    Needs the libraries and none of their headers; without them workers have no TLS anyway.
    """
    from cffi import FFI  # type: ignore[import-untyped]

    from proxycore.net.tls.declarations import ALL

    libraries = ("libssl.so.3", "libcrypto.so.3")
    ffi = FFI()
    try:
        for library in libraries:
            ffi.dlopen(library)
    except OSError:
        return
    ffi.cdef(ALL)
    links = [f"-l:{library}" for library in libraries]
    ffi.set_source(OPENSSL, f"#include <stdint.h>\n{ALL}", extra_link_args=links)
    with tempfile.TemporaryDirectory(dir=target, prefix=".openssl-") as directory:
        made = Path(ffi.compile(tmpdir=directory))
        made.rename(target.joinpath(*OPENSSL.split(".")[:-1]) / made.name)


def main() -> int:
    """Compile, unless that is done."""
    stamp = COMPILED / STAMP
    if stamp.exists() and stamp.read_text(encoding="ascii") == fingerprint(SOURCES):
        return 0
    with tempfile.TemporaryDirectory(dir=SOURCES, prefix=".compiled-") as directory:
        target = Path(directory) / "new"
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SOURCES / "proxycore", target / "proxycore", ignore=leave)
        # of the copy: the sources may change meanwhile
        made_of = fingerprint(target)
        build(target)
        (target / STAMP).write_text(made_of, encoding="ascii")
        if COMPILED.exists():
            COMPILED.rename(Path(directory) / "old")
        target.rename(COMPILED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
