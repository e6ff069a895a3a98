"""What nginx knows beyond the table: every directive of its other modules, from crossplane."""

from typing import Final

from crossplane.analyzer import CONTEXTS, DIRECTIVES

from proxycore.nginxconf.rows import Context

_MASKS: Final = {
    Context.MAIN: CONTEXTS[()],
    Context.EVENTS: CONTEXTS[("events",)],
    Context.MAIL: CONTEXTS[("mail",)],
    Context.SERVER: CONTEXTS[("mail", "server")],
}


def judge(name: str, context: Context) -> str:
    """Say what is wrong with a directive that the table has no row for."""
    masks = DIRECTIVES.get(name)
    if masks is None:
        return f'unknown directive "{name}"'
    if any(mask & _MASKS[context] for mask in masks):
        return f'"{name}" directive is not supported yet'
    return f'"{name}" directive is not allowed here'
