"""SIP OPTIONS: against kamailio and sipp, against the sandbox, and against whoever means harm."""
