//! What good files mean: defaults, and the many ways to write the same thing.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::catalog::{
    Dnstap, DnstapPeer, LogFormat, LogOutput, QueryLog, Secret, Webhook, WebhookEvent,
};
use crate::config::spec::ProbeAddress;
use crate::guard::Rate;
use crate::health::{
    Caution, CheckKind, Damping, DnsCheck, ExternalCheck, Failback, Full, HaproxyCell, Place,
    Reports, ResponseCode, RiseFall, Schedule, Scheme, Smoothing, TcpCheck, TlsCheck,
};
use crate::model::{AdminState, MemoryFiles, RecordType, SiteId, TtlRange};
use crate::steer::MinHealthy;
use crate::wire::{BindingParameters, BindingTarget, MandatoryKey};

fn spec(from: &str, to: &str) -> Spec {
    match read_octets(changed(from, to)) {
        Ok(spec) => spec,
        Err(errors) => panic!("{}", errors.render(Dress::Plain)),
    }
}

#[test]
fn defaults_are_filled_in() {
    let spec = spec("", "");
    let listen = ["0.0.0.0:53", "[::]:53"].map(|text| text.parse::<SocketAddr>().unwrap());
    assert_eq!(spec.server.listen, listen);
    assert_eq!(spec.server.workers, None);
    assert_eq!(spec.server.max_udp_payload, 1232);
    assert_eq!(spec.server.tcp_idle_timeout, Duration::from_secs(10));
    assert_eq!(spec.server.tcp_max_connections, 1024);
    assert_eq!(spec.server.tcp_max_connections_per_client, 64);
    assert_eq!((&spec.server.allow_query, &spec.rate_limit), (&None, &None));
    assert!(spec.server.watch_files);
    assert_eq!(spec.log, LogSpec { format: LogFormat::Text, level: tracing::Level::INFO });
    assert_eq!(spec.admin.listen, None);
    assert_eq!((&spec.query_log, &spec.dnstap, spec.webhooks.len()), (&None, &None, 0));
    assert_eq!(spec.ecs, EcsSpec { enabled: true, max_scope_v4: 32, max_scope_v6: 56 });
    assert_eq!(spec.health.state_max_age, Duration::from_secs(600));
    assert_eq!(spec.health.max_probes_in_flight, 256);
    assert_eq!(spec.sites[0].admin_state, AdminState::Enabled);
    let check = &spec.checks[0];
    assert_eq!((check.schedule, check.rise_fall), (Schedule::default(), RiseFall::default()));
    let service = &spec.services[0];
    assert_eq!(service.ttl, TtlRange::new(30, 30).unwrap());
    assert_eq!((service.max_answers, &service.all_down), (None, &AllDown::FailOpen));
    assert_eq!((&service.https, &service.svcb), (&None, &None));
    assert_eq!(service.steering.within_site, None);
    assert_eq!(service.steering.min_healthy, MinHealthy::Count(1));
    assert_eq!((service.steering.hash_prefix_v4, service.steering.hash_prefix_v6), (24, 56));
}

#[test]
fn paths_start_at_the_directory_of_the_file() {
    let spec = spec("", "[geoip]\ndatabases = [\"a.mmdb\", \"/b.mmdb\"]");
    assert_eq!(spec.zones[0].file.value, PathBuf::from("etc/example.zone"));
    let databases: Vec<_> = spec.geoip.databases.into_iter().map(|path| path.value).collect();
    assert_eq!(databases, [PathBuf::from("etc/a.mmdb"), PathBuf::from("/b.mmdb")]);
}

#[test]
fn sections_keep_the_order_of_the_file() {
    let spec = spec("", "");
    let sites: Vec<_> = spec.sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(sites, ["seoul", "frankfurt"]);
    assert_eq!(spec.services[0].endpoints[1].site.value, SiteId(1));
    assert_eq!(spec.services[0].checks, [CheckRule::Probe(CheckIndex(0))]);
}

#[test]
fn limits_take_what_they_lack_from_responses_per_second() {
    let read = |text: &str| spec("", &format!("[rate_limit]\n{text}")).rate_limit;
    assert_eq!(read(""), None);
    let limits = read("responses_per_second = 7\nerrors_per_second = 3").unwrap().limits;
    let rate = |number| Rate::new(NonZeroU32::new(number).unwrap(), Duration::from_secs(5));
    assert_eq!(limits.per_class, [7, 7, 7, 7, 3].map(rate));
    assert_eq!((limits.all, limits.slip, limits.log_only), (None, 2, false));
    assert_eq!((limits.ipv4_prefix, limits.ipv6_prefix), (24, 56));
    let all = read("responses_per_second = 1\nall_per_second = 9\nwindow = \"1s\"").unwrap();
    let rate = |number| Rate::new(NonZeroU32::new(number).unwrap(), Duration::from_secs(1));
    assert_eq!((all.limits.per_class[0], all.limits.all), (rate(1), Some(rate(9))));
    assert_eq!(all.table_size, 65_536);
}

#[test]
fn a_ttl_is_written_in_four_ways() {
    for (text, min, max) in [
        ("60", 60, 60),
        ("\"1m\"", 60, 60),
        ("{ min = 0, max = \"1d\" }", 0, 86_400),
        ("{ min = \"5s\", max = 30 }", 5, 30),
    ] {
        let spec = spec("check = \"web\"", &format!("check = \"web\"\nttl = {text}"));
        assert_eq!(spec.services[0].ttl, TtlRange::new(min, max).unwrap(), "{text}");
    }
}

#[test]
fn a_probe_takes_what_it_lacks_from_endpoint_and_check() {
    for (probe, address, port) in [
        ("", "192.0.2.10", None),
        (", probe = \"127.0.0.1\"", "127.0.0.1", None),
        (", probe = \"::1\"", "::1", None),
        (", probe = \"[::1]:81\"", "::1", Some(81)),
    ] {
        let spec = spec("address = \"192.0.2.10\"", &format!("address = \"192.0.2.10\"{probe}"));
        let probe = spec.services[0].endpoints[0].probe;
        let expected = ProbeAddress { address: address.parse().unwrap(), port };
        assert_eq!(probe, Some(expected));
    }
    let unchecked = spec("check = \"web\"\n", "");
    assert_eq!(unchecked.services[0].endpoints[0].probe, None);
}

#[test]
fn statuses_are_codes_and_ranges() {
    let spec = spec("port = 8080", "port = 80\nexpect_status = [204, \"301\", \"400-403\"]");
    let CheckKind::Http(http) = &spec.checks[0].kind else { panic!("an http check") };
    let passes = |status| http.expect_status.iter().any(|range| range.contains(status));
    for (status, expected) in [(204, true), (205, false), (301, true), (403, true), (404, false)] {
        assert_eq!(passes(status), expected, "{status}");
    }
}

#[test]
fn last_resorts_are_addresses_or_a_name() {
    let all_down = |text: &str| {
        let text = format!("check = \"web\"\nall_down = \"last-resort\"\nlast_resort = {text}");
        spec("check = \"web\"", &text).services.remove(0).all_down
    };
    for (text, count) in [("\"192.0.2.1\"", 1), ("[\"192.0.2.1\", \"2001:db8::1\"]", 2)] {
        let AllDown::LastResort(LastResort::Addresses(addresses)) = all_down(text) else {
            panic!("{text} is addresses")
        };
        assert_eq!(addresses.len(), count);
    }
    let AllDown::LastResort(LastResort::Alias(alias)) = all_down("\"sorry.example.net\"") else {
        panic!("a name")
    };
    assert_eq!(alias.to_string(), "sorry.example.net.");
    assert_eq!(alias.at.key, "service.www.last_resort");
}

#[test]
fn https_is_a_type_or_a_scheme() {
    for text in [
        "type = \"https\"",
        "type = \"http\"\nscheme = \"https\"",
        "type = \"https\"\nscheme = \"https\"",
    ] {
        let spec = spec("type = \"http\"", text);
        let CheckKind::Http(http) = &spec.checks[0].kind else { panic!("an http check") };
        assert_eq!((http.scheme, http.verify), (Scheme::Https, true), "{text}");
    }
}

#[test]
fn a_count_and_a_share_are_told_apart() {
    for (text, expected) in [("1", "Count(1)"), ("1.0", "Fraction(1.0)")] {
        let spec = spec("check = \"web\"", &format!("check = \"web\"\nmin_healthy = {text}"));
        assert_eq!(format!("{:?}", spec.services[0].steering.min_healthy), expected);
    }
}

fn reports(keys: &str) -> Reports {
    let spec = spec("port = 8080", &format!("port = 80\npath = \"/up\"\n{keys}"));
    let CheckKind::Http(http) = &spec.checks[0].kind else { panic!("an http check") };
    *http.reports.clone().expect("something is asked for")
}

#[test]
fn a_number_comes_with_the_check_or_by_a_request_of_its_own() {
    for (keys, expected) in [
        ("", None),
        (", path = \"/load\"", Some((Scheme::Http, None, "/load"))),
        (", port = 81", Some((Scheme::Http, Some(81), "/up"))),
        (", scheme = \"https\"", Some((Scheme::Https, None, "/up"))),
    ] {
        let from = "from = \"header\", name = \"X-Load\"";
        let load = format!("load = {{ {from}, full = 2{keys} }}\nweight_from = {{ {from}{keys} }}");
        let Reports { load: Some(load), weight: Some(weight) } = reports(&load) else {
            panic!("both are asked for")
        };
        let request = load.source.request.as_ref();
        let parts = request.map(|request| (request.scheme, request.port, request.path.as_str()));
        assert_eq!(parts, expected, "{keys}");
        assert_eq!(load.source, weight.source);
        assert_eq!((load.full, load.smoothing), (Full::new(2.0), Smoothing::default()));
        assert_eq!(load.stale_after, Duration::from_secs(17), "3 × 5 s + 2 s");
        assert_eq!(weight.stale_after, load.stale_after);
    }
}

#[test]
fn haproxy_says_itself_what_is_full() {
    let load = |keys: &str| {
        let load = format!("load = {{ from = \"haproxy-csv\", proxy = \"www\"{keys} }}");
        reports(&load).load.unwrap()
    };
    let cell = |server: &str, field: &str| {
        Place::HaproxyCsv(HaproxyCell::new("www", server, field).unwrap())
    };
    let plain = load("");
    assert_eq!((plain.source.place, plain.full), (cell("BACKEND", "scur"), None));
    let keys = ", server = \"s1\", field = \"stot\", full = 0.5, smoothing = 1, max_change = 0.25";
    let all = load(&format!("{keys}, stale_after = \"7s\""));
    assert_eq!((all.source.place, all.full), (cell("s1", "stot"), Full::new(0.5)));
    assert_eq!(all.smoothing, Smoothing::new(1.0, 0.25).unwrap());
    assert_eq!(all.stale_after, Duration::from_secs(7));
}

#[test]
fn caution_is_off_and_damping_has_defaults() {
    let read = |keys: &str| spec("port = 25", &format!("port = 25\n{keys}")).checks[1].caution;
    let none = Caution::default();
    assert_eq!((none.failover_delay, none.failback_delay), (Duration::ZERO, Duration::ZERO));
    assert_eq!((read(""), none.damping, none.failback), (none, None, Failback::Auto));
    let [hold, max, forget_after] = [10, 600, 1800].map(Duration::from_secs);
    let damping = Damping::new(hold, max, forget_after).ok();
    assert_eq!(read("damping = {}"), Caution { damping, ..none });
    let keys = "failover_delay = \"10s\"\nfailback_delay = \"30m\"\nfailback = \"manual\"\n\
                damping = { hold = \"1m\", max = \"1m\", forget_after = \"1d\" }";
    let [minute, day] = [60, 86_400].map(Duration::from_secs);
    let all = Caution {
        failover_delay: hold,
        failback_delay: forget_after,
        damping: Damping::new(minute, minute, day).ok(),
        failback: Failback::Manual,
    };
    assert_eq!(read(keys), all);
}

#[test]
fn a_dns_check_asks_for_addresses_unless_told_otherwise() {
    let read = |keys: &str| {
        let spec = spec("type = \"tcp\"\nport = 25", &format!("type = \"dns\"\n{keys}"));
        let check = spec.checks[1].clone();
        let CheckKind::Dns(dns) = check.kind else { panic!("a dns check") };
        (check.port, dns)
    };
    let plain = DnsCheck::new("www.example.com".parse().unwrap());
    assert_eq!(read("query = \"www.example.com.\""), (None, plain.clone()));
    let keys = "port = 5353\nquery = \"WWW.example.com\"\nquery_type = \"aaaa\"\n\
                expect_rcode = [\"noerror\", \"NXDOMAIN\"]\nexpect_answer = \"2001:db8::1\"";
    let rcodes = [0, 3].map(ResponseCode).to_vec();
    let answer = Some("2001:db8::1".to_owned());
    let all = DnsCheck { rtype: RecordType::AAAA, rcodes, answer, ..plain };
    assert_eq!(read(keys), (Some(5353), all));
}

#[test]
fn rules_hold_what_their_groups_hold() {
    let spec = spec(
        "",
        "[geoip]\ndatabases = \"a.mmdb\"
[clients]\nlab = [\"192.0.2.0/24\", \"ASN:64500\"]
[geo_map.world]\nrules = [
  { clients = [\"group:lab\", \"Country:kr\"], sites = [\"frankfurt\", \"auto\"] },
  { clients = \"any\", sites = \"seoul\" },
]
[geo_map.other]\nrules = [{ clients = \"group:lab\", sites = \"auto\" }]\ndefault = \"seoul\"",
    );
    let [world, other] = &spec.geo_maps[..] else { panic!("two maps") };
    let shown: Vec<_> = world.rules[0].clients.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.0.2.0/24", "asn:64500", "country:KR"]);
    let order = |sites: &[u16], auto| {
        let sites = sites.iter().copied().map(SiteId).collect();
        SiteOrder { sites, auto }
    };
    let orders: Vec<_> = world.orders().chain(other.orders()).cloned().collect();
    let expected = [order(&[1], true), order(&[0], false), order(&[], true), order(&[0], false)];
    assert_eq!(orders, expected);
    assert!(world.ranks_by_distance() && world.default.is_none());
}

#[test]
fn checks_inherit_what_they_do_not_say() {
    let kinds = |to: &str| {
        let spec = spec("port = 8080", &format!("port = 8080\n{to}"));
        spec.checks.into_iter().map(|check| (check.name.value.clone(), check)).collect::<Vec<_>>()
    };
    let text = "path = \"/web\"\nexpect_body = \"ok\"\ninterval = \"1s\"\nfall = 7\n\
        [check.a]\ninherits = \"b\"\nfall = 8\nexpect_body_regex = \"fine\"\n\
        [check.b]\ninherits = \"web\"\ntype = \"https\"\nverify = false\npath = \"/b\"\n\
        [check.c]\ninherits = \"a\"\ntype = \"tcp\"\nport = 1\n\
        [check.d]\ninherits = \"a\"\ntype = \"icmp\"\n\
        [check.e]\ninherits = \"a\"\ntype = \"external\"\n\
        [check.f]\ninherits = \"a\"\nmethod = \"HEAD\"";
    let kinds = kinds(text);
    let check = |name: &str| &kinds.iter().find(|(known, _)| known == name).unwrap().1;
    let http = |name: &str| match &check(name).kind {
        CheckKind::Http(http) => http.clone(),
        kind => panic!("{name} is {kind:?}"),
    };
    for (name, scheme, path, verify, body, fall) in [
        ("web", Scheme::Http, "/web", true, "`ok`", 7),
        ("b", Scheme::Https, "/b", false, "`ok`", 7),
        ("a", Scheme::Https, "/b", false, "a match of `fine`", 8),
        ("f", Scheme::Https, "/b", false, "-", 8),
    ] {
        let http = http(name);
        let shown = http.expect_body.map_or_else(|| "-".to_owned(), |body| body.to_string());
        assert_eq!(
            (http.scheme, http.path.as_str(), http.verify),
            (scheme, path, verify),
            "{name}"
        );
        assert_eq!((check(name).rise_fall.fall.get(), shown.as_str()), (fall, body), "{name}");
        assert_eq!(check(name).port, Some(8080));
    }
    assert_eq!(
        (&check("c").kind, check("c").port),
        (&CheckKind::Tcp(TcpCheck::default()), Some(1))
    );
    assert_eq!((&check("d").kind, check("d").port), (&CheckKind::Icmp, None));
    let external = check("e");
    assert_eq!(external.kind, CheckKind::External(ExternalCheck::default()));
    assert_eq!((external.rise_fall.rise.get(), external.rise_fall.fall.get()), (1, 8));
    for name in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(check(name).schedule.interval(), Duration::from_secs(1), "{name}");
    }
}

#[test]
fn what_a_back_end_says_and_caution_are_inherited() {
    let to = "port = 8080\nload = { from = \"header\", name = \"X-Load\", full = 8 }\n\
         failback = \"manual\"\n\
         [check.a]\ninherits = \"web\"\ninterval = \"1s\"\nfailover_delay = \"9s\"\n\
         [check.b]\ninherits = \"a\"\ntype = \"tcp\"\nfailback = \"auto\"";
    let checks = spec("port = 8080", to).checks;
    // Three intervals and a timeout, of the check that inherits.
    for (name, stale_after, failback, delay) in [
        ("web", Some(17), Failback::Manual, 0),
        ("a", Some(5), Failback::Manual, 9),
        ("b", None, Failback::Auto, 9),
    ] {
        let check = checks.iter().find(|check| check.name.value == name).unwrap();
        let load = check.kind.reports().and_then(|reports| reports.load.as_ref());
        let stale_after = stale_after.map(Duration::from_secs);
        assert_eq!(load.map(|load| load.stale_after), stale_after, "{name}");
        assert_eq!(check.caution.failback, failback, "{name}");
        assert_eq!(check.caution.failover_delay, Duration::from_secs(delay), "{name}");
    }
}

#[test]
fn a_scheme_is_not_inherited_by_another_type() {
    let to = "type = \"http\"\nscheme = \"https\"\nsni = \"a\"\nca_file = \"ca.pem\"\n\
        [check.a]\ninherits = \"web\"\ntype = \"http\"\n\
        [check.b]\ninherits = \"web\"\n\
        [check.c]\ninherits = \"web\"\nverify = false\n\
        [check.d]\ninherits = \"web\"\ntype = \"tls\"\n\
        [check.web2]\ntype = \"http\"";
    let checks = spec("type = \"http\"", to).checks;
    let shown: Vec<_> = checks[1..5]
        .iter()
        .map(|check| match &check.kind {
            CheckKind::Http(http) => {
                (http.scheme.as_str(), http.sni.is_some(), check.ca_file.is_some())
            }
            CheckKind::Tls(tls) => ("tls", tls.sni.is_some(), check.ca_file.is_some()),
            kind => panic!("{kind:?}"),
        })
        .collect();
    let expected = [
        ("http", false, false),
        ("https", true, true),
        ("https", true, false),
        ("tls", true, true),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn checks_without_a_port_need_none() {
    for (keys, expected) in [
        ("type = \"icmp\"", 0),
        ("type = \"external\"", 0),
        ("type = \"external\"\nport = 80", 80),
        ("type = \"exec\"\ncommand = \"/bin/true\"", 0),
        ("type = \"exec\"\nport = 80\ncommand = [\"/bin/x\", \"{port}\"]", 80),
    ] {
        let spec = spec("type = \"http\"\nport = 8080", keys);
        assert!(spec.services[0].endpoints[0].probe.is_some());
        let check = &spec.checks[0];
        assert_eq!(check.port.or_else(|| check.kind.default_port()), Some(expected), "{keys}");
    }
}

#[test]
fn certificates_are_warned_of_a_fortnight_before() {
    let read = |keys: &str| match spec("type = \"tcp\"", keys).checks.remove(1).kind {
        CheckKind::Tls(tls) => tls,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(read("type = \"tls\""), TlsCheck::default());
    assert_eq!(TlsCheck::default().warn_before, Duration::from_secs(14 * 86_400));
    let of_https = |keys: &str| match spec("type = \"tcp\"", keys).checks.remove(1).kind {
        CheckKind::Http(http) => http.warn_before,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(of_https("type = \"https\""), TlsCheck::WARN_BEFORE);
    assert_eq!(of_https("type = \"https\"\nwarn_before = \"0s\""), Duration::ZERO);
    let tls = read("type = \"tls\"\nalpn = \"dot\"\nwarn_before = \"0s\"\nsni = \"a\"");
    let sni = "a".parse().ok();
    let alpn = vec!["dot".to_owned()];
    let expected = TlsCheck { sni, alpn, warn_before: Duration::ZERO, ..TlsCheck::default() };
    assert_eq!(tls, expected);
}

#[test]
fn a_binding_takes_its_defaults_and_hints_only_of_its_own_names() {
    let read = |keys: &str| {
        let spec = spec("", &format!("[service.www.https]\n{keys}"));
        spec.services[0].https.clone().unwrap().parameters
    };
    let plain = BindingParameters {
        priority: 1,
        target: BindingTarget::Owner,
        mandatory: Vec::new(),
        alpn: Vec::new(),
        no_default_alpn: false,
        port: None,
        hints: true,
        ech: None,
    };
    assert_eq!(read(""), plain);
    assert_eq!(read("target = \".\"\nhints = true"), plain);
    let own = BindingTarget::Own("www.example.com".parse().unwrap());
    assert_eq!(
        read("target = \"WWW.example.com\""),
        BindingParameters { target: own, ..plain.clone() }
    );
    let target = BindingTarget::Other("cdn.example.net".parse().unwrap());
    let other = BindingParameters { target, hints: false, ..plain.clone() };
    assert_eq!(read("target = \"cdn.example.net\""), other);
    let all = BindingParameters {
        priority: 2,
        mandatory: vec![MandatoryKey::Alpn, MandatoryKey::Port],
        alpn: vec!["h2".to_owned(), "h3".to_owned()],
        no_default_alpn: true,
        port: Some(8443),
        hints: false,
        ech: Some([0, 1, 7].into()),
        ..plain
    };
    let keys = "priority = 2\nalpn = [\"h2\", \"h3\"]\nno_default_alpn = true\nport = 8443\n\
                hints = false\nech = \"AAEH\"\nmandatory = [\"port\", \"alpn\"]";
    assert_eq!(read(keys), all);
}

#[test]
fn logs_are_off_until_they_have_somewhere_to_go() {
    let log = |text: &str| spec("", &format!("[query_log]\n{text}")).query_log;
    let plain = QueryLog {
        output: LogOutput::Stderr,
        sample: 1,
        max_per_second: 1000,
        ipv4_prefix: 24,
        ipv6_prefix: 48,
    };
    assert_eq!(log("output = \"stderr\""), Some(plain.clone()));
    let output = LogOutput::File("etc/q.log".into());
    assert_eq!(
        log("output = \"q.log\"\nsample = 100\nipv4_prefix = 32"),
        Some(QueryLog { output, sample: 100, ipv4_prefix: 32, ..plain })
    );
    let tap = |text: &str| spec("", &format!("[dnstap]\n{text}")).dnstap;
    let peer = DnstapPeer::Socket("etc/tap".into());
    let plain = Dnstap { peer, queries: true, responses: true, sample: 1, identity: None };
    assert_eq!(tap("socket = \"tap\""), Some(plain.clone()));
    let peer = DnstapPeer::Address(([127, 0, 0, 1], 6000).into());
    assert_eq!(
        tap("address = \"127.0.0.1:6000\"\nmessages = \"query\"\nidentity = \"me\""),
        Some(Dnstap { peer, responses: false, identity: Some("me".into()), ..plain })
    );
}

/// The webhooks of a configuration, with a file that holds a secret.
fn webhooks(text: &str) -> Result<Vec<Webhook>, String> {
    let files = MemoryFiles::default()
        .with("meridian.toml", format!("{GOOD}[[webhook]]\nurl = \"http://a.example:80\"\n{text}"))
        .with("example.zone", "$TTL 60\n@ SOA ns h 1 1 1 1 1\n@ NS ns\n")
        .with("secret", " s3cret\n")
        .with("empty", "\n");
    let loaded = load(Path::new("meridian.toml"), &files, None);
    loaded.map(|catalog| catalog.settings.webhooks).map_err(|refused| {
        assert!(refused.files.contains(&"meridian.toml".into()));
        refused.diagnostics.iter().map(Diagnostic::title).collect()
    })
}

#[test]
fn webhooks_have_what_they_need() {
    let secret = |text: &str| webhooks(text).map(|hooks| hooks[0].secret.clone());
    let wanted = Ok(Some(Secret((*b"s3cret").into())));
    assert_eq!(secret("secret = \"s3cret\""), wanted);
    assert_eq!(secret("secret_file = \"secret\""), wanted);
    assert_eq!(secret(""), Ok(None));
    for (file, message) in [
        ("empty", "webhook[0].secret_file: empty is empty, which is no secret"),
        ("none", "webhook[0].secret_file: cannot read none: entity not found"),
    ] {
        let refused = secret(&format!("secret_file = \"{file}\"")).unwrap_err();
        assert_eq!(refused, message);
    }
    let hooks = webhooks("events = \"reload\"\nservices = \"w*\"").unwrap();
    let [hook] = &hooks[..] else { panic!("{hooks:?}") };
    assert!(hook.events.has(WebhookEvent::Reload) && !hook.events.has(WebhookEvent::Health));
    assert_eq!((hook.services.len(), hook.timeout.as_secs()), (1, 10));
    assert_eq!(hook.retry_for, Duration::from_secs(4 * 3600));
    assert!(!format!("{:?}", webhooks("secret = \"s3cret\"")).contains("s3cret"));
}
