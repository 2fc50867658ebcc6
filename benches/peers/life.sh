# Starting a server, making sure that it answers rightly, and stopping what was started.
# shellcheck shell=bash

start() { # SERVER WORLD
  local server=$1 world=$2 folder="$WORK/$2-$1" deadline=$((SECONDS + 180))
  is_free "${PORT[$server]}" || die "port ${PORT[$server]} is taken; set FIRST_PORT"
  mkdir "$folder"
  "${server}_configure" "$world" "$folder" "${PORT[$server]}"
  say "starting $server"
  (
    # Here, so that the shell becomes the server and $! is its process.
    taskset -cp "$SERVER_CPU" "$BASHPID" >/dev/null
    "${server}_start" "${PROGRAM[$server]}" "$folder"
  ) </dev/null >"$folder/log" 2>&1 &
  PID["$server"]=$!
  until ask "$server" "ns1.${ZONE[$world]}" >/dev/null; do
    kill -0 "${PID[$server]}" 2>/dev/null || die "$server ended: $(tail -n 20 "$folder/log")"
    ((SECONDS < deadline)) || die "$server does not answer: $(tail -n 20 "$folder/log")"
    sleep 0.2
  done
}

# Whether nobody has a port, over UDP or TCP.
is_free() {
  ! grep -qi ":$(printf '%04X' "$1") 00000000:0000 0[7A]" /proc/net/udp /proc/net/tcp
}

stop_all() {
  local server
  for server in "${!PID[@]}"; do
    kill "${PID[$server]}" 2>/dev/null || true
  done
  for server in "${!PID[@]}"; do
    wait "${PID[$server]}" 2>/dev/null || true
  done
  PID=()
}

# The addresses in an answer, which has to be NOERROR with AA.
ask() { # SERVER NAME [SUBNET]
  local output
  output=$("$DIG" @127.0.0.1 -p "${PORT[$1]}" +norec +tries=1 +time=1 ${3:+"+subnet=$3"} "$2" A 2>/dev/null) || return 1
  grep -qi 'status: NOERROR' <<<"$output" || return 1
  grep -qi 'flags:.* aa' <<<"$output" || return 1
  awk '!/^;/ && $4 == "A" { print $5 }' <<<"$output"
}

verify_static() {
  local server=$1 number answer
  [[ $server != floor ]] || return 0
  for number in 0 1 255 256 4711 9999; do
    answer=$(ask "$server" "h$number.example.com") || die "$server has no h$number.example.com"
    [[ $answer == "$(static_address "$number")" ]] || die "$server: h$number.example.com is $answer"
  done
}

# Every answer is one of the addresses, and not always the same one.
verify_weighted() {
  local server=$1 turn answer
  local -A seen=()
  [[ $server != floor ]] || return 0
  for ((turn = 0; turn < 20; turn++)); do
    answer=$(ask "$server" "$WEIGHTED_NAME") || die "$server has no $WEIGHTED_NAME"
    grep -qF "$answer " <<<"$WEIGHTS" || die "$server: $WEIGHTED_NAME is $answer"
    seen[$answer]=1
  done
  ((${#seen[@]} > 1)) || die "$server: $WEIGHTED_NAME is always $answer"
}

verify_geo() {
  local server=$1 client address answer
  [[ $server != floor ]] || return 0
  while read -r client address; do
    answer=$(ask "$server" "$GEO_NAME" "$client") || die "$server has nothing for $client"
    [[ $answer == "$address" ]] || die "$server: for $client, $answer and not $address"
  done < <(head -n 40 "$GEO_CLIENTS")
}
