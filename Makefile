# Everything a person or a machine does with this tree. On a fresh machine with
# Python >= 3.11, make and a C library: `make demo` runs it, `make test` tests it.

# Hundreds of processes are started by the tests: without the interpreter's cache of compiled
# modules each would compile its libraries again, which takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help .venv demo quick test check bench night lock ratchet system hooks clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z.]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

.venv: $(STAMP)  ## build the environment, when it is missing or stale

$(STAMP): pyproject.toml requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "this Python cannot make environments: apt install python3-venv"; exit 1; }
	@echo "building .venv (a minute or two)"
	@$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --no-deps --no-compile -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## run the toll lane whole: broker, plaza, lanes, cars and a page
	@$(BIN)/toll-sim demo

quick: $(STAMP)  ## format, lint, types, imports, style, unit tests (at most 60 s)
	@$(BIN)/python scripts/suites.py quick

test: $(STAMP)  ## quick, real wires, killed processes and 200 seeds (at most 5 min)
	@$(BIN)/python scripts/suites.py test

check: $(STAMP)  ## test, and browser, PostgreSQL, chaos; nothing may be missing (15 min)
	@REQUIRE_ALL=1 $(BIN)/python scripts/suites.py check

bench: $(STAMP)  ## measure against the floors of docs/architecture.md
	@$(BIN)/python -m simulator.bench

night: $(STAMP)  ## ten thousand seeds (SEEDS=A..B: others) and many more examples; hours
	@HYPOTHESIS_PROFILE=deep $(BIN)/python scripts/suites.py night

system:  ## install libzbar0, Chromium, PostgreSQL and a Chinese font, where it may
	@PYTHON=$(PYTHON) scripts/system-packages.sh

hooks:  ## let git run `make quick` before each commit
	@install -m 755 scripts/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"

lock:  ## make requirements*.txt again from pyproject.toml (LOCK=--upgrade for newer versions)
	@PYTHON=$(PYTHON) scripts/lock.sh $(LOCK)

ratchet: $(STAMP)  ## take out exemptions of the style tests that are needed no longer
	@$(BIN)/python scripts/ratchet.py

clean:  ## remove the environment and every cache
	@rm -rf .venv .lock-venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
