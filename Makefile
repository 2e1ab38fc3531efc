# Bare `make` prints what there is. Everything runs from .venv, which `make setup` makes from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= .goodword
ARGS ?=
# Tests wait more than they compute: one worker more than there are processors, and no more than are useful.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -lt 5 ] && echo $$((n + 1)) || echo 6)
PYTEST := $(BIN)/python -m pytest
SIDE_BY_SIDE := -n $(WORKERS) --dist loadscope --no-loadscope-reorder
COMPOSE := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup durable parquet run doctor test test-fast test-kafka test-compose check lint format types tidy sim bench docs generate snapshots lock compose compose-down clean

help: ## print this
	@echo "Goodword: events in, cents out. Start with: make run"; echo
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.setup ## make .venv with everything, from the lock files (Python 3.11 or later)

$(VENV)/.setup: requirements-dev.lock requirements-durable.lock requirements-parquet.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Goodword needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@$(MAKE) --no-print-directory durable || true
	@$(MAKE) --no-print-directory parquet || true
	@touch $@

durable: ## add durable-rules, the second opinion on rule sets (Python 3.11 or 3.12, and a C compiler)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-durable.lock >$(VENV)/durable.log 2>&1 \
	  || { echo; echo "!! durable-rules could not be built: THE SECOND OPINION ON RULE SETS IS MISSING."; \
	       echo "!! All else works. To add it: apt install gcc g++ python3-dev, then make durable ($(VENV)/durable.log)"; echo; exit 1; }

parquet: ## add pyarrow, for `goodword ledger export --format parquet`
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-parquet.lock >$(VENV)/parquet.log 2>&1 \
	  || { echo "pyarrow has no wheel for this machine: exports are CSV only. All else works ($(VENV)/parquet.log)"; exit 1; }

run: setup ## the whole stack with a demo, until Ctrl-C (DATA=.goodword, ARGS="--port 8810")
	@$(BIN)/goodword up --data $(DATA) --demo $(ARGS)

doctor: setup ## what this machine lacks, and the command that fixes it
	@$(BIN)/goodword doctor --data $(DATA)

test: setup ## all tests that this machine can run; the others skip and say what they miss
	$(PYTEST) $(SIDE_BY_SIDE) $(ARGS)

test-fast: setup ## unit and property tests only, in a minute
	$(PYTEST) $(SIDE_BY_SIDE) -q tests/unit tests/property $(ARGS)

test-kafka: setup ## the tests on a real Apache Kafka (Docker, or Java and Maven)
	$(PYTEST) -m kafka $(ARGS)

test-compose: setup ## the CRM import through docker-compose.yml
	$(PYTEST) -m docker tests/e2e $(ARGS)

check: lint types tidy ## exactly what pre-commit and CI run: format, lint, types, import contracts, house rules

lint: setup ## formatting, lint, and which way imports point
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

format: setup ## put formatting and what lint can fix right
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

types: setup ## mypy, strict
	$(BIN)/mypy

tidy: setup
	$(PYTEST) -q tests/unit/test_tidy.py tests/unit/test_generated_docs.py

sim: setup ## faults at random moments; SEED=… plays one again
	GOODWORD_SEED=$(or $(SEED),0) $(PYTEST) -s tests/simulation tests/integration/faults $(ARGS)

bench: setup ## measure the figures of docs/performance.md (ARGS="ledger --json")
	@$(BIN)/goodword bench $(ARGS)

docs: generate ## renew the generated parts of docs/, and AsyncAPI of the topics

generate: setup
	$(BIN)/python -m goodword.generate

snapshots: setup ## write what mails and pages of rules should look like anew; read the difference before you commit
	GOODWORD_SNAPSHOTS=update $(PYTEST) -q tests/unit/notify/test_render.py tests/unit/rules/test_words.py

lock: ## renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev pyproject.toml -o requirements-dev.lock

compose: ## everything on real servers, in containers
	$(COMPOSE) build
	$(COMPOSE) up -d
	$(COMPOSE) ps

compose-down: ## stop the containers and drop their data
	$(COMPOSE) down --volumes

clean: ## remove .venv and caches; data folders stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
