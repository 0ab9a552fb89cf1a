# Every target works on a fresh checkout: what needs the virtual environment makes it first.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
PYTHON ?=
JOBS ?= 2
VERSIONS ?= 3.11 3.12 3.13
ROUNDS ?= 5
ONLY ?=
BENCH_OPTIONS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := requirements-dev.lock
# Pinned in pyproject.toml, as the figures of docs/bugs.md are about these versions.
OTHER_EXPLORERS = $(shell sed -nE 's/^ *"((detangle|frontrun)==[0-9.]+)",$$/\1/p' pyproject.toml)
CODE := $(wildcard blkdebug_async tests tools demo benchmarks)

.PHONY: help
help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

.PHONY: setup
setup: $(STAMP) ## Make .venv and, on Debian as root, install the programs that tests compare with

# Always checked, quick when all are there, and never a reason to install anything else anew.
.PHONY: peers
peers:
	@tools/install-peers

$(STAMP): pyproject.toml $(LOCK) | peers
	@tools/make-venv $(VENV) $(LOCK) $(PYTHON)
	@touch $@

.PHONY: demo
demo: setup ## Show on a real image what this is good for (under a minute)
	@$(BIN)/python demo/main_job.py

.PHONY: test
test: setup ## Run all tests and check coverage, as CI does
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report= --cov-fail-under=0
	$(BIN)/python tools/check_coverage.py

.PHONY: test-plain
test-plain: setup
	$(BIN)/python -m pytest -n $(JOBS)

.PHONY: test-all
test-all: ## Run all tests on each Python that is found, each in a .venv-VERSION of its own
	@failed=; \
	for version in $(VERSIONS); do \
	    if python=$$(tools/find-python $$version 2>/dev/null); then \
	        echo "== Python $$version"; \
	        $(MAKE) --no-print-directory test-plain VENV=.venv-$$version PYTHON="$$python" \
	            || failed+=" $$version"; \
	    else \
	        echo "== Python $$version: not found, skipped"; \
	    fi; \
	done; \
	test -z "$$failed" || { echo "Failed on Python$$failed"; exit 1; }

.PHONY: lint
lint: setup ## Check style, formatting and who may import whom
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: setup ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: types
types: setup ## Check types with mypy --strict
	$(BIN)/mypy --strict $(CODE)

.PHONY: bench
bench: setup ## Measure ours and QEMU's in turn, and put the figures into the docs; ROUNDS=, ONLY=
	$(BIN)/python -m benchmarks --rounds $(ROUNDS) $(if $(ONLY),--only $(ONLY)) $(BENCH_OPTIONS)
	$(BIN)/python -m benchmarks.page

.PHONY: bench-bugs
bench-bugs: setup ## Have explorers look for the seeded bugs, ours and others (an hour); BENCH_OPTIONS=
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(OTHER_EXPLORERS)
	$(BIN)/python -m benchmarks.bench_bugs $(BENCH_OPTIONS)

.PHONY: docs
docs: setup ## Run the examples in README and docs, and follow their links
	$(BIN)/python -m pytest README.md docs tests/test_docs.py

.PHONY: build
build: setup ## Build the sdist and, from it, the wheel
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	@ls -l dist

.PHONY: lock
lock: ## Pin the newest versions of all development tools in requirements-dev.lock
	@tools/lock $(LOCK)

.PHONY: clean
clean: ## Remove what was built or cached, but no virtual environment
	rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
	rm -rf .hypothesis .explore .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
