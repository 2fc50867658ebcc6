# Turns the lines of $RESULTS into a table: awk -v measure=static -v kind=throughput -f report.awk
#
# A cell is the median of all rounds and, in brackets, the least and the greatest. Ratios are
# made within each round, Meridian's value below the line, and then treated the same way.

BEGIN { FS = "\t" }

$1 == measure {
  if (!($2 in seen)) { seen[$2] = 1; server[++servers] = $2 }
  at[$2, $4, $3] = $5
  if ($3 > rounds) rounds = $3
}

END {
  if (kind == "latency") {
    head("server|queries/s|p50, µs|p99, µs|p99.9, µs|lost|sent late, p99, µs")
    for (s = 1; s <= servers; s++)
      row(server[s] "|" median_only(server[s], "offered") "|" cell(server[s], "p50", 0) "|" \
        cell(server[s], "p99", 0) "|" cell(server[s], "p999", 0) "|" total(server[s], "lost") \
        "|" cell(server[s], "late", 0))
  } else {
    unit = kind == "connections" ? "connection" : "query"
    units = kind == "connections" ? "connections" : "queries"
    octets = kind == "throughput" ? "|octets" : ""
    head("server|µs of CPU per " unit "|ratio|" units "/s|ratio|lost|core busy" octets)
    for (s = 1; s <= servers; s++)
      row(server[s] "|" cell(server[s], "cpu_us", 2) "|" ratio(server[s], "cpu_us") "|" \
        cell(server[s], "rate", 0) "|" ratio(server[s], "rate") "|" total(server[s], "lost") \
        "|" median_only(server[s], "busy") " %" \
        (octets == "" ? "" : "|" median_only(server[s], "octets")))
  }
}

function head(columns,    n, i, name, line) {
  row(columns)
  n = split(columns, name, "|")
  for (i = 1; i <= n; i++) line = line (i == 1 ? "|---" : "|--:")
  print line "|"
}

function row(columns) {
  gsub(/\|/, " | ", columns)
  print "| " columns " |"
}

function cell(s, quantity, digits) { collect(s, quantity, ""); return shown(digits) }
function ratio(s, quantity) { collect(s, quantity, "meridian"); return shown(2) }

function median_only(s, quantity) { collect(s, quantity, ""); return number(median(), 0) }

function total(s, quantity,    r, sum) {
  for (r = 1; r <= rounds; r++) sum += at[s, quantity, r]
  return number(sum, 0)
}

# The values of all rounds, sorted into `values`.
function collect(s, quantity, below,    r, i, value) {
  count = 0
  for (r = 1; r <= rounds; r++) {
    if (!((s, quantity, r) in at)) continue
    value = at[s, quantity, r] + 0
    if (below != "") {
      if (at[below, quantity, r] + 0 == 0) continue
      value /= at[below, quantity, r]
    }
    for (i = ++count; i > 1 && values[i - 1] > value; i--) values[i] = values[i - 1]
    values[i] = value
  }
}

function median() {
  return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
}

function shown(digits) {
  if (!count) return "-"
  return number(median(), digits) " (" number(values[1], digits) "–" number(values[count], digits) ")"
}

# With commas between thousands.
function number(value, digits,    text, whole, rest) {
  text = sprintf("%." digits "f", value)
  whole = text; rest = ""
  if (index(text, ".")) { whole = substr(text, 1, index(text, ".") - 1); rest = substr(text, index(text, ".")) }
  while (length(whole) > 3) {
    rest = "," substr(whole, length(whole) - 2) rest
    whole = substr(whole, 1, length(whole) - 3)
  }
  return whole rest
}
