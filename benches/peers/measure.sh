# One run of a load against one server, and what it cost. Every figure goes to $RESULTS as a
# line of MEASURE SERVER ROUND QUANTITY VALUE.
# shellcheck shell=bash

record() { # MEASURE SERVER ROUND, then QUANTITY VALUE ...
  local head=$1$'\t'$2$'\t'$3
  shift 3
  while (($#)); do
    printf '%s\t%s\t%s\n' "$head" "$1" "$2" >>"$RESULTS"
    shift 2
  done
}

# A process and all that it has made.
process_tree() {
  local child
  local -a children
  echo "$1"
  read -ra children -d '' < <(cat "/proc/$1/task/"*/children 2>/dev/null) || true
  for child in "${children[@]}"; do process_tree "$child"; done
}

# Nanoseconds on a CPU, in user mode and in the kernel, of all threads of a server.
cpu_ns() {
  local process
  for process in $(process_tree "$1"); do
    # A thread may end meanwhile.
    cat "/proc/$process/task/"*/schedstat 2>/dev/null || true
  done | awk '{ ns += $1 } END { printf "%.0f", ns }'
}

load() { taskset -c "$LOAD_CPU" "$@"; }

# The value of a key in a line of key=value.
value() { grep -o "\b$1=[^ ]*" <<<"$2" | cut -d= -f2; }

# Closed loop, 200 queries of 20 clients under way: as many as the server can take.
throughput() { # MEASURE SERVER ROUND SECONDS
  local measure=$1 server=$2 round=$3 before after output codes
  before=$(cpu_ns "${PID[$server]}")
  output=$(load dnsperf -s 127.0.0.1 -p "${PORT[$server]}" -B -d "$WORK/$measure.queries.bin" \
    -c 20 -q 200 -t 2 -l "$4" 2>&1) || die "dnsperf: $output"
  after=$(cpu_ns "${PID[$server]}")
  codes=$(sed -n 's/ *Response codes: *//p' <<<"$output")
  [[ $server == floor || $codes == "${RCODE[$measure]} "*"(100.00%)" ]] ||
    die "$server answers $measure with $codes"
  # shellcheck disable=SC2046 # quantities and values are words
  record "$measure" "$server" "$round" $(awk -v cpu="$((after - before))" '
    /Queries completed:/ { completed = $3 }
    /Queries lost:/ { lost = $3 }
    /Average packet size:/ { octets = $NF }
    /Run time/ { seconds = $NF }
    END {
      printf "cpu_us %.3f rate %.0f lost %d busy %.0f octets %d",
        cpu / 1000 / completed, completed / seconds, lost, cpu / 1e7 / seconds, octets
    }' <<<"$output")
}

# Open loop at a fixed rate.
latency() { # MEASURE KIND SERVER ROUND SECONDS RATE
  local measure=$1 kind=$2 server=$3 round=$4 line
  line=$(load "$EXAMPLES/dns_load" paced "127.0.0.1:${PORT[$server]}" "$WORK/$measure.queries" "$6" "$5")
  record "$measure-$kind" "$server" "$round" offered "$6" \
    p50 "$(value p50_us "$line")" p99 "$(value p99_us "$line")" p999 "$(value p999_us "$line")" \
    lost "$(value lost "$line")" late "$(value sent_late_p99_us "$line")"
}

# `connections`: 50 clients, a connection for each query. `kept`: 20 connections that stay, with
# 10 queries under way on each.
tcp() { # connections|kept SERVER ROUND SECONDS
  local kind=$1 server=$2 round=$3 before after line
  local -a clients=(50)
  [[ $kind == connections ]] || clients=(20 10)
  before=$(cpu_ns "${PID[$server]}")
  line=$(load "$EXAMPLES/dns_load" "$kind" "127.0.0.1:${PORT[$server]}" "$WORK/static.queries" \
    "$4" "${clients[@]}")
  after=$(cpu_ns "${PID[$server]}")
  # shellcheck disable=SC2046
  record "tcp-$kind" "$server" "$round" $(awk -v cpu="$((after - before))" \
    -v answered="$(value answered "$line")" -v lost="$(value lost "$line")" \
    -v seconds="$(value seconds "$line")" 'BEGIN {
      if (!answered) { answered = 1e-9 }
      printf "cpu_us %.3f rate %.0f lost %d busy %.0f",
        cpu / 1000 / answered, answered / seconds, lost, cpu / 1e7 / seconds
    }')
}
