# The floor: Meridian's sockets with no engine behind them. Whatever is asked, it answers
# 192.0.2.1; so its answers are not checked. It takes no configuration.
# shellcheck shell=bash

floor_find() { executable "$EXAMPLES/bare_responder"; }
floor_version() { echo "examples/bare_responder"; }
floor_has() { true; }
floor_configure() { echo "$3" >"$2/port"; }
floor_start() { exec "$1" "127.0.0.1:$(<"$2/port")" 1; }
