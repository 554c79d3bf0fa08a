# make run: the dashboard at http://127.0.0.1:8501. make test: every check. Both make their environment themselves.
# make run-signed-in: the dashboard with sign-in and five people, one a role, to try it out.
# make test-room ROOM=pricing (or lab/replay, pages/plans): the tests and worked examples of one room alone.
# With OPTIONS=--full, tests take all of their samples: laws, kills, generated requests, a million runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
OPTIONS ?=
ROOM ?=
# Some machines keep no compiled modules: every start would compile all it imports again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run run-signed-in test test-room format requirements clean

run: $(VENV)/run.done
	@echo "Starting the dashboard. Stop it with Ctrl+C."
	@$(BIN)/streamlit run app.py

run-signed-in: $(VENV)/test.done
	@$(BIN)/python -m scripts.signed_in

test: $(VENV)/test.done
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n $(WORKERS) $(OPTIONS)

test-room: $(VENV)/test.done
	$(if $(and $(ROOM),$(wildcard tests/$(ROOM)/)),,$(error name a folder of tests/, such as make test-room ROOM=pricing))
	$(BIN)/python -m pytest -n $(WORKERS) $(OPTIONS) \
		$(wildcard tests/$(ROOM) credits_core/$(ROOM) $(filter pages pages/%,$(ROOM)))

format: $(VENV)/test.done
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

requirements: $(VENV)/test.done
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make requirements" requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make requirements" requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV)

$(VENV)/made.done:
	@$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and 'Python 3.11 to 3.13 is needed; name one with make PYTHON=python3.12')"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements-dev.txt)"
	@touch $@

# uv installs in a fraction of pip's time; where it cannot reach what pip is set up to use, pip does it.
define install
	@echo "Installing $$(grep -c == $(1)) packages into $(VENV); the first time this takes up to a minute."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r $(1) \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1)
endef

$(VENV)/run.done: $(VENV)/made.done requirements.txt
	$(call install,requirements.txt)
	@touch $@

$(VENV)/test.done: $(VENV)/run.done requirements-dev.txt
	$(call install,requirements-dev.txt)
	@touch $@
