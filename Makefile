# One command each; every target makes the environment that it needs.
# PYTHON chooses the interpreter: make test PYTHON=python3.13
# WORKERS says how many processes run the tests: make test WORKERS=4

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test lint format chaos bench migrations clean

VENV := .venv
BIN := $(VENV)/bin
# The path is part of the stamp, because an environment does not survive being moved.
STAMP := $(VENV)/installed-$(shell pwd | cksum | cut -d ' ' -f 1)
WORKERS ?= 2
SEED ?= 1
DURATION ?= 120
SOURCES := dagster_pgflow tests $(wildcard definitions.py)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP)  ## embedded Postgres, example flows, Dagster with its web UI; Ctrl-C ends it all
	@exec $(BIN)/dagster-pgflow demo

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
	@$(BIN)/python -m tests.chaos --seed $(SEED) --duration $(DURATION)

bench: $(STAMP)  ## load times and the overhead per step
	@$(BIN)/python -m tests.benchmarks

migrations: $(STAMP)  ## write the initial migration from the schema files
	@$(BIN)/python -m dagster_pgflow.store.assemble

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(STAMP): pyproject.toml
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
	if ! ls $(VENV)/installed-* >/dev/null 2>&1 || ! [ -e $@ ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	    echo "Creating $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV); \
	fi; \
	echo "Installing dagster-pgflow and its tools (a minute or two)"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
