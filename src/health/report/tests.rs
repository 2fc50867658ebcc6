//! What is read out of responses, format by format, and that nothing in them can hurt.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn read(place: &Place, body: &str) -> Result<Found, String> {
    place.read(|_| None, body.as_bytes()).map_err(|error| error.to_string())
}

fn check(place: &Place, body: &str, expected: Result<f64, &str>) {
    let value = read(place, body).map(|found| found.value);
    assert_eq!(value, expected.map_err(str::to_owned), "{place:?} in {body:?}");
}

#[test]
fn a_header_is_a_number() {
    let place = Place::Header("X-Load".parse().expect("a header's name"));
    for (value, expected) in [
        (Some(" 42.5 "), Ok(42.5)),
        (Some("0"), Ok(0.0)),
        (Some("42%"), Err("`42%` is no number")),
        (Some(""), Err("`` is no number")),
        (None, Err("no header `X-Load`")),
    ] {
        let field = |name: &str| value.filter(|_| name == "X-Load").map(str::to_owned);
        let found = place.read(field, b"").map(|found| found.value);
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }
    for name in ["", "X Load", "X-Load:", "é"] {
        assert!(name.parse::<FieldName>().is_err(), "{name}");
    }
}

#[test]
fn a_pointer_leads_through_json() {
    let place = |pointer: &str| Place::Json(pointer.parse().expect("a pointer"));
    let body = r#"{"load": {"1m": 0.5, "5m": "0.25", "a/b": [1, 2e1]}, "x": null, "m~n": 8}"#;
    for (pointer, expected) in [
        ("/load/1m", Ok(0.5)),
        ("/load/5m", Ok(0.25)),
        ("/load/a~1b/1", Ok(20.0)),
        ("/m~0n", Ok(8.0)),
        ("/load/15m", Err("the JSON has nothing at `/load/15m`")),
        ("/load/a~1b/01", Err("the JSON has nothing at `/load/a~1b/01`")),
        ("/load", Err("`an object` is no number")),
        ("/x", Err("`null` is no number")),
    ] {
        check(&place(pointer), body, expected);
    }
    check(&place(""), "17", Ok(17.0));
    let no_json = "the body is no JSON: expected value at line 1 column 1";
    check(&place(""), "<html>", Err(no_json));
    let deep = "[".repeat(100_000);
    assert!(read(&place(""), &deep).is_err_and(|error| error.contains("recursion limit")));
    for pointer in ["load", "/a~", "/a~2", " /a"] {
        assert!(pointer.parse::<JsonPointer>().is_err(), "{pointer}");
    }
}

const METRICS: &str = r#"# HELP process_load Load.
# TYPE process_load gauge
process_load{instance="a"} 0.25 1395066363000
process_load{instance="b",path="C:\\DIR\"x\",} 7"} 0.5
process_load_total 9
up 1
nan NaN
  spaced { a = "1" , b = "2" , }   3e2 # {trace="x"} 1
queue 1
queue 2
broken{a="1} 5
broken{a=1} 5
text x
"#;

#[test]
fn a_sample_is_found_by_its_labels() {
    let place = |metric: &str, labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Place::Prometheus(Sample::new(metric, labels.collect()).expect("good names"))
    };
    for (metric, labels, expected) in [
        ("process_load", &[("instance", "a")][..], Ok(0.25)),
        ("process_load", &[("instance", "b")], Ok(0.5)),
        ("process_load", &[("path", "C:\\DIR\"x\",} 7")], Ok(0.5)),
        (
            "process_load",
            &[],
            Err("more than one sample of `process_load`; name more of its labels"),
        ),
        ("process_load", &[("instance", "c")], Err("no sample of `process_load{instance=\"c\"}`")),
        ("process_load_total", &[], Ok(9.0)),
        ("process", &[], Err("no sample of `process`")),
        ("up", &[("a", "b")], Err("no sample of `up{a=\"b\"}`")),
        ("spaced", &[("b", "2")], Ok(300.0)),
        ("queue", &[], Err("more than one sample of `queue`; name more of its labels")),
        ("broken", &[], Err("no sample of `broken`")),
        ("text", &[], Err("`x` is no number")),
    ] {
        check(&place(metric, labels), METRICS, expected);
    }
    assert!(read(&place("nan", &[]), METRICS).is_ok_and(|found| found.value.is_nan()));
    for (metric, label) in [("", "a"), ("1a", "a"), ("a-b", "a"), ("a", ""), ("a", "b:c")] {
        let labels = BTreeMap::from([(label.to_owned(), String::new())]);
        assert!(Sample::new(metric, labels).is_err(), "{metric} {label}");
    }
}

const STATISTICS: &str = "\
# pxname,svname,qcur,qmax,scur,smax,slim,status,last_chk,rate,rate_lim,
www,FRONTEND,,,3,9,2000,OPEN,,17,0,
www,s1,0,0,2,5,,UP,\"L7OK/200 in 0ms, \"\"fine\"\"\nreally\",9,,
www,BACKEND,4,0,3,9,200,UP,,17,,
api,BACKEND,0,0,x,9,200,UP,,17,,
";

#[test]
fn haproxy_s_rows_are_found_by_their_names() {
    let place = |proxy: &str, server: &str, field: &str| {
        Place::HaproxyCsv(HaproxyCell::new(proxy, server, field).expect("a column"))
    };
    for (proxy, server, field, value, limit) in [
        ("www", "BACKEND", "scur", 3.0, Some(200.0)),
        ("www", "FRONTEND", "scur", 3.0, Some(2000.0)),
        ("www", "s1", "scur", 2.0, None),
        ("www", "s1", "rate", 9.0, None),
        ("www", "FRONTEND", "rate", 17.0, None),
        ("www", "BACKEND", "qcur", 4.0, None),
        ("www", "BACKEND", "smax", 9.0, None),
    ] {
        let found = read(&place(proxy, server, field), STATISTICS);
        assert_eq!(found, Ok(Found { value, limit }), "{proxy} {server} {field}");
    }
    for (proxy, server, field, error) in [
        (
            "nope",
            "BACKEND",
            "scur",
            "the HAProxy statistics have no row of proxy `nope` and server `BACKEND`",
        ),
        ("www", "BACKEND", "stot", "the HAProxy statistics have no column `stot`"),
        ("api", "BACKEND", "scur", "`x` is no number"),
        ("www", "FRONTEND", "qcur", "`` is no number"),
    ] {
        check(&place(proxy, server, field), STATISTICS, Err(error));
    }
    let none = "no HAProxy statistics: the first line names no columns";
    for page in ["", "<html>", "pxname,svname,scur\n"] {
        check(&place("www", "BACKEND", "scur"), page, Err(none));
    }
}

#[test]
fn nginx_counts_active_connections() {
    let page = "Active connections: 291 \nserver accepts handled requests\n 1 1 3 \n";
    check(&Place::NginxStatus, page, Ok(291.0));
    let none = "no status page of NGINX: no line `Active connections: NUMBER`";
    check(&Place::NginxStatus, "<html>", Err(none));
}

#[test]
fn half_a_line_is_none() {
    let place = Place::Prometheus(Sample::new("load", BTreeMap::new()).expect("a name"));
    let filled = |last: &str| "#".repeat(MAX_PAGE_OCTETS - last.len() - 1) + "\n" + last;
    check(&place, &filled("load 12"), Err("no sample of `load`"));
    check(&place, &filled("load 12\n"), Ok(12.0));
    check(&place, &filled("load 12")[1..], Ok(12.0));
}

#[test]
fn numbers_become_loads_and_weights() {
    let source = || NumberSource { place: Place::NginxStatus, request: None };
    let stale_after = Duration::from_secs(1);
    let load = |full: Option<f64>, value, limit| {
        let full = full.map(|full| Full::new(full).expect("within bounds"));
        let smoothing = Smoothing::default();
        let source = LoadSource { source: source(), full, smoothing, stale_after };
        source.judge(Found { value, limit }).map(RawLoad::get).map_err(|error| error.to_string())
    };
    assert_eq!(load(Some(200.0), 50.0, Some(100.0)), Ok(0.25), "what was configured counts");
    assert_eq!(load(None, 50.0, Some(100.0)), Ok(0.5));
    assert!(load(None, 50.0, None).is_err());
    assert_eq!(load(Some(1.0), 1e300, None), Ok(RawLoad::MAX));
    for value in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(load(Some(1.0), value, None).is_err(), "{value}");
    }
    for full in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Full::new(full), None, "{full}");
        assert_eq!(Smoothing::new(full, 0.5), None, "{full}");
    }
    let weight = |value| {
        let source = WeightSource { source: source(), stale_after };
        source.judge(Found { value, limit: None }).ok().map(Weight::get)
    };
    for (value, expected) in [
        (0.0, Some(0)),
        (1_000_000.0, Some(1_000_000)),
        (1_000_001.0, None),
        (-1.0, None),
        (1.5, None),
        (f64::NAN, None),
        (f64::INFINITY, None),
        (1e300, None),
    ] {
        assert_eq!(weight(value), expected, "{value}");
    }
}

/// One place of each kind, so that a page made of their words is looked through by each.
fn places() -> Vec<Place> {
    let labels = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    vec![
        Place::Header("X-Load".parse().expect("a header's name")),
        Place::Json("/a/0".parse().expect("a pointer")),
        Place::Prometheus(Sample::new("load", labels).expect("good names")),
        Place::HaproxyCsv(HaproxyCell::new("www", "BACKEND", "scur").expect("a column")),
        Place::NginxStatus,
    ]
}

const WORDS: [&str; 20] = [
    "# pxname,svname,scur,slim\n",
    "www",
    "BACKEND",
    ",",
    "\"",
    "\"\"",
    "\n",
    "load",
    "{",
    "}",
    "a=\"1\"",
    "\\",
    "=",
    " ",
    "1e999",
    "Active connections:",
    "[",
    "{\"a\":",
    "é",
    "NaN",
];

proptest! {
    #[test]
    fn no_page_can_hurt(words in prop::collection::vec(0..WORDS.len(), 0..40)) {
        let page: String = words.into_iter().map(|word| WORDS[word]).collect();
        for place in places() {
            let _ = place.read(|_| Some(page.clone()), page.as_bytes());
        }
    }

    #[test]
    fn no_octets_can_hurt(page in prop::collection::vec(any::<u8>(), 0..300)) {
        for place in places() {
            let text = || Some(String::from_utf8_lossy(&page).into_owned());
            let _ = place.read(|_| text(), &page);
        }
    }
}
