#!/usr/bin/env bash
# run-in-lanes.sh PYTHON TIMED...   runs all tests at once in two lanes, each in a network of its own.
#
# The files TIMED must not be disturbed: they run one after the other, and wait half of their time. All others
# run three at a time with what the first lane leaves of the processors (nice). The first lane's report comes
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
echo "== Tests that a neighbour would disturb: lessons in browsers, bad networks"
cat "$report"
exit $((rest > timed ? rest : timed))
