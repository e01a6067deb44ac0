PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One thread for torch: the models are tiny, and forked workers must not inherit a thread pool.
export OMP_NUM_THREADS = 1

.PHONY: help install run test lint test-slow release-check clean

help:
	@echo "make run        a 60-second campaign on the reference executor"
	@echo "make test       lint, types, layers, the test suite and a few mutants"
	@echo "make test-slow  the tests marked slow"
	@echo "make release-check  everything, with coverage tiers and mutants; takes long"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,transformers,server,langgraph]'
	touch $(STAMP)

run: install
	$(BIN)/inferfuzz run --time 60s

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -m "not slow" -n 2
	$(BIN)/inferfuzz mutate reference-hash --sample 4

test-slow: install
	$(BIN)/pytest -m slow --timeout 1800

release-check: test test-slow
	$(BIN)/inferfuzz check reference reference-hash graph reference-openai --profile release \
		--step certify --step regressions --step properties
	$(BIN)/inferfuzz gaps reference-hash --tier critical
	$(BIN)/inferfuzz gaps reference --tier critical
	$(BIN)/inferfuzz mutate reference-hash --all

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
