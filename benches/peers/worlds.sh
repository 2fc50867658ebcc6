# What is served and asked. A world is one zone that every server in it has, and nothing more,
# so that nobody pays for what is not measured.
#
#   static    10,000 names with an A record each
#   weighted  one name, eight addresses of weights 1 to 8
#   geo       one name, eight sites; clients come as Client Subnet
#
# Queries are lines of NAME TYPE [SUBNET] (examples/dns_load/queries.rs).
# shellcheck shell=bash disable=SC2034

declare -rA ZONE=([static]=example.com [weighted]=example.net [geo]=example.org)
declare -r WEIGHTED_NAME=w.example.net
declare -r GEO_NAME=geo.example.org

declare -r STATIC_NAMES=10000
declare -r CLIENTS=10000

declare -r WEIGHTS='192.0.2.1 1
192.0.2.2 2
192.0.2.3 3
192.0.2.4 4
192.0.2.5 5
192.0.2.6 6
192.0.2.7 7
192.0.2.8 8'

declare -r SITES='seoul 37.57 126.98 192.0.2.1
frankfurt 50.11 8.68 192.0.2.2
virginia 38.95 -77.45 192.0.2.3
sao-paulo -23.55 -46.63 192.0.2.4
sydney -33.87 151.21 192.0.2.5
cape-town -33.92 18.42 192.0.2.6
mumbai 19.08 72.88 192.0.2.7
oregon 45.6 -121.2 192.0.2.8'

# Nets of these are not anybody's place.
declare -r NOT_CLIENTS='^(0|10|127|22[4-9]|2[34][0-9]|25[0-5])\.|^100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|^169\.254\.|^172\.(1[6-9]|2[0-9]|3[01])\.|^192\.(0\.[02]|168|88\.99)\.|^198\.(1[89]|51\.100)\.|^203\.0\.113\.'

plain_zone() {
  cat <<'END'
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
@ NS ns2
ns1 A 192.0.2.53
ns2 A 198.51.100.53
END
}

# h0 to h9999; their addresses are in 198.18.0.0/15.
static_zone() {
  plain_zone
  awk -v count="$STATIC_NAMES" 'BEGIN {
    for (n = 0; n < count; n++) printf "h%d A 198.18.%d.%d\n", n, n / 256, n % 256
  }'
}

static_address() { echo "198.18.$(($1 / 256)).$(($1 % 256))"; }

# Every name once, neighbours far from each other: 7,919 is prime.
static_queries() {
  awk -v count="$STATIC_NAMES" 'BEGIN { for (n = 0; n < count; n++) print "h" n * 7919 % count ".example.com A" }'
}

nxdomain_queries() { static_queries | sed 's/^h/missing-/'; }

weighted_queries() { echo "$WEIGHTED_NAME A"; }

geo_queries() { awk -v name="$GEO_NAME" '{ print name, "A", $1 }' "$GEO_CLIENTS"; }

# From Meridian's map: the networks with all sites from best to worst, the fewer networks with
# the nearest site alone, and /24s to ask for, taken evenly from the latter, with what is right.
make_geo() {
  local folder=$1
  GEO_RANKINGS="$folder/rankings" GEO_NEAREST="$folder/nearest" GEO_CLIENTS="$folder/clients"
  meridian_configure geo "$folder" 0
  "$EXAMPLES/geo_networks" "$folder/meridian.toml" >"$GEO_RANKINGS"
  "$EXAMPLES/geo_networks" "$folder/meridian.toml" 1 >"$GEO_NEAREST"
  awk -v count="$CLIENTS" -v not_clients="$NOT_CLIENTS" '
    NR == FNR { address[$1] = $4; next }
    { split($1, net, "/") }
    net[2] <= 24 && net[1] !~ not_clients { client[n++] = net[1] "/24 " address[$2] }
    END { for (i = 0; i < count; i++) print client[int(i * 7919 % count * n / count)] }
  ' - "$GEO_NEAREST" <<<"$SITES" >"$GEO_CLIENTS"
}
