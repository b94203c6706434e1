#!/usr/bin/env bash
# run-in-lanes.sh PYTHON TIMED...   runs all tests at once in two lanes, each in a network of its own.
#
# What is in TIMED must not be disturbed: it runs one file after the other, and waits half of its time. All else
# runs three at a time with what the first lane leaves of the processors (nice). The first lane's report comes
# when both have ended.
set -euo pipefail

here=$(dirname "$0")
[ $# -gt 1 ] || { echo "usage: $0 PYTHON TIMED..." >&2; exit 2; }
python=$1
shift

report=$(mktemp)
trap 'kill "$lane" 2>/dev/null || true; rm -f "$report"' EXIT
"$here/run-in-namespace.sh" "$python" -m pytest "$@" >"$report" 2>&1 &
lane=$!

rest=0
nice -n 15 "$here/run-in-namespace.sh" "$python" -m pytest -n 3 --dist loadfile --no-loadscope-reorder "${@/#/--ignore=}" || rest=$?
timed=0
wait "$lane" || timed=$?
echo "== Tests that a neighbour would disturb: browsers, bad networks"
cat "$report"
exit $((rest > timed ? rest : timed))
