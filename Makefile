# Everything does its own set-up: a virtual environment in .venv with the locked dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: demo test unit embedded contract compose nightly selftest torture fuzz mutants bench lint format images clients lock clean

demo: $(VENV)/.installed
	$(BIN)/chaoskit run experiments/demo.yaml

# What measures no time goes side by side; what does, alone.
test: lint
	$(BIN)/pytest tests/unit tests/contract/clients -m "not nightly" -n 2 $(PYTEST_ARGS)
	$(BIN)/pytest tests/embedded tests/contract tests/compose --ignore tests/contract/clients -m "not nightly" $(PYTEST_ARGS)

unit embedded contract compose: $(VENV)/.installed
	$(BIN)/pytest tests/$@ -m "not nightly" $(PYTEST_ARGS)

# Every experiment, on the real stack and on the embedded region. About an hour on 2 cores.
nightly: $(VENV)/.installed
	$(BIN)/pytest tests/compose tests/contract tests/embedded -m "docker or nightly" -p no:randomly -rA -s $(PYTEST_ARGS)

# Does every check catch the bug it exists for: the embedded region with seeded bugs, three seeds each.
selftest: $(VENV)/.installed
	$(BIN)/chaoskit selftest --seeds 3

# 100 kills of a run at random moments, and a blob of 2 GB through the embedded region. About half an hour.
torture: $(VENV)/.installed
	$(BIN)/python -m tests.torture.kills 100
	$(BIN)/python -m tests.torture.blob 2048

# Every check against its slow oracle on a million random histories each. About an hour and a half of CPU time.
fuzz: $(VENV)/.installed
	$(BIN)/python -m tests.unit.checks.fuzz 1000000

# Do the tests of the judge notice small changes to it: 400 mutants. About ten minutes of CPU time.
mutants: $(VENV)/.installed
	$(BIN)/python -m tests.mutants.run 400

# What the speed claims of docs/performance.md are measured with: prints its tables. About five minutes on a quiet machine.
bench: $(VENV)/.installed
	$(BIN)/python -m bench

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

images:
	compose/offline/images.sh

# crane and regctl, for the tests that use real clients.
clients:
	compose/offline/clients.sh

# The locked versions of everything `make` installs, hashes included.
lock: $(VENV)/.installed
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --extra dev pyproject.toml -o requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
