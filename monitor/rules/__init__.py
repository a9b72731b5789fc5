"""Pure decisions: no loop, no I/O, no clock of their own, no chance; `now` is always an argument."""
