# One command per need. Each prepares what it uses; nothing has to be installed first
# but Python 3.11 or later with its venv module.

PYTHON ?= python3
BIN := .venv/bin
# Errors only: pip says a lot.
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint docs bench clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: .venv/.dev ## a virtual environment in .venv with all that development needs

demo: .venv/.core ## find anomalies in a small data set and show the report
	$(BIN)/whitecrow demo

test: .venv/.dev ## the tests (not the slow ones, not those for a GPU)
	$(BIN)/pytest -n auto

lint: .venv/.dev ## formatting, style, types, and who may import whom
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: .venv/.dev ## the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict # --quiet would undo --strict

bench: .venv/.bench ## speed and quality beside PyOD, DeepOD and scikit-learn
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/quality.py

clean: ## remove what the commands above wrote, but not .venv
	rm -rf site build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf .import_linter_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# Each stamp stands for a finished install; a change of what we depend on repeats it.
.venv/.core: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing whitecrow into .venv (once; a few minutes) ..."
	@$(INSTALL) -e .
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing whitecrow and its development tools into .venv (once) ..."
	@$(INSTALL) -e '.[dev]'
	@touch $@ .venv/.core

# DeepOD's wheel asks for torch < 1.13.1 and would replace torch: it comes without its
# dependencies, and tqdm and einops are what it imports beyond ours.
.venv/.bench: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing whitecrow and its peers into .venv (once) ..."
	@$(INSTALL) -e '.[bench]' einops tqdm
	@$(INSTALL) --no-deps deepod==0.4.1
	@touch $@ .venv/.core

$(BIN)/pip:
	@$(PYTHON) -m venv .venv
