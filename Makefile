# Chores of the cascade monitor. `make` alone lists them.

PYTHON ?= $(shell sh scripts/find-python)
BENCH_PYTHON ?= $(shell sh scripts/find-python 3.13)
BIN := .venv/bin
QUIET := --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header
# Modules whose branches must all be tested, because a fault there costs money: parsing, windows, decisions.
EXACT := monitor/exchanges/binance/adapter.py,monitor/exchanges/binance/usdm.py,$\
  monitor/exchanges/bybit/adapter.py,monitor/exchanges/okx/adapter.py,monitor/exchanges/toolkit/records.py,$\
  monitor/exchanges/toolkit/decoding.py,monitor/detect/flow/windows.py,monitor/detect/decide/phases.py

# Four workers keep two cores busy, for a test mostly waits; the programs that it starts read compiled modules.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 4 --dist loadgroup $(if $(COVERAGE),--cov --cov-append --cov-report=)

.DEFAULT_GOAL := help
.PHONY: help runtime setup demo test test-deep coverage check format generate pictures bench lock clean

# Lists the targets with what they do.
help:
	@sed -n '/^# /{s/^# //;h;d};/^[a-z-]*:/{s/:.*//;G;s/\n/ /;s/^\([a-z-]*\) /  make \1\t/;p};h' Makefile | expand -t 18

# Builds .venv with what the monitor needs to run; does nothing when the lock files have not changed.
runtime: .venv/.runtime

# Adds the development tools to .venv; does nothing when the lock files have not changed.
setup: .venv/.ready

.venv/.made:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer (with venv) is needed and none was found; set PYTHON=..."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "setup: making .venv with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear .venv; }
	@touch $@

.venv/.runtime: .venv/.made requirements/runtime.lock requirements/build.lock pyproject.toml
	@echo "setup: installing what the monitor needs to run" && $(BIN)/pip install $(QUIET) --require-hashes -r requirements/runtime.lock -r requirements/build.lock
	@echo "setup: installing the monitor" && $(BIN)/pip install $(QUIET) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.ready: .venv/.runtime requirements/dev.lock
	@echo "setup: adding the developers' tools (about a minute)" && $(BIN)/pip install $(QUIET) --require-hashes -r requirements/dev.lock
	@touch $@ && echo "setup: ready"

# Plays a simulated cascade and a short squeeze on this machine, with the real collector, in about 90 seconds.
demo: runtime
	@$(BIN)/cascade-monitor demo

# Runs the tests of every change on two cores, with real Kafka, Prometheus and browser, and few random examples.
test: setup
	@$(BIN)/python -m tests.prepare
	@$(PYTEST) -m "not deep"

# Runs the long tests (kills, outages, large markets), and every random test with many examples.
test-deep: setup
	@$(BIN)/python -m tests.prepare
	@CASCADE_TEST_DEEP=1 $(PYTEST) -m "deep or sampled"

# Fails if the coverage of `make test test-deep COVERAGE=1` is below its floors; `.ci/run` calls it on demand.
coverage: setup
	@$(BIN)/coverage report --fail-under=95 --format=total >/dev/null || { $(BIN)/coverage report; exit 1; }
	@report=$$($(BIN)/coverage report --include=$(EXACT) --fail-under=100) || { echo "$$report"; exit 1; }

# Checks format, lint and types.
check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# Applies the format and the lint's safe fixes.
format: setup
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

# Writes all generated files: reference pages, example settings, the topics' document, dashboards.
generate: setup
	@$(BIN)/python -m monitor.cli.generate.everything && $(BIN)/python -m deploy.grafana.boards

# Draws the README's picture from a seeded simulated market.
pictures: setup
	@$(BIN)/python -m monitor.lab.pictures

# Measures the hot paths and orjson, cryptofeed, river and (with Java and Maven) aiokafka, in .venv-bench.
bench: .venv-bench/.ready
	@.venv-bench/bin/python -m tests.kafka.with_broker .venv-bench/bin/cascade-monitor bench --kafka {kafka} || \
	  { [ $$? = 69 ] && .venv-bench/bin/cascade-monitor bench; }

.venv-bench/.ready: requirements/bench.lock pyproject.toml
	@echo "bench: installing cryptofeed and river into .venv-bench with $$($(BENCH_PYTHON) --version)"
	@$(BENCH_PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/pip install $(QUIET) --require-hashes -r requirements/bench.lock
	@.venv-bench/bin/pip install $(QUIET) --no-deps --no-build-isolation --editable . && touch $@

# Writes the lock files from pyproject.toml: newest versions, hashes, no index addresses.
lock: .venv/.made
	@$(BIN)/pip install $(QUIET) uv
	@$(LOCK) -o requirements/runtime.lock pyproject.toml
	@$(LOCK) -o requirements/dev.lock --group dev -c requirements/runtime.lock pyproject.toml
	@$(LOCK) -o requirements/bench.lock --group bench --group build -c requirements/runtime.lock pyproject.toml
	@$(LOCK) -o requirements/build.lock --group build -c requirements/dev.lock

# Removes all files that the other targets made.
clean:
	rm -rf .venv .venv-bench .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* dist build
