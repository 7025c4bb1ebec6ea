#!/usr/bin/env bash
# Checks that everything needed to build, run or test is there, and installs
# what is missing on Debian and Ubuntu. Elsewhere it names what to install.
#
#   tools/setup.sh run     to build and run
#   tools/setup.sh test    what tests look at files with as well
#
# It changes nothing and takes no time when all is there. Servers that it
# installs are neither started nor set up: DataFlow runs its own, apart.
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-run}
case $goal in run | test) ;; *) echo "usage: tools/setup.sh run|test" >&2; exit 2 ;; esac

node_cache=.cache/node
node_version=22.23.3
npm_version=10.9.9

have() { command -v "$1" >/dev/null 2>&1; }

node_major() { "$1" --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p'; }

have_node() {
  local major
  if [ -x $node_cache/node_modules/.bin/node ] && [ -x $node_cache/node_modules/.bin/npm ]; then return 0; fi
  have node && have npm || return 1
  major=$(node_major node)
  [ "${major:-0}" -ge 20 ]
}

have_postgres() {
  local dir
  if have postgres && have initdb; then return 0; fi
  for dir in /usr/lib/postgresql/{15,16,17,18}/bin /usr/pgsql-{15,16,17,18}/bin /usr/local/pgsql/bin; do
    if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then return 0; fi
  done
  return 1
}

have_redis() { have redis-server || have valkey-server || [ -x /usr/sbin/redis-server ]; }

# A compiler that can link a C++ program, for DuckDB.
have_compiler() { have gcc && have g++ && [ -e /usr/include/stdlib.h ]; }

have_chromium() { have chromium; }

# Go itself comes from the person, as every version of it can build nothing older.
if ! have go; then
  echo "Go is not installed. Install Go $(sed -n 's/^go //p' go.mod) or newer: https://go.dev/doc/install" >&2
  exit 1
fi
go_version=$(GOFLAGS= go env GOVERSION 2>&1) || {
  echo "This Go can't build DataFlow: $go_version" >&2
  echo "Install Go $(sed -n 's/^go //p' go.mod) or newer: https://go.dev/doc/install" >&2
  exit 1
}

packages=()
names=()
need() { # what people call it, then its packages
  names+=("$1")
  shift
  packages+=("$@")
}
have_compiler || need "a C and C++ compiler" gcc g++ libc6-dev
have_postgres || need "PostgreSQL (15 to 18)" postgresql
have_redis || need "Redis" redis-server
node_missing=
if ! have_node; then
  node_missing=yes
  have npm || need "npm" npm
fi
have_chromium || need "Chromium, which prints PDF" chromium chromium-sandbox fonts-liberation fonts-noto-color-emoji fonts-noto-core
# The Chromium without windows prints in less time; not every system has it.
if ! have chromium-headless-shell && have apt-get && apt-cache show chromium-headless-shell >/dev/null 2>&1; then
  need "Chromium without windows" chromium-headless-shell
fi
if [ "$goal" = test ]; then
  have pdftotext || need "poppler's tools, to read PDF" poppler-utils
fi

install_packages() {
  if ! have apt-get; then
    echo "Please install, then try again:" >&2
    printf '  %s\n' "${names[@]}" >&2
    if [ -n "$node_missing" ]; then echo "  Node.js 20 or newer, with npm" >&2; fi
    exit 1
  fi
  [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
  echo "Installing: ${packages[*]}"
  if [ "$(id -u)" = 0 ]; then
    bash tools/apt-install.sh "${packages[@]}"
    return
  fi
  if ! have sudo; then
    echo "As root, please run:  bash tools/apt-install.sh ${packages[*]}" >&2
    exit 1
  fi
  echo "  sudo bash tools/apt-install.sh ${packages[*]}"
  sudo bash tools/apt-install.sh "${packages[@]}"
}

if [ ${#packages[@]} -gt 0 ]; then install_packages; fi

if [ -n "$node_missing" ] && ! have_node; then
  echo "Installing Node.js $node_version into $node_cache"
  rm -rf $node_cache
  mkdir -p $node_cache
  echo '{"private":true}' >$node_cache/package.json
  (cd $node_cache && npm install --no-audit --no-fund --loglevel=error --save-exact "node@$node_version" "npm@$npm_version")
  major=$(node_major $node_cache/node_modules/.bin/node)
  if [ "${major:-0}" -lt 20 ]; then
    rm -rf $node_cache
    echo "Node.js could not be installed from npm. Install Node.js 20 or newer, with npm." >&2
    exit 1
  fi
fi
