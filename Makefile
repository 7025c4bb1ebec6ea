# DataFlow. "make" alone lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

GO ?= go

# One place for how Go builds everything: the module file is never changed in
# passing, and DuckDB answers in Arrow batches. CONTRIBUTING.md says how to set
# the same in an editor.
export GOFLAGS := -mod=readonly -tags=duckdb_arrow
export CGO_ENABLED := 1

# tools/setup.sh puts Node here where the system has none that is new enough.
export PATH := $(CURDIR)/.cache/node/node_modules/.bin:$(PATH)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)

# Assets are built again when one of these changed. Tailwind reads the classes
# that pages use from views.
ASSET_SOURCES := $(shell find static views -type d \( -name node_modules -o -name dist \) -prune -o -type f \( -path 'static/*' -o -name '*.templ' \) -print 2>/dev/null)
ASSETS        := static/dist/manifest.json
NODE_MODULES  := static/node_modules/.installed

TEST_TIMEOUT ?= 25m

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup assets build ## install what is missing, build, and run with demo data
	@set -a; if [ -f .env ]; then . ./.env; fi; exec bin/dataflow serve --demo

.PHONY: run
run: setup assets build ## the same without demo data
	@set -a; if [ -f .env ]; then . ./.env; fi; exec bin/dataflow serve

.PHONY: setup
setup: ## install what building and running need
	@tools/setup.sh run

.PHONY: build
build: assets ## build bin/dataflow
	@echo "building bin/dataflow $(VERSION)"
	@mkdir -p bin
	@$(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/dataflow ./cmd/dataflow

.PHONY: assets
assets: $(ASSETS) ## build scripts, styles and fonts into static/dist

$(ASSETS): $(NODE_MODULES) $(ASSET_SOURCES)
	@echo "building assets"
	@cd static && npm run --silent build
	@touch $@

$(NODE_MODULES): static/package.json static/package-lock.json
	@echo "installing the packages that assets are built from"
	@cd static && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

E2E_MODULES := e2e/node_modules/.installed

$(E2E_MODULES): e2e/package.json e2e/package-lock.json
	@echo "installing the browser tests' driver"
	@cd e2e && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: generate
generate: ## regenerate Go from templates and SQL
	@$(GO) tool -modfile=tools/go.mod templ generate -path views
	@$(GO) tool -modfile=tools/go.mod sqlc generate

.PHONY: test
test: ## run every test: units, real servers, real browser
	@tools/setup.sh test
	@$(MAKE) build $(E2E_MODULES)
	@cd static && npm test --silent
	@$(GO) test -timeout $(TEST_TIMEOUT) ./...

.PHONY: check
check: ## format, vet, static analysis, generated code, import rules, types
	@tools/setup.sh test
	@$(MAKE) assets
	@tools/check.sh

# Public time series for the rows on forecasts; rows say so where it is missing.
export BENCH_TIMESERIES ?= ../shared/data/dev/timeseries

.PHONY: bench
bench: ## measure side by side, print one table and write the README's
	@tools/setup.sh test
	@$(MAKE) build $(E2E_MODULES)
	@$(GO) run ./bench

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin static/node_modules .cache
	find static/dist -mindepth 1 ! -name .placeholder -delete
