"""Datagrams to one target, on real sockets."""
