# Everything a person does here, one word each: `make help`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
# What pyproject.toml names as `compiled`:
SOURCES := $(shell sed -n '/^compiled = \[/,/^]/s/^ *"\(.*\)",/\1/p' pyproject.toml)
BENCH_VENV ?= .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/.installed
DEMO := build/demo
DATA ?= rihla-data
CUSTOMERS ?= 2000
JOBS ?= 3
PACKAGES := streams schemas sinks
KAFKA := deploy/kafka
KAFKA_JARS := $(KAFKA)/lib/.resolved

.DEFAULT_GOAL := help
.PHONY: help setup run test faults lint format bench kafka clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(COMPILED) ## Make .venv with the locked dependencies and this project; compile its hot modules if there is a C compiler

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rihla needs Python 3.11 or newer; name one with make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	RIHLA_COMPILE=0 $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Beside their sources, which Python then leaves unread: so they are made anew whenever one of those has changed.
$(COMPILED): $(INSTALLED) setup.py $(SOURCES)
	@find $(PACKAGES) -name '*.so' -delete 2>/dev/null || true
	@$(BIN)/python setup.py --quiet build_ext --inplace || { find $(PACKAGES) -name '*.so' -delete; \
		echo "Compiling failed, as is said above: these modules stay Python; it all works, at more CPU an event"; }
	@find $(PACKAGES) -name '*.so' -exec touch {} + 2>/dev/null || true
	@touch $@

run: setup ## Simulate some travellers and run the whole pipeline over them (CUSTOMERS=2000, DATA=rihla-data)
	@mkdir -p $(DEMO)
	$(BIN)/rihla simulate --customers $(CUSTOMERS) --seed 1 --out $(DEMO)/events.jsonl --truth $(DEMO)/truth.jsonl
	$(BIN)/rihla run $(DEMO)/events.jsonl --data $(DATA)
	@echo
	@echo "Your own events:     $(BIN)/rihla run FILE --data $(DATA)   (JSON Lines; $(BIN)/rihla run --help)"
	@echo "As a live service:   $(BIN)/rihla up --data $(DATA)"

test: setup kafka ## Run every test, JOBS=3 processes (those on Apache Kafka need Java and Maven)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

faults: setup kafka ## Kill, freeze, cut and fill up everything, and look for differences (takes long; needs Java and Maven)
	$(BIN)/python -m tests.faults

kafka: ## Fetch Apache Kafka's jars with Maven, for --broker kafka and the tests on it
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory $(KAFKA_JARS); \
	else echo "Java or Maven is missing: the tests on Apache Kafka are left out, all others run."; fi

$(KAFKA_JARS): $(KAFKA)/pom.xml
	mvn --batch-mode --quiet --file $(KAFKA)/pom.xml dependency:copy-dependencies
	@touch $@

lint: setup ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## Put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup $(BENCH_INSTALLED) ## Measure Rihla against its peers: tables, a plot, a line of JSON (nothing else should run)
	$(BENCH_VENV)/bin/python -m tests.benchmarks --plot build/bench.png

$(BENCH_INSTALLED): requirements-bench.lock pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	RIHLA_COMPILE=0 $(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

clean: ## Remove what run and test left behind (not DATA)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
