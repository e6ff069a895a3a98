"""Octets to tokens and back: lines, IMAP commands, POP3 and SMTP commands, SASL, xtext.

Pure functions and one buffer. Nothing here knows a session, a setting or a reply text; who may
say what, and when, is ``proxycore.dialogue``'s business. Values stay ``bytes`` throughout.
"""
