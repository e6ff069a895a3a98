"""nginx.conf ⇄ snapshot, with every problem reported as nginx words it.

This is the appliance's second door into proxycore: an import reads a file with ``load``, an
export writes one with ``dump``. Pure but for reading the files that are named.

    source     text → statements, by nginx's own rules of tokens and lines
    values     the kinds of value a directive takes, parsed and written
    addresses  the forms of ``listen`` and ``auth_http``
    rows       what a row of the table says
    table      one row per directive: where it may stand, what it takes, which setting it is
    loader     statements + table → scopes, problems in file order
    builder    scopes → snapshot: inheritance, protocol, names
    dumper     snapshot → text, by the same table
    tls_*      the values of TLS directives, and what those of a block come to
"""

from proxycore.nginxconf.dumper import dump
from proxycore.nginxconf.dumper_tls import files_of
from proxycore.nginxconf.loader import Loaded, format_report, load, load_text
from proxycore.nginxconf.problems import ConfProblem

__all__ = ["ConfProblem", "Loaded", "dump", "files_of", "format_report", "load", "load_text"]
