#!/usr/bin/env bash
# Installs Debian packages without letting any service of theirs start, now or
# at the next boot, and without a PostgreSQL cluster of the system's. Runs as
# root; tools/setup.sh calls it.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/dataflow-setup.conf
undo=()
cleanup() {
  local path
  for path in "${undo[@]}"; do rm -f "$path"; done
}
trap cleanup EXIT

# Maintainer scripts ask policy-rc.d before they start anything; 101 is "no".
if [ ! -e $policy ]; then
  undo+=($policy)
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi
if [ ! -e $cluster ]; then
  undo+=($cluster)
  mkdir -p "$(dirname $cluster)"
  echo 'create_main_cluster = false' >$cluster
fi

redis_before=$(dpkg-query -W -f '${Status}' redis-server 2>/dev/null || true)

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"

# A Redis that came with us shall not start with the machine either.
if [ "$redis_before" != "install ok installed" ] && command -v systemctl >/dev/null 2>&1; then
  systemctl disable redis-server.service >/dev/null 2>&1 || true
fi
