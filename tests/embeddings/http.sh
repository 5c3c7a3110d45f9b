# shellcheck shell=bash
# What the checks of the embeddings in HTTP servers share. To be sourced from the root of the repository.

# shellcheck source=tests/interop/common.sh
. tests/interop/common.sh
examples=${CARGO_TARGET_DIR:-target}/release

# cannot REASON: ends a check that this machine cannot make.
cannot() {
  echo "skipped: $*"
  exit 77
}

# need COMMAND PACKAGE: a command that must be here, from Debian's PACKAGE if it is not.
need() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"; } \
      >/dev/null 2>&1 || true
    hash -r
  fi
  command -v "$1" >/dev/null || cannot "no $1 (Debian: $2)"
}

# node_clients: node with `ws`, and Chromium; installs what is missing, in the user's cache folder.
node_clients() {
  local packages=(ws@8.23.0 playwright-core@1.65.1) cache=${XDG_CACHE_HOME:-$HOME/.cache}/websocket-proto-embeddings
  need node nodejs
  need npm npm
  need chromium chromium
  if [ "$(cat "$cache/installed" 2>/dev/null)" != "${packages[*]}" ]; then
    rm -rf "$cache" && mkdir -p "$cache"
    npm install --silent --no-audit --no-fund --prefix "$cache" "${packages[@]}" || cannot "no npm packages ${packages[*]}"
    echo "${packages[*]}" >"$cache/installed"
  fi
  CHROMIUM=$(command -v chromium)
  export CHROMIUM NODE_PATH=$cache/node_modules
}

# build PACKAGE: with the time that it takes, which tells little where most of it is built already.
build() {
  local began=$SECONDS
  cargo build --quiet --release -p "$1"
  echo "$1: built in $((SECONDS - began)) s"
}

# peer NAME COMMAND...: runs a peer's cases; one that ends early is a failure of its own.
peer() {
  local name=$1 status=0
  shift
  timeout -k 5 300 "$@" </dev/null | tee -a "$work/results" || status=$?
  [ "$status" = 0 ] || report FAIL "$name" "all cases: ended with $status" | tee -a "$work/results"
}
