#!/bin/sh
# Starts one of the walb programs under the Node this package pins. POSIX sh and `exec`, so that the
# program keeps the pid, the signals and the exit status, and an older Node on the machine does not
# matter. Sourced by the programs beside it, which set PROGRAM and root (this package's folder).

# Inside a clone or a global installation the pinned Node is below us; as a dependency it may have
# been hoisted beside us.
node=
for candidate in "$root/node_modules/node/bin/node" "$root/../node/bin/node"; do
  if [ -x "$candidate" ]; then
    node=$candidate
    break
  fi
done
if [ -z "$node" ]; then
  node=$(command -v node || true)
  major=$([ -n "$node" ] && "$node" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  if [ "$major" -lt 24 ]; then
    echo "$PROGRAM: needs Node 24 or newer, and the one this package brings is not installed." >&2
    echo "$PROGRAM: run 'npm ci' in $root (or reinstall the package) and try again." >&2
    exit 1
  fi
fi

case $PROGRAM in
  walb) entry=cli/main ;;
  walbc) entry=walbc/main ;;
  walb-storage) entry=storage-server/main ;;
  walb-proxy) entry=proxy-server/main ;;
  walb-archive) entry=archive-server/main ;;
  wdevc) entry=cli/wdevc ;;
esac
if [ -f "$root/src/$entry.ts" ]; then
  entry=$root/src/$entry.ts
else
  entry=$root/dist/$entry.js
fi

# Bulk data live outside the JavaScript heap. Without these two flags V8 collects the whole heap
# every few hundred megabytes of network traffic: twice the CPU time per gigabyte moved.
flags=
case $PROGRAM:$1 in
  walb-*:* | walb:wdev | walb:wlog | walb:wdiff)
    flags="--external-memory-accounted-in-global-limit --initial-heap-size=256"
    ;;
esac

# shellcheck disable=SC2086
exec "$node" --disable-warning=ExperimentalWarning $flags "$entry" "$@"
