# Two commands for a fresh machine: `make up`, `make test`. Each makes .venv by itself; a second run starts at once.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PY := .venv/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --no-input --root-user-action=ignore
CODE := src tests tools hatch_build.py $(wildcard benchmarks)
ARGS ?=
WORKERS ?= 2
PYTEST_ARGS ?=
PYTHON ?=
PLIMSOLL_TEST_DATA ?= ../shared/data

export PLIMSOLL_TEST_DATA
export PYTHON
export PYTHONUTF8 := 1

.PHONY: help up page test check mutants simulate bench lock clean

help: ## show these lines
	@echo "Plimsoll, a self-hosted trading desk"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

up: page ## start the desk and open its page (ARGS="--port 9000 --prices synthetic --no-browser --data DIR")
	@exec .venv/bin/plimsoll up $(ARGS)

page: .venv/.ready-to-run ## build the dashboard's page, if its source changed
	@$(PY) tools/build_page.py

# What the desk is set to on this machine must not reach its tests.
test: page .venv/.ready-to-develop ## run the tests (WORKERS=2, PYTEST_ARGS="-k name"), then the coverage bars
	env -u PLIMSOLL_DATA -u PLIMSOLL_PORT -u PLIMSOLL_PRICES $(PY) -m pytest -n $(WORKERS) --cov --cov-report= $(PYTEST_ARGS)
ifeq ($(strip $(PYTEST_ARGS)),)
	$(PY) -m coverage json -q -o coverage.json
	$(PY) tools/coverage_gate.py coverage.json
else
	@echo "PYTEST_ARGS given: a part of the tests says nothing about coverage, its bars are not judged"
endif

check: .venv/.ready-to-develop ## format, lint, types, import direction, dead code, lock files, known vulnerabilities, the page
	$(PY) -m ruff format --check $(CODE)
	$(PY) -m ruff check $(CODE)
	$(PY) tools/sim_markers.py
	$(PY) tools/set_iteration.py
	$(PY) -m mypy $(CODE)
	.venv/bin/lint-imports
	$(PY) tools/dead_code.py
	$(PY) tools/lock_check.py
	$(PY) tools/audit.py
	$(PY) tools/build_page.py --check

mutants: .venv/.ready-to-develop ## plant known mistakes in a copy of the source; each must be caught by the law it breaks
	$(PY) -m tests.simulation.planted.runner

SEEDS ?= 1-200
HOURS ?= 1
simulate: .venv/.ready-to-develop ## let seeds live hours in the hostile world (SEEDS=1-200 HOURS=1 WORKERS=2)
	$(PY) -m tests.simulation.hours.simulate --seeds $(SEEDS) --hours $(HOURS) --workers $(WORKERS)

bench: .venv/.ready-to-develop ## measure against raw SQLite in the same run and write benchmarks/RESULTS.md
	$(PY) -m benchmarks

# An old pin is kept while pyproject.toml allows it; UPGRADE=--upgrade takes the newest of all.
UPGRADE ?=
COMPILE_GROUP := .venv/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --quiet $(UPGRADE)
COMPILE := $(COMPILE_GROUP) --extra parquet --extra crypto --extra postgresql

lock: .venv/.ready-to-develop ## pin what pyproject.toml asks for, with hashes, for every platform (UPGRADE=--upgrade)
	@test -x .venv/bin/uv || $(PIP) --quiet uv
	$(COMPILE) --group build pyproject.toml -o requirements.lock >/dev/null
	$(COMPILE) --group dev --constraint requirements.lock pyproject.toml -o requirements-dev.lock >/dev/null
	$(COMPILE_GROUP) --group page -o requirements-page.lock >/dev/null
	$(PY) tools/lock_check.py

clean: ## remove .venv and what the tools left behind; never a desk's data
	rm -rf .venv .coverage .coverage.* coverage.json .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist

# An environment that does not start (its Python was removed or moved) is made anew.
ifneq ($(shell .venv/bin/python -c 'print("ok")' 2>/dev/null),ok)
.PHONY: .venv/bin/python
$(shell rm -f .venv/.ready-to-run .venv/.ready-to-develop)
endif

.venv/bin/python:
	@sh tools/make_venv.sh

# The checkout is installed editable, without build isolation: the build backend comes from the lock file like the rest.
.venv/.ready-to-run: requirements.lock requirements-page.lock pyproject.toml | .venv/bin/python
	$(PIP) --require-hashes -r requirements.lock
	@if $(PY) tools/build_page.py --needs-node; then $(PIP) --require-hashes -r requirements-page.lock; fi
	@$(PY) tools/build_page.py
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.ready-to-develop: requirements-dev.lock .venv/.ready-to-run
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
