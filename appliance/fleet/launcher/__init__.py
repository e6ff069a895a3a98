"""Start everything on one machine: ``manage.py run``.

lock       one launcher per state directory
ports      is everything free that will be listened on
bootstrap  administrator, example server blocks, local node: whatever a first start lacks
programs   what is started, and with which arguments
child      the small program that starts each of them, so that none outlives the launcher
care       keep the programs running, show their output, stop them
probes     does it answer
welcome    what the operator is told then
launch     the order of it all
"""
