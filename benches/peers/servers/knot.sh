# Knot DNS. Weights and geography are module geoip's, which some systems package apart
# (knot-module-geoip); $KNOT_GEOIP names its geoip.so if it is not where Knot looks. Geography is
# its mode subnet: one answer per network, no order of sites behind it.
# shellcheck shell=bash

knot_find() { command -v knotd; }
knot_version() { "$1" --version; }

knot_has() {
  [[ $1 == static ]] && return
  local verdict
  { knot_module; printf 'mod-geoip:\n  - id: any\n    config-file: none\n'; } >"$WORK/knot-has.conf"
  verdict=$(knotc -c "$WORK/knot-has.conf" conf-check 2>&1) || true
  [[ $verdict != *'unknown module'* ]]
}

knot_module() {
  [[ -z ${KNOT_GEOIP:-} ]] || printf 'module:\n  - id: mod-geoip\n    file: %s\n' "$KNOT_GEOIP"
}

knot_configure() {
  local world=$1 folder=$2 port=$3
  {
    [[ $world == static ]] || knot_module
    cat <<END
server:
  rundir: $folder
  listen: 127.0.0.1@$port
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
control:
  listen: $folder/knot.socket
log:
  - target: stderr
    any: warning
database:
  storage: $folder
  journal-db-max-size: 4M
  kasp-db-max-size: 5M
  timer-db-max-size: 1M
template:
  - id: default
    storage: $folder
    zonefile-sync: -1
    journal-content: none
END
    case $world in
      weighted) printf 'mod-geoip:\n  - id: w\n    mode: weighted\n    ttl: 30\n    config-file: %s/geoip\n' "$folder" ;;
      geo) printf 'mod-geoip:\n  - id: geo\n    mode: subnet\n    ttl: 30\n    config-file: %s/geoip\n' "$folder" ;;
    esac
    printf 'zone:\n  - domain: %s\n    file: zone\n' "${ZONE[$world]}"
    case $world in
      weighted) printf '    module: mod-geoip/w\n' ;;
      geo) printf '    module: mod-geoip/geo\n' ;;
    esac
  } >"$folder/knot.conf"

  # The zone needs a record where the module is to answer.
  case $world in
    static) static_zone >"$folder/zone" ;;
    weighted)
      { plain_zone; echo "$WEIGHTED_NAME. 30 A 203.0.113.1"; } >"$folder/zone"
      {
        echo "$WEIGHTED_NAME:"
        awk '{ printf "  - weight: %s\n    A: %s\n", $2, $1 }' <<<"$WEIGHTS"
      } >"$folder/geoip"
      ;;
    geo)
      { plain_zone; echo "$GEO_NAME. 30 A 203.0.113.1"; } >"$folder/zone"
      {
        echo "$GEO_NAME:"
        awk 'NR == FNR { address[$1] = $4; next } { printf "  - net: %s\n    A: %s\n", $1, address[$2] }' \
          - "$GEO_NEAREST" <<<"$SITES"
      } >"$folder/geoip"
      ;;
  esac
}

knot_start() { exec "$1" -c "$2/knot.conf"; }
