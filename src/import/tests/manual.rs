//! The tables of docs/migrating.md say what the importer does: every row is imported.

use super::*;

const MANUAL: &str = include_str!("../../../docs/migrating.md");

/// One row: what the source says, what comes of it, how true that is.
struct Row {
    keyword: String,
    result: String,
    fidelity: String,
}

/// The rows of the table under a heading of a system.
fn rows(system: &str, table: &str) -> Vec<Row> {
    let part = |text: &'static str, heading: &str| {
        let at = text.find(heading).unwrap_or_else(|| panic!("no heading {heading}"));
        &text[at + heading.len()..]
    };
    let section = part(MANUAL, &format!("\n## {system}\n"));
    let section = section.split("\n## ").next().unwrap();
    let section = part(section, &format!("\n### {table}\n"));
    let section = section.split("\n### ").next().unwrap();
    let rows =
        section.lines().filter(|line| line.starts_with("| `") || line.starts_with("| (none"));
    let rows: Vec<Row> = rows
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, keyword, result, fidelity, ..] = cells[..] else {
                panic!("too few cells: {line}")
            };
            let keyword = keyword.trim_matches('`').to_owned();
            Row { keyword, result: result.to_owned(), fidelity: fidelity.to_owned() }
        })
        .collect();
    assert!(rows.len() > 4, "{system}, {table}: {} rows", rows.len());
    rows
}

/// What stands in backticks in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Says of the findings about a construct that they are of the fidelity in the manual.
fn assert_fidelity(imported: &Imported, construct: &str, row: &Row) {
    let findings = imported.report.findings();
    let is_near = |finding: &&Finding| {
        construct.contains(&finding.construct) || finding.construct.starts_with(construct)
    };
    let mut about: Vec<_> = findings.iter().filter(|one| one.construct == construct).collect();
    if about.is_empty() {
        about.extend(findings.iter().filter(is_near));
    }
    assert!(!about.is_empty(), "nothing about `{construct}` in\n{}", imported.report);
    for finding in about {
        assert_eq!(finding.fidelity.word(), row.fidelity, "{construct}: {finding:?}");
    }
}

/// A way of choosing: the policy, with weights of 3 and 1 and with equal ones, and its fidelity.
fn check_methods(
    system: &str,
    table: &str,
    import: &dyn Fn(&str, [u32; 2]) -> Imported,
    construct: &dyn Fn(&str) -> String,
) {
    for row in rows(system, table) {
        let uneven = import(&row.keyword, [3, 1]);
        let even = import(&row.keyword, [1, 1]);
        let words = quoted(&row.result);
        let way = |imported: &Imported| imported.plan.services[0].way.word();
        assert_eq!(way(&uneven), words[0], "{system}: {}", row.keyword);
        let alike = if row.result.contains("weights are equal") { words[1] } else { words[0] };
        assert_eq!(way(&even), alike, "{system}: {} with equal weights", row.keyword);
        assert_fidelity(&even, &construct(&row.keyword), &row);
        for imported in [&uneven, &even] {
            check(imported).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

/// Anything else: what the result says is in the configuration, and its fidelity.
fn check_rest(
    system: &str,
    table: &str,
    import: &dyn Fn(&str) -> Imported,
    construct: &dyn Fn(&str) -> String,
) {
    for row in rows(system, table) {
        let imported = import(&row.keyword);
        for word in quoted(&row.result) {
            let text = &imported.configuration;
            assert!(text.contains(word), "{system}, {}: no {word} in\n{text}", row.keyword);
        }
        assert_fidelity(&imported, &construct(&row.keyword), &row);
        check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

fn must(format: Format, text: &str) -> Imported {
    import_text(format, text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn as_written(keyword: &str) -> String {
    keyword.to_owned()
}

#[test]
fn ipvs_does_what_the_manual_says() {
    let service = |option: &str, reals: [&str; 2]| {
        let [a, b] = reals;
        let id = "-t 192.0.2.1:80";
        let real = |address: &str, of: &str| format!("-a {id} -r {address}:80 {of}\n");
        let lines = [real("198.51.100.1", a), real("198.51.100.2", b)].concat();
        must(Format::Ipvs, &format!("-A {id} {option}\n{lines}"))
    };
    let schedule = |word: &str, weights: [u32; 2]| {
        let [a, b] = weights.map(|weight| format!("-w {weight}"));
        service(&format!("-s {word}"), [a.as_str(), b.as_str()])
    };
    check_methods("IPVS", "Schedulers", &schedule, &|word| format!("-s {word}"));
    let option = |option: &str| match option.split(' ').next() {
        Some("-M") => service(&format!("-s rr -p 60 {option}"), ["", ""]),
        Some("-p" | "-b" | "-o" | "--pe") => service(&format!("-s rr {option}"), ["", ""]),
        _ => service("-s rr", [option, option]),
    };
    check_rest("IPVS", "Options", &option, &as_written);
}

#[test]
fn nginx_does_what_the_manual_says() {
    let upstream = |directive: &str, parameters: [&str; 2]| {
        let directive = if directive.is_empty() { String::new() } else { format!("{directive};") };
        let [a, b] = parameters;
        let servers = format!("server 192.0.2.1 {a}; server 192.0.2.2 {b};");
        must(Format::Nginx, &format!("http {{ upstream app {{ {directive} {servers} }} }}"))
    };
    let none = |keyword: &str| keyword.starts_with("(none");
    let method = |keyword: &str, weights: [u32; 2]| {
        let [a, b] = weights.map(|weight| format!("weight={weight}"));
        let directive = if none(keyword) { "" } else { keyword };
        upstream(directive, [a.as_str(), b.as_str()])
    };
    let construct = |keyword: &str| match none(keyword) {
        true => "upstream app".to_owned(),
        false => keyword.to_owned(),
    };
    check_methods("NGINX", "Methods", &method, &construct);
    let parameter = |parameter: &str| match parameter {
        "max_fails=0" => upstream("", [parameter, ""]),
        _ => upstream("", [parameter, parameter]),
    };
    check_rest("NGINX", "Server parameters", &parameter, &as_written);
    check_rest("NGINX", "Directives", &|keyword| upstream(keyword, ["", ""]), &as_written);
}

#[test]
fn haproxy_does_what_the_manual_says() {
    let backend = |directive: &str, parameters: &str, weights: [u32; 2]| {
        let [a, b] = weights;
        must(
            Format::Haproxy,
            &format!(
                "backend app\n {directive}\n server a 192.0.2.1:80 weight {a} {parameters}\n \
                 server b 192.0.2.2:80 weight {b} {parameters}\n"
            ),
        )
    };
    let none = |keyword: &str| keyword.starts_with("(none");
    let balance = |keyword: &str, weights: [u32; 2]| {
        let line = format!("balance {keyword}");
        backend(if none(keyword) { "" } else { &line }, "", weights)
    };
    check_methods("HAProxy", "Balance", &balance, &|keyword| match none(keyword) {
        true => "backend app".to_owned(),
        false => format!("balance {keyword}"),
    });
    let parameter = |parameter: &str| backend("option httpchk", parameter, [1, 1]);
    let behind_check = |keyword: &str| keyword.strip_prefix("check ").unwrap_or(keyword).to_owned();
    check_rest("HAProxy", "Server parameters", &parameter, &behind_check);
    check_rest("HAProxy", "Directives", &|line| backend(line, "check", [1, 1]), &as_written);
}

#[test]
fn bind_does_what_the_manual_says() {
    let named = |statement: &str| {
        let conf = format!(
            "options {{ {statement} }}; zone \"example.com\" {{ type primary; file \"z\"; }};"
        );
        let zone =
            "$TTL 60\n@ SOA a b 1 2 3 4 5\n@ NS a.example.net.\nwww A 192.0.2.1\n A 192.0.2.2\n";
        let files = files(&[("named.conf", &conf), ("z", zone)]);
        let imported = import(Format::Bind, Path::new("named.conf"), &files, &Options::default());
        imported.unwrap_or_else(|error| panic!("{error}"))
    };
    let order = |keyword: &str, _: [u32; 2]| match keyword.starts_with("(none") {
        true => named(""),
        false => named(&format!("rrset-order {{ order {keyword}; }};")),
    };
    check_methods("BIND", "rrset-order", &order, &|keyword| match keyword.starts_with("(none") {
        true => "www.example.com (2 addresses)".to_owned(),
        false => format!("rrset-order order {keyword}"),
    });
    check_rest("BIND", "Statements", &named, &as_written);
}

/// Every word that a system has for choosing is in its table.
#[test]
fn the_manual_has_every_way_of_choosing() {
    for (system, table, words) in [
        (
            "IPVS",
            "Schedulers",
            &[
                "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo",
                "ovf", "twos",
            ][..],
        ),
        ("NGINX", "Methods", &["least_conn", "least_time", "ip_hash", "hash", "random"]),
        (
            "HAProxy",
            "Balance",
            &[
                "roundrobin",
                "static-rr",
                "leastconn",
                "first",
                "source",
                "uri",
                "url_param",
                "hdr",
                "random",
                "rdp-cookie",
                "hash",
            ],
        ),
        ("BIND", "rrset-order", &["cyclic", "random", "fixed", "none"]),
    ] {
        let rows = rows(system, table);
        for word in words {
            let is_it = |row: &Row| row.keyword.split([' ', '(']).next() == Some(word);
            assert!(rows.iter().any(is_it), "{system}: `{word}` is not in the table");
        }
    }
    let schedulers = rows("IPVS", "Schedulers");
    for word in ipvs::scheduler_words() {
        assert!(schedulers.iter().any(|row| row.keyword == word), "`{word}` is not in the table");
    }
}
