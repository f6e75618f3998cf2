# Everything a developer types. Each target sets up what it needs first (scripts/setup), from the lock files.
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help run test check unit slow format bench wheel lock

help: ## Show these lines
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: ## Set up and open the chat at http://localhost:8000
	@scripts/setup run
	@$(BIN)/modelwright chat

test: ## Set up and run everything: lint, types, import contract, all tests
	@scripts/setup test
	@$(MAKE) --no-print-directory check unit

check: ## Lint, types and the import contract, without tests
	@scripts/setup dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: ## All tests and nothing else; T=tests/tools runs a part
	@scripts/setup dev
	$(BIN)/pytest -n 2 --dist loadfile $(T)

slow: ## The tests that take minutes: real tables end to end, an ordinary user's sandbox, notebooks
	@scripts/setup dev
	$(BIN)/pytest -n 2 --dist loadfile -m slow $(T)

format: ## Format the code and mend what ruff can mend
	@scripts/setup dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## Measure the figures of the README
	@scripts/setup dev
	$(BIN)/python -m benchmarks.first_model

wheel: ## Build the wheel into dist/
	@scripts/setup dev
	$(BIN)/python -m build --no-isolation --wheel

lock: ## Lock the dependencies of pyproject.toml anew, changing as little as possible
	@scripts/setup dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url sandbox/image/requirements.in -c requirements.lock -o sandbox/image/requirements.lock
