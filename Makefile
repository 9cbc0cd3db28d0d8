# Two commands: `make demo` opens the demo, `make test` runs the tests. Each makes .venv when it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev

.PHONY: demo test style quality
.DEFAULT_GOAL := demo

demo: $(STAMP)
	$(BIN)/python app.py

test: $(DEV)
	$(BIN)/python -m pytest

style: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

quality: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "scagan-hub needs Python 3.11 or newer, and $(PYTHON) is %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --requirement requirements.txt
	$(BIN)/python -m pip install --no-deps --editable .
	@touch $(STAMP)

$(DEV): $(STAMP) requirements-dev.txt
	$(BIN)/python -m pip install --requirement requirements-dev.txt
	@touch $(DEV)
