"""Builds everything, supervises it, reloads, stops: `monitor.app.application`. What only reads the configuration does not import that."""

from monitor.app.configuration import load_configuration, receiver_kinds

__all__ = ["load_configuration", "receiver_kinds"]
