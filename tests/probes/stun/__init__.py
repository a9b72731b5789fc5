"""STUN and TURN: by the vectors of the RFCs, against coturn, the sandbox, and whoever means harm."""
