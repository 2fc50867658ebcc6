# BIND: static zones only; its GeoIP chooses views, and not by Client Subnet.
# shellcheck shell=bash

bind_find() { command -v named; }
bind_version() { "$1" -v | cut -d' ' -f 1-2; }
bind_has() { [[ $1 == static ]]; }

bind_configure() {
  local world=$1 folder=$2 port=$3
  static_zone >"$folder/zone"
  cat >"$folder/named.conf" <<END
options {
  directory "$folder";
  listen-on port $port { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  session-keyfile none;
  lock-file none;
  recursion no;
  querylog no;
  notify no;
  minimal-responses yes;
  empty-zones-enable no;
};
controls { };
zone "${ZONE[$world]}" { type primary; file "zone"; };
END
}

bind_start() { exec "$1" -g -n 1 -c "$2/named.conf"; }
