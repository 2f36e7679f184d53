# Every target sets up what it needs by itself: a machine with python3 (3.11 or newer) and its venv module is enough.
PYTHON ?= python3
# More than two cores have work for: much of the suite waits.
WORKERS ?= 4
BIN := .venv/bin
# Off, wherever it is on: tests start hundreds of processes, and each would compile every module anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help setup servers test demo demo-replay demo-streams testbed-demo lint types contract faults fuzz soak bench clean
.DEFAULT_GOAL := help

help:           ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## */\t/' | expand -t 15

setup: .venv/installed      ## the virtual environment, with pinned packages

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "headrace needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip==26.3
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group dev
	@touch $@

servers: setup  ## the servers and the fault proxy that tests and demo run against, in their own environments
	@$(BIN)/python tests/support/install.py
	@PYTHONPATH=tests $(BIN)/python -W ignore -m support.kafka

test: setup servers     ## the suite, against real servers
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

demo: setup servers     ## 10,000 orders through a real SQS server, with the books balanced at the end
	@PYTHONPATH=tests $(BIN)/python configs/demo/run.py

demo-streams: setup servers     ## 8,000 readings through four Kinesis shards that split and merge while a copy is killed
	@PYTHONPATH=tests $(BIN)/python configs/streams/run.py

demo-replay: setup servers      ## poison orders fail, are listed, edited and replayed to success
	@PYTHONPATH=tests $(BIN)/python configs/replay/run.py

testbed-demo: setup servers     ## a shop with five kinds of sources, without AWS: on a Kafka broker that it starts
	@mkdir -p .cache/headrace && ln -sfn .. .cache/headrace/servers    # Kafka's jars are those of the tests
	@XDG_CACHE_HOME=$(CURDIR)/.cache PYTHONPATH=$$(echo $(CURDIR)/.cache/kafka/lib/python*/site-packages) \
	  $(BIN)/python configs/shop/demo.py

lint: setup     ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup    ## mypy, strict
	$(BIN)/mypy

contract: setup ## what may import what
	$(BIN)/lint-imports

faults: setup servers   ## processes killed, servers stopped, connections cut; minutes
	$(BIN)/python -m pytest tests/faults

fuzz: setup     ## 10,000 damaged config files and event patterns, and as many events matched two ways
	HEADRACE_FUZZ=$(or $(HEADRACE_FUZZ),10000) $(BIN)/python -m pytest -n $(WORKERS) tests/property

soak: setup     ## thousands of random pipelines
	HEADRACE_SEEDS=$(or $(HEADRACE_SEEDS),5000) $(BIN)/python -m pytest -n $(WORKERS) tests/property

bench: setup servers    ## the numbers of benchmarks/README.md
	$(BIN)/python benchmarks/run.py

clean:          ## everything that the other targets made
	rm -rf .venv .cache demo-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
