# PowerDNS with the bind backend and its caches as they are by default. Weights are a Lua
# record. Its geoip backend wants databases in MaxMind's schema, so it is not compared there.
# shellcheck shell=bash

powerdns_find() { command -v pdns_server; }
powerdns_version() { "$1" --version 2>&1 | grep -m 1 -o 'PowerDNS .* Server [^ ]*'; }
powerdns_has() { [[ $1 == static || $1 == weighted ]]; }

powerdns_configure() {
  local world=$1 folder=$2 port=$3 address weight choices=''
  cat >"$folder/pdns.conf" <<END
local-address=127.0.0.1
local-port=$port
launch=bind
bind-config=$folder/zones.conf
socket-dir=$folder
receiver-threads=1
distributor-threads=1
daemon=no
guardian=no
loglevel=3
log-dns-queries=no
END
  echo "zone \"${ZONE[$world]}\" { type native; file \"$folder/zone\"; };" >"$folder/zones.conf"
  case $world in
    static)
      static_zone >"$folder/zone"
      ;;
    weighted)
      echo 'enable-lua-records=yes' >>"$folder/pdns.conf"
      while read -r address weight; do
        choices+="${choices:+, }{$weight, '$address'}"
      done <<<"$WEIGHTS"
      {
        plain_zone
        echo "$WEIGHTED_NAME. 30 LUA A \"pickwrandom({$choices})\""
      } >"$folder/zone"
      ;;
  esac
}

powerdns_start() { exec "$1" --config-dir="$2"; }
