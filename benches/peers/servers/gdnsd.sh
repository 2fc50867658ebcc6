# gdnsd. Weights are plugin weighted's. Geography is plugin geoip's `nets`, with all sites in
# order, because its databases have to be in MaxMind's schema; it knows then what Meridian knows.
# shellcheck shell=bash

gdnsd_find() { command -v gdnsd; }
gdnsd_version() { "$1" -h 2>&1 | grep -m 1 -o 'gdnsd version.*'; }
gdnsd_has() { true; }

gdnsd_configure() {
  local world=$1 folder=$2 port=$3
  mkdir -p "$folder/zones" "$folder/geoip" "$folder/run" "$folder/state"
  cat >"$folder/config" <<END
options => {
  listen => 127.0.0.1:$port
  udp_threads => 1
  udp_rcvbuf => 1048576
  udp_sndbuf => 1048576
  tcp_threads => 1
  run_dir => $folder/run
  state_dir => $folder/state
}
END
  local zone_file="$folder/zones/${ZONE[$world]}"
  case $world in
    static)
      static_zone >"$zone_file"
      ;;
    weighted)
      { plain_zone; echo "$WEIGHTED_NAME. 30 DYNA weighted!w"; } >"$zone_file"
      {
        echo 'plugins => { weighted => { w => {'
        awk '{ printf "  a%d => [%s, %s]\n", NR, $1, $2 }' <<<"$WEIGHTS"
        echo '} } }'
      } >>"$folder/config"
      ;;
    geo)
      { plain_zone; echo "$GEO_NAME. 30 DYNA geoip!geo"; } >"$zone_file"
      cat >>"$folder/config" <<END
plugins => { geoip => {
  maps => { sites => {
    datacenters => [$(awk '{ printf "%s%s", separator, $1; separator = ", " }' <<<"$SITES")]
    nets => nets
  } }
  resources => { geo => {
    map => sites
    dcmap => {
$(awk '{ printf "      %s => %s\n", $1, $4 }' <<<"$SITES")
    }
  } }
} }
END
      # 192.0.2.0/24 => [nearest, next, ...]
      awk '{
        printf "%s => [%s", $1, $2
        for (i = 3; i <= NF; i++) printf ", %s", $i
        print "]"
      }' "$GEO_RANKINGS" >"$folder/geoip/nets"
      ;;
  esac
}

gdnsd_start() { exec "$1" -c "$2" start; }
