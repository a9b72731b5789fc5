# Two commands on a fresh machine with Python 3.11 and make: `make run` and `make test`. They do all the set-up.
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check bench soak clean

run: $(VENV)/.run
	@$(BIN)/python -m monitor demo

test: $(VENV)/.dev
	@tests/check

check: test

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench

soak: $(VENV)/.dev
	@SOAK=1 $(BIN)/python -m pytest -m soak tests

$(VENV)/bin/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (cần Python 3.11 trở lên)" >&2; exit 1; }
	@$(PY) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Setting up (chuẩn bị lần đầu) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Setting up for development …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache
