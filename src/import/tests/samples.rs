//! Files as people have them: what is written of each, to the letter, and that it is accepted.

use super::*;

/// A sample, and what comes of it.
struct Sample {
    format: Format,
    /// The first is the one that is imported.
    files: &'static [(&'static str, &'static str)],
    configuration: &'static str,
    report: &'static str,
}

macro_rules! sample {
    ($format:ident, $files:expr, $name:literal) => {
        Sample {
            format: Format::$format,
            files: $files,
            configuration: include_str!(concat!("../../../tests/import/", $name, ".toml")),
            report: include_str!(concat!("../../../tests/import/", $name, ".report")),
        }
    };
}

macro_rules! one {
    ($name:literal) => {
        &[("source", include_str!(concat!("../../../tests/import/", $name)))]
    };
}

const SAMPLES: &[Sample] = &[
    sample!(Bind, BIND, "bind/named.conf"),
    sample!(Nginx, one!("nginx.conf"), "nginx.conf"),
    sample!(Haproxy, one!("haproxy.cfg"), "haproxy.cfg"),
    sample!(Ipvs, one!("ipvs.rules"), "ipvs.rules"),
    sample!(Nginx, one!("least-conn.nginx.conf"), "least-conn.nginx.conf"),
    sample!(Haproxy, one!("sticky.haproxy.cfg"), "sticky.haproxy.cfg"),
    sample!(Ipvs, one!("marks.ipvs.rules"), "marks.ipvs.rules"),
];

fn run(sample: &Sample) -> Imported {
    let path = Path::new(sample.files[0].0);
    let imported = import(sample.format, path, &files(sample.files), &Options::default());
    imported.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_written_is_as_expected() {
    for sample in SAMPLES {
        let imported = run(sample);
        assert_eq!(imported.configuration, sample.configuration, "{:?}", sample.format);
        assert_eq!(imported.report.to_string(), sample.report, "{:?}", sample.format);
    }
}

#[test]
fn what_is_written_passes_the_check() {
    for imported in SAMPLES.iter().map(run) {
        check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn a_zone_keeps_what_is_not_steered() {
    let imported = run(&SAMPLES[0]);
    let zone = |name: &str| {
        let zone = imported.plan.zones.iter().find(|zone| zone.file.contains(name)).unwrap();
        String::from_utf8(zone.text.clone()).unwrap()
    };
    let edited = zone("example.com");
    for line in [
        "; the shop, on three machines\n; steered: www     300 IN A 198.51.100.1\n",
        "\nwww.example.com.        IN TXT \"not steered\"\n",
        "\nns.child IN A 192.0.2.61\n         IN A 192.0.2.62\n",
        "\nalias   IN CNAME www\n",
    ] {
        assert!(edited.contains(line), "{line:?} in\n{edited}");
    }
    let written = zone("example.net");
    for line in [
        "\nsingle.example.net. 300 IN A 198.51.100.50\n",
        "\nexample.net. 300 IN MX 10 mail.example.com.\n",
        "\n_sip._tcp.example.net. 300 IN SRV 10 60 5060 pool.example.net.\n",
    ] {
        assert!(written.contains(line), "{line:?} in\n{written}");
    }
    assert_eq!(zone("plain.example"), BIND[5].1, "nothing is balanced, nothing is changed");
}

#[test]
fn options_say_what_the_source_does_not() {
    let given = |text: &str| match text.split_once('=') {
        Some((pool, name)) => GivenName { pool: Some(pool.into()), name: name.parse().unwrap() },
        None => GivenName { pool: None, name: text.parse().unwrap() },
    };
    for (zones, names, expected) in [
        (vec![], vec![], "svc-1.example.com. svc-2.example.com. | example.com."),
        (vec!["a.test"], vec![], "svc-1.a.test. svc-2.a.test. | a.test."),
        (vec!["a.test"], vec!["www.a.test"], "www.a.test. svc-2.a.test. | a.test."),
        (vec![], vec!["svc-2=www.b.test"], "svc-1.b.test. www.b.test. | b.test."),
        (vec!["b.test"], vec!["c.test", "d.c.test"], "c.test. d.c.test. | b.test. c.test."),
    ] {
        let options = Options {
            zones: zones.iter().map(|zone| zone.parse().unwrap()).collect(),
            names: names.iter().map(|name| given(name)).collect(),
            site: "seoul".to_owned(),
        };
        let text = "-A -f 1 -s rr\n-a -f 1 -r 192.0.2.1:0\n-A -f 2 -s rr\n-a -f 2 -r 192.0.2.2:0\n";
        let files = files(&[("source", text)]);
        let imported = import(Format::Ipvs, Path::new("source"), &files, &options).unwrap();
        let shown = |names: &mut dyn Iterator<Item = &WireName>| {
            names.map(WireName::to_string).collect::<Vec<_>>().join(" ")
        };
        let of_services = shown(&mut imported.plan.services.iter().flat_map(|one| &one.names));
        let of_zones = shown(&mut imported.plan.zones.iter().map(|zone| &zone.name));
        assert_eq!(format!("{of_services} | {of_zones}"), expected);
        assert!(imported.configuration.contains("[site.seoul]"));
        check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (format, text, says) in [
        (Format::Nginx, "http {\n upstream a {", "source:2: a `}` is missing at the end"),
        (Format::Nginx, "events {}\n", "source: nothing in it becomes a service"),
        (Format::Bind, "options { directory \"/\" };", "source:1: `directory /` has no `;`"),
        (Format::Bind, "options { };", "source: it has no primary zone whose file can be read"),
        (Format::Haproxy, "\nserver a", "source:2: `server` begins no section"),
        (Format::Haproxy, "backend a\n server 'b", "source:2: a quote is not closed"),
        (Format::Haproxy, "backend a\n", "source: nothing in it becomes a service"),
        (Format::Ipvs, "IP Virtual Server version 1.2.1", "source:1: neither `-A` nor `-a`"),
        (Format::Ipvs, "-A -s rr", "source:1: the line names no virtual service"),
        (Format::Ipvs, "-a -f 1 -r 192.0.2.1:0", "source:1: a server of a virtual service that no"),
    ] {
        let error = import_text(format, text).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
    let missing = import(Format::Ipvs, Path::new("none"), &files(&[]), &Options::default());
    assert!(missing.unwrap_err().to_string().starts_with("none: cannot be read: "));
}
