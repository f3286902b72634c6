# Wirt's own errands; run as root (sudo make ...), because packages and guests need it.

# The quick ones first: a slip shows within seconds. Of the slow ones those that wait longest come first, so that none is left
# to wait for at the end. Directories that are not named here, as the lab host's, come before them.
QUICK := tests/unit tests/contract tests/docs
SLOW := tests/guest tests/crash tests/cli tests/bench tests/host
OTHERS := $(filter-out $(QUICK) $(SLOW) tests/golden tests/__pycache__,$(patsubst %/,%,$(wildcard tests/*/)))

BIN := .venv/bin

# A file of tests is one process's, so that what its tests share is made once.
SIDE_BY_SIDE := --numprocesses $(shell nproc) --dist loadfile --no-loadscope-reorder

help: ## say what there is
	@awk -F '## ' '/^[a-z-]+:.*## / { split($$1, name, ":"); printf "  make %-8s  %s\n", name[1], $$2 }' Makefile

compare: set-up ## set the machine up, measure every approach (a quick run) and write the report
	$(BIN)/wirt compare --profile quick

test: set-up check ## set the machine up and run the tests, but for the long ones; one that cannot run here counts as failed
	WIRT_REQUIRE=1 $(BIN)/pytest $(SIDE_BY_SIDE) $(QUICK)
	WIRT_REQUIRE=1 $(BIN)/pytest $(SIDE_BY_SIDE) --durations=10 -m "not long and not alone" $(OTHERS) $(SLOW)
	WIRT_REQUIRE=1 $(BIN)/pytest -m "not long and alone" $(OTHERS) $(SLOW)

long: set-up ## run the tests that take many minutes and that make test leaves out
	WIRT_REQUIRE=1 $(BIN)/pytest --durations=0 -m long $(QUICK) $(SLOW)

lab: set-up ## run the tests that want an emulated host with cgroup v2, systemd and KVM, the long ones too
	WIRT_REQUIRE=1 $(BIN)/pytest --durations=10 tests/lab

set-up: ## Debian packages, virtual environment, workloads, template; what is done already takes no time
	@scripts/set-up

lint: ## style, types and layers (needs no root once the packages are there)
	@scripts/set-up packages venv
	@$(MAKE) --no-print-directory check

check:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: set-up ## set Wirt's speed and memory beside other tools' and print the table (see docs/performance.md)
	$(BIN)/python bench/ratios.py

clean: ## remove what was built in the checkout; guests, templates and results stay
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help compare test long lab set-up lint check bench clean
.NOTPARALLEL:
