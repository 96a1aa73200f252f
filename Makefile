# Two commands for everybody: `make demo` and `make test`. Both start from nothing but Python and make.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A run's own arguments for pytest, e.g. make test ARGS="tests/filters -k regex"
ARGS ?=
# Which installations are tried: --lowest for those with the lowest versions alone
PACKAGES ?=

# Tests start many processes, and each of them would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

# What asks the database, once more on tables of PostgreSQL that are cut into parts
STORED = $(addprefix tests/platform/,resources live store rest tasks)

.PHONY: demo test packages test-threads test-gevent test-eventlet test-postgresql lint types docs bench clean

demo: $(VENV)/.demo
	$(BIN)/flowthings-like demo

test: lint types docs packages test-threads test-gevent test-eventlet test-postgresql

test-threads test-gevent test-eventlet: test-%: $(VENV)/.dev
	$(BIN)/python -m tests --backend $* $(ARGS)

test-postgresql: $(VENV)/.dev
	FLOWTHINGS_STORE=postgresql-parts $(BIN)/python -m tests --backend threads -m "not exhaustive and not once" \
		$(filter-out --shared,$(ARGS)) $(STORED) --ignore tests/platform/resources/test_track_scripts.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.imports

types: $(VENV)/.dev
	$(BIN)/mypy

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs

packages: $(VENV)/.dev
	$(BIN)/python -m tools.packages $(PACKAGES)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	touch $@

$(VENV)/.dev: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info weather-data weather.png
