# The two commands that do everything: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FAST := tests/models tests/services tests/load tests/policy tests/profiling/test_findings.py tests/profiling/test_kinds.py \
  tests/notebooks/test_panel.py tests/rename/test_statement.py tests/rename/test_function_text.py tests/test_money.py tests/test_tables.py tests/test_visible.py
WORKERS := --numprocesses 4 --dist loadfile
# Of cases that differ in their input alone `make test` runs one in so many: see tests/draw.py.
SHARE := 5
# The oldest that pyproject.toml allows, for the gate and the profiler.
SQLALCHEMY_2_0 := 2.0.44
VENV_2_0 := .venv-sqlalchemy-2.0
READY_2_0 := $(VENV_2_0)/.ready
UV := $(shell command -v uv 2>/dev/null)
# Generated schemas a server on which a rename is compared with PostgreSQL's own: about one a second.
EXAMPLES ?= 10000
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings
# Root has to say that it knows.
LAB := --KernelManager.transport_encryption=auto --LabApp.default_url=/lab/tree/README.md $(if $(filter 0,$(shell id -u)),--allow-root)

# Hundreds of processes import the same modules: where nothing may be kept, each would compile them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-newest test-all test-fast test-sqlalchemy-2.0 check lab bench fold notebooks pages lock clean

help: ## Show this list
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /  make \1\t/' | expand -t 30

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("invoicing needs Python 3.11 or newer, and $(PYTHON) is %s. Run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
ifeq ($(UV),)
	@echo "Installing into $(VENV) with pip (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
else
	@echo "Installing into $(VENV) with uv"
	@$(UV) venv --quiet --allow-existing --python "$(PYTHON)" $(VENV)
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@# No news and no look for updates, so that nothing is fetched from outside; pages are shown as pages.
	@mkdir -p $(LAB_SETTINGS) && cp invoicing/notebook/lab_settings.json $(LAB_SETTINGS)/overrides.json
	@touch $@

setup: $(READY) ## Make the virtual environment in .venv

demo: $(READY) ## Start PostgreSQL, load the sample, run the dashboard notebook, print one dashboard
	@$(BIN)/invoicing demo

test: $(READY) check ## Run the checks and every test, of many cases alike a share (13 minutes on two cores)
	@$(BIN)/python -m compileall -q invoicing tests
	@# Much of the time is spent waiting, so four at once use two cores; a file stays in one, and
	@# the browser, which takes longest, comes first.
	@INVOICING_TEST_SHARE=$(SHARE) $(BIN)/python -m pytest $(WORKERS) --no-loadscope-reorder --ignore tests/benchmarks
	@$(MAKE) --no-print-directory test-newest

$(READY_2_0): requirements.lock pyproject.toml
	@mkdir -p $(VENV_2_0)
	@sed 's/^sqlalchemy==.*/sqlalchemy==$(SQLALCHEMY_2_0)/' requirements.lock > $(VENV_2_0)/requirements.txt
ifeq ($(UV),)
	@echo "Installing into $(VENV_2_0) with pip (about a minute)"
	@$(PYTHON) -m venv $(VENV_2_0)
	@$(VENV_2_0)/bin/python -m pip install --quiet --requirement $(VENV_2_0)/requirements.txt
	@$(VENV_2_0)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
else
	@echo "Installing into $(VENV_2_0) with uv"
	@$(UV) venv --quiet --allow-existing --python "$(PYTHON)" $(VENV_2_0)
	@$(UV) pip install --quiet --compile-bytecode --python $(VENV_2_0)/bin/python --requirement $(VENV_2_0)/requirements.txt
	@$(UV) pip install --quiet --compile-bytecode --python $(VENV_2_0)/bin/python --no-deps --no-build-isolation --editable .
endif
	@touch $@

test-sqlalchemy-2.0: $(READY_2_0) ## Test the gate and the profiler on SQLAlchemy 2.0
	@$(VENV_2_0)/bin/python -m pytest --numprocesses 2 --dist loadfile tests/policy tests/profiling \
	  --ignore tests/profiling/test_comparison.py --ignore tests/profiling/test_magic.py \
	  --deselect tests/profiling/test_recorder_lines.py::test_a_notebooks_lines_are_those_of_its_cells

# Python's newest version here, where that is not the one of .venv: installed side by side by pyenv, or on PATH.
NEWEST = $(shell for python in python3.15 python3.14 python3.13 python3.12 $$HOME/.pyenv/versions/3.*/bin/python3; do \
  path=$$(command -v $$python) && "$$path" -c 'import sys; print("%03d" % sys.version_info[1], sys.executable)' 2>/dev/null; \
  done | sort -r | head -n 1 | cut -d " " -f 2)

test-newest: $(READY) ## Run the fast tests on the newest Python of this machine
	@newest="$(NEWEST)"; \
	if [ -z "$$newest" ] || ! "$$newest" -c 'import sys; sys.exit(sys.version_info[:2] <= tuple(map(int, sys.argv[1:])))' \
	  $$($(BIN)/python -c 'import sys; print(*sys.version_info[:2])'); then \
	  echo "No newer Python than that of $(VENV) is here: its tests stand for all"; \
	else $(MAKE) --no-print-directory VENV=.venv-newest PYTHON="$$newest" test-fast; fi

test-fast: $(READY)
	@echo "The fast tests on $$($(BIN)/python --version)"
	@INVOICING_TEST_SHARE=$(SHARE) INVOICING_TEST_NEWEST=1 $(BIN)/python -m pytest $(WORKERS) $(FAST)

check: $(READY)
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache \
	  && $(BIN)/python -m pytest --quiet --noconftest tests/test_words.py; others=$$?; \
	wait $$types && exit $$others

lab: $(READY) ## Open JupyterLab on a working copy of notebooks/
	@# It saves by itself, and no tracked file is to change by being looked at.
	@$(BIN)/invoicing init --update .notebooks
	@$(BIN)/jupyter lab --notebook-dir=.notebooks $(LAB)

test-all: $(READY) ## Run every case of every test, on every PostgreSQL that is installed (an hour)
	@INVOICING_TEST_ALL=1 $(BIN)/python -m pytest $(WORKERS) --no-loadscope-reorder

bench: $(READY) ## Measure: dashboards, loading, a rename (8 million invoices; half an hour, 25 GB of disk), and EXAMPLES=10000 by chance
	@$(BIN)/python -m pytest tests/benchmarks -m bench -s
	@INVOICING_TEST_ALL=1 INVOICING_TEST_KILLS=50 $(BIN)/python -m pytest tests/rename/test_kills.py \
	  tests/rename/test_kills_in_phases.py
	@INVOICING_TEST_ALL=1 INVOICING_TEST_TRANSACTIONS=2000 $(BIN)/python -m pytest tests/rollup/test_chaos.py
	@INVOICING_TEST_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -s tests/rename/differential/test_differential.py

fold: $(READY) ## Move the changes since the last fold into the totals of the portfolio (for cron)
	@$(BIN)/invoicing portfolio fold

notebooks: $(READY) ## Run the notebooks and keep their outputs
	@$(BIN)/invoicing notebooks

pages: $(READY) ## Write the pages and tables that are generated from rules and findings
	@$(BIN)/invoicing policy rules --markdown > invoicing/toolkit/policy/RULES.md
	@$(BIN)/invoicing profile --explain all > invoicing/toolkit/profiling/FINDINGS.md
	@INVOICING_UPDATE_README=1 $(BIN)/python -m pytest --quiet tests/profiling/test_kinds.py \
	  -k "table or readme"

lock: $(READY) ## Pin the newest versions that pyproject.toml allows (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --no-header --no-annotate \
	  pyproject.toml --output-file requirements.lock

clean: ## Stop the server, and remove .venv and .invoicing
	@[ ! -x $(BIN)/invoicing ] || $(BIN)/invoicing db stop
	@# Root's server keeps its data elsewhere, behind a link.
	@case "$$(readlink .invoicing/postgres)" in /var/lib/invoicing/*/postgres) \
	  rm -rf "$$(dirname "$$(readlink .invoicing/postgres)")";; esac
	@rm -rf $(VENV) $(VENV_2_0) .invoicing
