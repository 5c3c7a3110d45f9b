# shellcheck shell=bash
# Shared by the runners: builds and starts the examples, and formats the result lines.
# Source it from the root of the repository.

work=$(mktemp -d)
servers=()
trap 'for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT

# build_examples NAME...: sets $examples to the directory of the programs.
build_examples() {
  if [ -z "${EXAMPLES:-}" ]; then
    cargo build --quiet --release --all-features "${@/#/--example=}"
  fi
  examples=${EXAMPLES:-${CARGO_TARGET_DIR:-target}/release/examples}
}

# start NAME ARGUMENTS...: starts an example and waits for its `listening on` line. Sets $address and $pid.
# Its output is in $work/NAME.out and $work/NAME.err.
start() {
  local name=$1
  shift
  : >"$work/$name.out" # so that it exists before the program starts
  "$examples/$name" "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
  pid=$!
  servers+=("$pid")
  for _ in $(seq 100); do
    address=$(sed -n 's|^listening on [a-z]*://||p' "$work/$name.out")
    [ -z "$address" ] || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name did not start:" >&2
  cat "$work/$name.out" "$work/$name.err" >&2
  return 1
}

# report ok|FAIL|note|skip PEER CASE
report() {
  printf '%-4s %-15s %s\n' "$@"
}

# summary RESULTS: counts the results. Succeeds if there are some and none failed.
summary() {
  local passed failed
  passed=$(grep -c '^ok ' "$1" || true)
  failed=$(grep -c '^FAIL ' "$1" || true)
  echo "$(grep -c '^note ' "$1" || true) notes, $(grep -c '^skip ' "$1" || true) skipped"
  echo "$passed passed, $failed failed"
  [ "$passed" -gt 0 ] && [ "$failed" = 0 ]
}
