# Everything a person does here, one word each: `make help`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What `make run` needs; and all that developers need, which takes twice as long to install.
INSTALLED := $(VENV)/.installed
DEVELOPING := $(VENV)/.developing
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# What a lock file names: by uv in a tenth of pip's time, by pip where uv finds no index (it does not read pip.conf).
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement $(1) || \
	{ echo "uv could not install $(1), so pip does"; $(PIP) --no-compile --requirement $(1); }
BENCH_VENV ?= .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/.installed
SUPPLY_VENV ?= .venv-supply
SUPPLY := $(SUPPLY_VENV)/bin
SUPPLY_INSTALLED := $(SUPPLY_VENV)/.installed
LOCKS := requirements.lock requirements-run.lock requirements-uv.lock deploy/requirements.lock requirements-bench.lock requirements-supply.lock
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes
DEMO := build/demo
DATA ?= rihla-data
CUSTOMERS ?= 2000
JOBS ?= 4
PACKAGES := streams schemas sinks
KAFKA := deploy/kafka
KAFKA_JARS := $(KAFKA)/lib/.resolved
# Where the tests run that are run both ways: the tree without what is compiled.
PLAIN := build/plain
PLAIN_TESTS := tests/properties tests/integration/test_run.py
# What runs there alone: many other tests run such a file through the compiled tree.
PLAIN_ALONE := test_a_file_is_stored_once_however_often_it_is_run test_the_example_of_the_readme
# What these test is never compiled.
SAME_BOTH_WAYS := $(foreach name,mapping simulate_stream simulate_truth,--ignore=tests/properties/test_$(name).py)

.DEFAULT_GOAL := help
.PHONY: help setup compile run test suite plain faults lint format clients bench wheels image sbom digests audit lock kafka bytecode clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEVELOPING) ## Make .venv with the locked dependencies, those of developers too, and this project

$(INSTALLED): requirements-run.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rihla needs Python 3.11 or newer; name one with make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-compile --requirement requirements-uv.lock
	@$(call INSTALL,requirements-run.lock)
	RIHLA_COMPILE=0 $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPING): $(INSTALLED) requirements.lock
	@$(call INSTALL,requirements.lock)
	@touch $@

# To bytecode, on all cores, what pip would do on one; again where a source has changed, as Python may be told not to.
bytecode: $(INSTALLED)
	@$(BIN)/python -m compileall -q -j 0 -x '/(pandas|tests|pip|setuptools)/' $(VENV)/lib $(PACKAGES)

# Beside their sources, which Python then leaves unread; streams/compiled.py sees to it that none is out of date.
# With a cache of its own: `make lint` may run at the same time, as it does in .ci/run.
compile: setup ## Compile the modules that cost most, for production, tests and figures (minutes; needs a C compiler)
	@$(BIN)/python -m streams.compiled --check || { find $(PACKAGES) -name '*.so' -delete; \
		MYPY_CACHE_DIR=build/mypyc-cache $(BIN)/python setup.py --quiet build_ext --inplace || { find $(PACKAGES) -name '*.so' -delete; \
		echo "Compiling failed, as is said above: these modules stay Python; it all works, at more CPU an event"; }; \
		find $(PACKAGES) -name '*.so' -exec touch {} +; }

run: bytecode ## Simulate some travellers and run the whole pipeline over them (CUSTOMERS=2000, DATA=rihla-data)
	@mkdir -p $(DEMO)
	@$(BIN)/python -m streams.compiled
	$(BIN)/rihla simulate --customers $(CUSTOMERS) --seed 1 --out $(DEMO)/events.jsonl --truth $(DEMO)/truth.jsonl --units $(DEMO)/units.csv
	$(BIN)/rihla run $(DEMO)/events.jsonl --data $(DATA)
	@$(BIN)/rihla units load $(DEMO)/units.csv --data $(DATA)
	@echo
	@echo "Check every table:   $(BIN)/rihla verify --data $(DATA)"
	@echo "Your own events:     $(BIN)/rihla run FILE --data $(DATA)   (JSON Lines; $(BIN)/rihla run --help)"
	@echo "See it:              $(BIN)/rihla up --data $(DATA)   (then open the link behind 'the desk': it offers a tour of two minutes)"
	@echo "For production:      make compile, then docs/deploying-a-worker.md"
	@echo "All else:            README.md, make help, $(BIN)/rihla doctor"

test: suite plain ## Run every test, JOBS=4 processes (those on Apache Kafka need Java and Maven)

# Tests start hundreds of processes. Without bytecode each would spend 5 s of CPU on compiling what it imports.
suite plain: export PYTHONDONTWRITEBYTECODE :=

suite: compile bytecode kafka ## The tests of `make test` that run on the compiled tree: all but those of `make faults`
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not long" $(addprefix --deselect tests/integration/test_run.py::,$(PLAIN_ALONE))

plain: setup bytecode ## Run some of the tests on the tree as `make run` has it: nothing compiled
	@rm -rf $(PLAIN) && mkdir -p $(PLAIN)
	@tar -cf - --exclude='*.so' --exclude=__pycache__ $(PACKAGES) tests examples README.md pyproject.toml | tar -xf - -C $(PLAIN)
	cd $(PLAIN) && RIHLA_PLAIN=1 PYTHONPATH=$(CURDIR)/$(PLAIN) $(abspath $(BIN))/python -m pytest -n $(JOBS) \
		--dist worksteal -m "not kafka" $(PLAIN_TESTS) $(SAME_BOTH_WAYS)

faults: compile kafka ## Kill, freeze, cut and fill up everything, and look for differences (takes long; needs Java and Maven)
	$(BIN)/python -m pytest -m long
	$(BIN)/python -m tests.faults

kafka: ## Fetch Apache Kafka's jars with Maven, for --broker kafka and the tests on it
	@if command -v java >/dev/null && command -v mvn >/dev/null; then $(MAKE) --no-print-directory $(KAFKA_JARS); \
	else echo "Java or Maven is missing: the tests on Apache Kafka are left out, all others run."; fi

$(KAFKA_JARS): $(KAFKA)/pom.xml
	mvn --batch-mode --quiet --file $(KAFKA)/pom.xml dependency:copy-dependencies
	@touch $@

lint: setup ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## Put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clients: setup ## Try ClickHouse's official clients (needs Maven, Go and npm; fetches them), and many requests by both OpenAPI documents
	$(BIN)/python -m tests.clients
	OPENAPI_EXAMPLES=100 $(BIN)/python -m pytest -q tests/unit/test_serve_openapi.py tests/unit/test_collect_openapi.py

bench: compile $(BENCH_INSTALLED) ## Measure Rihla against its peers: tables, a plot, a line of JSON (nothing else should run)
	$(BENCH_VENV)/bin/python -m tests.benchmarks --plot build/bench.png

$(BENCH_INSTALLED): requirements-bench.lock pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	RIHLA_COMPILE=0 $(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

wheels: setup ## Build both wheels into dist/ and try each in an empty environment elsewhere (minutes; needs a C compiler)
	$(BIN)/python -m tests.supply_chain.wheels --out dist

# Tools that look at what is installed, not with it: their own dependencies are none of Rihla's.
$(SUPPLY_INSTALLED): requirements-supply.lock
	$(PYTHON) -m venv $(SUPPLY_VENV)
	$(SUPPLY)/pip install --quiet --disable-pip-version-check -r requirements-supply.lock
	@touch $@

image: setup kafka ## Carry out the image's steps in a clean root and run what they make, read-only (needs root and debootstrap)
	@$(BIN)/python -m tests.supply_chain.image

sbom: setup $(SUPPLY_INSTALLED) ## Say what Rihla is made of: CycloneDX bills of materials and licences, in build/sbom
	@mkdir -p build/sbom
	$(SUPPLY)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file build/sbom/development.cdx.json $(BIN)/python
	$(SUPPLY)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file build/sbom/image.cdx.json deploy/requirements.lock
	$(SUPPLY)/pip-licenses --python $(BIN)/python --from mixed --order license --with-urls --format markdown \
		--output-file build/sbom/licences.md

digests: $(INSTALLED) ## Pin the images of Dockerfile and compose file by what their registries have (status 2: some could not be reached)
	@$(BIN)/python -m tests.supply_chain.digests --write deploy/Dockerfile docker-compose.yml

audit: $(INSTALLED) $(SUPPLY_INSTALLED) ## Ask databases of advisories about all that is locked (status 2: none could be reached)
	@$(BIN)/python -m tests.supply_chain.audit --tool $(SUPPLY)/pip-audit $(LOCKS)

# Pins that are there stay. With hashes pip takes no file but those that were there when the lock was made.
lock: ## Make the lock files anew after a change of pyproject.toml (with the uv of an earlier make setup)
	$(LOCK) --extra dev pyproject.toml --output-file requirements.lock
	echo setuptools | $(LOCK) --no-annotate --extra embedded --extra serve -c requirements.lock - pyproject.toml --output-file requirements-run.lock
	$(LOCK) --no-annotate --extra collect --extra deliver --extra openid --extra otel --extra serve -c requirements.lock pyproject.toml --output-file deploy/requirements.lock
	echo uv | $(LOCK) --no-annotate -c requirements.lock - --output-file requirements-uv.lock
	$(LOCK) --extra bench -c requirements.lock pyproject.toml --output-file requirements-bench.lock
	$(LOCK) --no-annotate --group supply -c requirements.lock --output-file requirements-supply.lock

clean: ## Remove what run and test left behind (not DATA)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
