# Meridian, as `cargo build --release` leaves it, or what $MERIDIAN names.
# shellcheck shell=bash

meridian_find() { executable "${MERIDIAN:-target/release/meridian}"; }
meridian_version() { "$1" --version; }
meridian_has() { true; }

meridian_configure() {
  local world=$1 folder=$2 port=$3 site latitude longitude address weight
  cat >"$folder/meridian.toml" <<END
[server]
listen = ["127.0.0.1:$port"]
workers = 1

[log]
level = "warn"

[[zone]]
name = "${ZONE[$world]}"
file = "$folder/zone"
END
  case $world in
    static) static_zone ;;
    *) plain_zone ;;
  esac >"$folder/zone"

  case $world in
    weighted)
      {
        printf '[site.here]\n[service.w]\nnames = ["%s"]\npolicy = "weighted"\nttl = 30\n' "$WEIGHTED_NAME"
        printf 'endpoints = [\n'
        while read -r address weight; do
          printf '  { site = "here", address = "%s", weight = %s },\n' "$address" "$weight"
        done <<<"$WEIGHTS"
        printf ']\n'
      } >>"$folder/meridian.toml"
      ;;
    geo)
      {
        printf '[geoip]\ndatabases = ["%s"]\n' "$GEO_DATABASE"
        while read -r site latitude longitude address; do
          printf '[site.%s]\nlocation = [%s, %s]\n' "$site" "$latitude" "$longitude"
        done <<<"$SITES"
        printf '[service.geo]\nnames = ["%s"]\npolicy = "geo-proximity"\nttl = 30\n' "$GEO_NAME"
        printf 'endpoints = [\n'
        while read -r site latitude longitude address; do
          printf '  { site = "%s", address = "%s" },\n' "$site" "$address"
        done <<<"$SITES"
        printf ']\n'
      } >>"$folder/meridian.toml"
      ;;
  esac
}

meridian_start() { exec "$1" serve -c "$2/meridian.toml"; }
