# `make demo` and `make test` need a Linux with Python 3.11 or newer and nothing else: both make a virtual
# environment of their own and never touch the system's Python.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8000
# Passed on to pytest: make test PYTEST_ARGS="tests/policy -x"
PYTEST_ARGS ?=
# Passed on to the benchmarks: make bench BENCH_ARGS=--quick
BENCH_ARGS ?=

BIN := $(VENV)/bin

.PHONY: help demo test coverage bench docs lint check clean

help:
	@echo "make demo    run the example on 127.0.0.1:$(PORT) (another port: make demo PORT=8001)"
	@echo "make test    run the whole test suite"
	@echo "make coverage see that every branch of policy/ and tokens/ is covered by their own tests"
	@echo "make bench   measure the price of a request beside other libraries, in about six minutes"
	@echo "make docs    build the site into docs/_build/html; whatever is wrong with it fails"
	@echo "make lint    check style and types"
	@echo "make check   lint, docs and test: what CI runs"
	@echo "make clean   remove the virtual environment and the caches"
	@echo ""
	@echo "Another Python: make test PYTHON=python3.13 VENV=.venv-3.13"

demo: $(VENV)/.demo
	@$(BIN)/python -m example_app --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# By the tests of these floors alone: tracing the whole suite would make it half as slow again.
coverage: $(VENV)/.dev
	$(BIN)/python -m pytest --cov --cov-report= $(PYTEST_ARGS) tests/policy tests/tokens
	$(BIN)/python -m coverage report --fail-under=100

bench: $(VENV)/.bench
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

lint: $(VENV)/.dev
	$(BIN)/ruff check --extend-exclude '$(VENV)' .
	$(BIN)/ruff format --check --extend-exclude '$(VENV)' .
	$(BIN)/mypy

check: lint docs coverage test

clean:
	@if [ -e "$(VENV)/pyvenv.cfg" ]; then rm -rf -- "$(VENV)"; fi
	rm -rf .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info benchmarks/results docs/_build
	find flask_permjwt example_app tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d instance ]; then echo "The demo's users and model are still in instance/: delete it to start over."; fi

# A stamp is as old as the last install from this pyproject.toml: the second run installs nothing. The install is
# editable, so that a changed source needs no install either.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "==> Installing flask_permjwt and what the demo needs into $(VENV) (a minute or two, once)"
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "==> Installing flask_permjwt and what the tests need into $(VENV) (a few minutes, once)"
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	@echo "==> Installing flask_permjwt and what the benchmarks need into $(VENV) (a minute or two, once)"
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[bench]'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "==> Installing flask_permjwt and what the site needs into $(VENV) (a minute, once)"
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[docs]'
	@touch $@

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1); this needs 3.11 or newer. Name one: make PYTHON=python3.13"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "==> Making the virtual environment $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv "$(VENV)" || { rm -rf -- "$(VENV)"; exit 1; }
