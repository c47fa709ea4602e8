# Needs python3 (3.11 or later, with venv), pip and make. Everything else goes into .venv.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP_INSTALL = $(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes
BIND ?= 127.0.0.1:8000
ARGS ?=

.PHONY: help setup run demo test lint torture bench

help: ## say what can be made
	@echo "make run    start AgentLedger on $(BIND) (other address: make run BIND=127.0.0.1:9000)"
	@echo "make demo   bring in a small sample store, so that the pages are filled"
	@echo "make test   run the tests (part of them: make test ARGS=tests/config)"
	@echo "make lint   check style, types, the architecture and the migrations"
	@echo "make torture  run the long forms of tests (on a server: DATABASE_URL=... make torture)"
	@echo "make bench  measure speed and memory (short: make bench ARGS=--quick)"
	@echo "make setup  make .venv with everything for development"

setup: $(VENV)/.development

run: $(VENV)/.runtime
	@$(PYTHON) manage.py serve --bind $(BIND) $(ARGS)

demo: $(VENV)/.runtime
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py import_legacy backups_app/sample --project default $(ARGS)
	@echo "The sample is in. Look at it: make run, then http://$(BIND)/admin/"

test: $(VENV)/.development
	$(PYTHON) -m pytest -n auto --dist worksteal -m "not browser" --cov --cov-report=term:skip-covered --cov-fail-under=90 $(ARGS)

lint: $(VENV)/.development
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	DATA_DIR=$(VENV)/.lint ENV_FILE= $(PYTHON) manage.py makemigrations --check --dry-run
	@! grep -nE 'https?://|--(extra-)?index-url|--find-links' requirements/*.txt pyproject.toml \
		|| { echo "An address of a package index has no place in these files."; exit 1; }

torture: $(VENV)/.development
	$(PYTHON) -m pytest -n auto -m torture $(ARGS)

bench: $(VENV)/.development
	$(PYTHON) -m tests.bench $(ARGS)

# Stamps say what is installed, so that a second call does nothing.
$(VENV)/.runtime: requirements/runtime.txt $(VENV)/.made
	@echo "Installing AgentLedger's packages into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements/runtime.txt
	@touch $@

# The development lock holds the runtime's packages in the same versions.
$(VENV)/.development: requirements/development.txt $(VENV)/.made
	@echo "Installing the development packages into $(VENV) ..."
	@$(PIP_INSTALL) -r requirements/development.txt
	@touch $@ $(VENV)/.runtime

$(VENV)/.made:
	@for candidate in python3 python3.13 python3.12 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "AgentLedger needs Python 3.11 or later; here is $$(python3 --version 2>&1)." >&2; exit 1; \
	fi; \
	$$found -m venv $(VENV) || { \
		echo "$$found can't make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	}
	@touch $@
