"""Pure data shared by the daemon and whoever steers it.

This is the door through which the appliance enters proxycore: the configuration
snapshot, the control-link messages, the auth_http request and reply, the stats
catalogue and the close reasons. Nothing here does I/O, reads a clock or logs.
"""
