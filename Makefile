# Every command that a person types twice. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
FEEDS ?=
ONLY ?=
TESTS ?=
SEED ?=
TO ?=
FROM ?=
OVERWRITE ?=
ROWS ?=
MEBIBYTES ?=
DAYS ?=
TIMES ?=

# The newest Python that serves, has venv, and really runs: version managers leave shims that do not.
PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3 python; do \
	"$$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && { echo "$$candidate"; break; }; done)

.PHONY: help
help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: ## install into .venv from the hash-pinned lock (skipped while the lock is unchanged)
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11, 3.12 or 3.13 with venv found; install one, for example" >&2; \
		echo "    apt-get install -y python3 python3-venv      or      dnf install -y python3.12" >&2; exit 2; fi
	@$(PYTHON) plugins/caregrid/platform/install.py $(VENV)

# Who only looks never renews .venv under a stack that runs from it.
.PHONY: installed
installed:
	@[ -x $(BIN)/caregrid ] || $(MAKE) --no-print-directory install

.PHONY: demo
demo: install ## the whole job through Airflow: feeds, warehouse, forecasts, alerts (FEEDS=all takes every feed)
	@$(BIN)/caregrid demo $(if $(FEEDS),--feeds $(FEEDS))

# As root the tests run where there is no network but loopback: an attempt to reach anything else is counted by the
# kernel, whatever program makes it. Elsewhere the watch inside Python alone has to do.
ISOLATED = $(shell unshare --net ip link set lo up 2>/dev/null && echo unshare --net -- sh -c \''ip link set lo up && exec "$$@"'\' --)

# More than a few processes, each with a database of its own, only wait for each other.
SIDE_BY_SIDE = $(if $(TESTS),,--numprocesses logical --maxprocesses 4 --no-loadscope-reorder)

.PHONY: test
test: install ## run the tests (ONLY=unit|dags|integration|e2e for one kind; TESTS=path for some)
	@$(ISOLATED) $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(if $(ONLY),-m $(ONLY)) $(TESTS)

.PHONY: test-faults
test-faults: install ## kill loads and builds at 50 seeded moments and print the table (SEED=17 repeats one)
	@$(ISOLATED) env FAULT_MOMENTS=50 $(if $(SEED),FAULT_SEED=$(SEED)) $(BIN)/python -m pytest tests/integration/faults

.PHONY: backup
backup: installed ## keep databases, landed files and MLflow as they are now (TO=directory; default var/backups)
	@$(BIN)/caregrid backup $(if $(TO),--to "$(TO)")

.PHONY: restore
restore: install ## bring back a backup (FROM=directory; OVERWRITE=yes replaces what is there)
	@if [ -z "$(FROM)" ]; then echo "error: say which backup: make restore FROM=directory" >&2; exit 2; fi
	@$(BIN)/caregrid restore "$(FROM)" $(if $(filter yes,$(OVERWRITE)),--overwrite)

.PHONY: test-scale
test-scale: ## run the pipeline as servers do: Celery, Redis, FAB accounts, a worker killed (installs .venv-scale)
	@[ -n "$(PYTHON)" ] || $(MAKE) --no-print-directory install
	@$(PYTHON) plugins/caregrid/platform/install.py .venv-scale requirements-scale.lock
	@$(ISOLATED) .venv-scale/bin/python -m pytest tests/scale

# The services, tasks and commands that tests start are counted as well: each writes a file of its own, joined at the end.
.PHONY: coverage
coverage: install ## the tests, and how much of the code they ran (fails below 90 %; pages in var/coverage)
	@rm -rf var/coverage && mkdir -p var/coverage
	@COVERAGE_FILE=$(CURDIR)/var/coverage/data $(ISOLATED) $(BIN)/python -m coverage run -m pytest $(SIDE_BY_SIDE) $(TESTS)
	@COVERAGE_FILE=$(CURDIR)/var/coverage/data $(BIN)/coverage combine -q
	@COVERAGE_FILE=$(CURDIR)/var/coverage/data $(BIN)/coverage html -q -d var/coverage/pages
	@COVERAGE_FILE=$(CURDIR)/var/coverage/data $(BIN)/coverage report --fail-under=90

.PHONY: up
up: install ## start the database, Airflow, MLflow and the documentation; they stay up
	@$(BIN)/caregrid up

.PHONY: down
down: ## stop them
	@if [ -x $(BIN)/caregrid ]; then $(BIN)/caregrid down; else echo "nothing is installed"; fi

.PHONY: status
status: installed ## say what runs, and where
	@$(BIN)/caregrid status

.PHONY: psql
psql: installed ## open the warehouse in psql
	@$(BIN)/caregrid database psql

.PHONY: bi-url
bi-url: installed ## print how a BI tool connects (read-only)
	@$(BIN)/caregrid database bi-url

.PHONY: train
train: install ## train the forecaster on every series, with every quantile
	@$(BIN)/caregrid database start
	@$(BIN)/caregrid forecast train --settings whole --force

.PHONY: docs
docs: install ## write the documentation of tables and of the gates' findings into var/docs
	@$(BIN)/caregrid docs

.PHONY: lint
lint: install ## ruff, mypy, sqlfluff, and the feeds' YAML
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint dbt --disable-progress-bar
	@$(BIN)/caregrid feeds check

.PHONY: bench
bench: install ## measure speed beside references (ONLY=load, …; ROWS=1000000,5000000; see docs/benchmarks.md)
	@$(BIN)/caregrid bench $(if $(ONLY),--only $(ONLY)) $(if $(ROWS),--rows $(ROWS)) $(if $(MEBIBYTES),--mebibytes $(MEBIBYTES)) \
		$(if $(DAYS),--days $(DAYS)) $(if $(TIMES),--times $(TIMES)) $(if $(SERIES),--series $(SERIES)) \
		$(if $(filter command line,$(origin FEEDS)),--feeds "$(FEEDS)")

EXPORT = --frozen --no-emit-project --no-header --no-annotate -q

.PHONY: lock
lock: install ## renew requirements.lock and requirements-scale.lock with the uv that the first holds
	@$(BIN)/uv lock
	@$(BIN)/uv export $(EXPORT) --group dev -o requirements.lock
	@$(BIN)/uv export $(EXPORT) --no-dev --group scale -o requirements-scale.lock

.PHONY: reset
reset: ## delete everything that runs have written (asks first)
	@if [ -x $(BIN)/caregrid ]; then $(BIN)/caregrid reset; else echo "nothing is installed"; fi
