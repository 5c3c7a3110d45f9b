# shellcheck shell=bash
# Shared by the tests of the HTTP embeddings. Source it from the root of the repository.

# shellcheck source=tests/interop/common.sh
. tests/interop/common.sh
# shellcheck source=tests/interop/install.sh
. tests/interop/install.sh
# shellcheck disable=SC2034 # for `start`
examples=${CARGO_TARGET_DIR:-target}/release
need curl curl
need chromium chromium
install_peers embeddings
CHROMIUM=$(command -v chromium)
export CHROMIUM

# build CARGO_ARGUMENTS...: builds, and prints the time, which is not meaningful if parts were built before.
build() {
  local began=$SECONDS
  cargo build --quiet --locked --release "$@"
  echo "built in $((SECONDS - began)) s"
}

# peer NAME COMMAND...: runs a peer's cases; one that exits early counts as a failure.
peer() {
  local name=$1 status=0
  shift
  timeout -k 5 300 "$@" </dev/null | tee -a "$work/results" || status=$?
  [ "$status" = 0 ] || report FAIL "$name" "all cases: ended with $status" | tee -a "$work/results"
}
