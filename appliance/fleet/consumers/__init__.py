"""The WebSockets of the appliance: ``node`` for proxy nodes, ``sessions`` for operators."""
