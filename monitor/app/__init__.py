"""Builds everything, supervises it, reloads, stops."""

from monitor.app.application import App, own_version, serve
from monitor.app.configuration import load_configuration, receiver_kinds

__all__ = ["App", "load_configuration", "own_version", "receiver_kinds", "serve"]
