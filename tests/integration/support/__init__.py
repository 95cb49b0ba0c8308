"""Servers and clients that only the tests need (what ./run needs too is in tools/rig)."""
