"""The rig: what ./run and the integration tests need around the gateway.

Starts real servers (Dovecot here; the tests add Cyrus and slapd) on loopback with their own
configuration, users and folders, makes certificates and mail, and drives the gateway's commands.
Nothing outside the folder that the caller names is written.
"""
