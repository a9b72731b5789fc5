"""The daemon as seen from outside: page, metrics, health, discovery, and the read-only API."""

from monitor.web.application import create_app
from monitor.web.server import WebServer
from monitor.web.view import Delivery, IncidentPage, View, Vital

__all__ = ["Delivery", "IncidentPage", "View", "Vital", "WebServer", "create_app"]
