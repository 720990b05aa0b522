# One door to everything; `make` alone prints what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench faults docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with the pinned, hash-checked dependencies

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Wearwatch needs Python 3.11 or newer; name one with: make PYTHON=python3.12 install"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV); the first time downloads about 700 MB ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## Simulated fleet, trained models, live sensors: prints the address and the sign-in
	@exec $(BIN)/wearwatch demo

test: install ## All tests, PostgreSQL included
	@exec $(BIN)/python -m pytest

check: install ## Lint, types, import order, migrations against tables
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && WEARWATCH_DATA_DIR="$$folder/data" && \
		export WEARWATCH_DATA_DIR && $(BIN)/wearwatch migrate && $(BIN)/alembic check

format: install ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure speed against peers in the same run; writes bench/results
	@exec $(BIN)/python -m bench

faults: install ## R1 to R10, R15, R16: kill, fill, cut, flood and lie; nothing acknowledged is lost (WEARWATCH_FAULTS=full)
	@exec $(BIN)/python -m pytest tests/faults tests/journeys/test_any_order.py tests/client/test_killed.py

docs: install ## Write the generated pages of docs/ anew
	@exec $(BIN)/wearwatch docs

clean: ## Remove .venv and caches; data folders stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
