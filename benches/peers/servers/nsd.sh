# NSD: static zones only.
# shellcheck shell=bash

nsd_find() { command -v nsd; }
nsd_version() { "$1" -v 2>&1 | head -n 1; }
nsd_has() { [[ $1 == static ]]; }

nsd_configure() {
  local world=$1 folder=$2 port=$3
  static_zone >"$folder/zone"
  cat >"$folder/nsd.conf" <<END
server:
  ip-address: 127.0.0.1@$port
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "$folder"
  database: ""
  pidfile: "$folder/nsd.pid"
  xfrdfile: "$folder/nsd.xfrd"
  xfrdir: "$folder"
  zonelistfile: "$folder/nsd.zones"
  receive-buffer-size: 1048576
  send-buffer-size: 1048576
  minimal-responses: yes
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: ${ZONE[$world]}
  zonefile: "$folder/zone"
END
}

nsd_start() { exec "$1" -d -c "$2/nsd.conf"; }
