# One command each; every target makes the environment that it needs.
# PYTHON chooses the interpreter: make test PYTHON=python3.13
# WORKERS says how many processes run the tests: make test WORKERS=4

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo check test lint format chaos bench peers migrations migration release-migrations release-record clean

# Where Python may not keep what it compiled, each of the many processes compiles all of it anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The path is part of the stamp, because an environment does not survive being moved.
HERE := $(shell pwd | cksum | cut -d ' ' -f 1)
STAMP := $(VENV)/installed-$(HERE)
# The demo needs no tools; but where they are installed, what it needs is there, too.
DEMO_STAMP := $(VENV)/demo-$(HERE)
WORKERS ?= 3
SEED ?= 1
DURATION ?= 120
WAITS ?= 0
LIVE ?= 0
SOURCES := dagster_pgflow tests $(wildcard definitions.py)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(or $(wildcard $(STAMP)),$(DEMO_STAMP))  ## embedded Postgres, example flows, Dagster with its web UI; Ctrl-C ends it all
	@exec $(BIN)/dagster-pgflow demo

check: lint  ## for every change: the checks, and the unit tests that need no database
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal --quiet -m 'not database' tests/unit

test: lint  ## every check, then every test
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder

lint: $(STAMP)  ## ruff, formatting, types, import contracts
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP)  ## let ruff format and repair what it can
	@$(BIN)/ruff check --fix-only $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

chaos: $(STAMP)  ## kill a deployment's processes at random: make chaos SEED=1 DURATION=120
	@$(BIN)/python -m tests.chaos --seed $(SEED) --duration $(DURATION) --waits $(WAITS) --live $(LIVE)

bench: $(STAMP)  ## load times and the overhead per step
	@$(BIN)/python -m tests.benchmarks

peers: $(STAMP)  ## starts, chains and bursts side by side with DBOS, which this installs; ten minutes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,peers]'
	@$(BIN)/python -m tests.benchmarks peers

migrations: $(STAMP)  ## before the first release: write the migration from the schema files
	@$(BIN)/python -m dagster_pgflow.store.assemble

migration: $(STAMP)  ## write the next migration from what has changed: make migration NAME=add_x
	@$(BIN)/python -m dagster_pgflow.store.schema_changes '$(NAME)'

release-migrations: $(STAMP)  ## freeze the migrations that no release had yet
	@$(BIN)/python -m dagster_pgflow.store.released

release-record: $(STAMP)  ## keep runs of this version, which later ones have to read and upgrade
	@$(BIN)/python -m tests.recorded.record --name $$($(BIN)/dagster-pgflow --version | sed 's/.* //')

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(STAMP): EXTRA := dev
$(STAMP): WHAT := dagster-pgflow and its tools (a minute or two)
$(DEMO_STAMP): EXTRA := demo
$(DEMO_STAMP): WHAT := dagster-pgflow and the web UI of Dagster (a minute)

$(STAMP) $(DEMO_STAMP): pyproject.toml
	@set -e; \
	suits='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	python=''; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	    if $$candidate -c "$$suits" >/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "make: no Python 3.11 or newer with venv and pip was found; install one (on Debian and Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	if ! { [ -e $(STAMP) ] || [ -e $(DEMO_STAMP) ]; } || ! $(BIN)/python -c '' 2>/dev/null; then \
	    echo "Creating $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV); \
	fi; \
	echo "Installing $(WHAT)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRA)]'
	@touch $@
