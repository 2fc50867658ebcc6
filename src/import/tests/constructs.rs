//! What single constructs come to, where the samples do not show it.

use super::*;

/// Imports a text; the configuration must hold some texts, the report some findings.
fn holds(format: Format, text: &str, lines: &[&str], findings: &[&str]) {
    let imported = import_text(format, text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    for line in lines {
        let written = &imported.configuration;
        assert!(written.contains(line), "no `{line}` in\n{written}");
    }
    for finding in findings {
        let report = imported.report.to_string();
        assert!(report.contains(finding), "no `{finding}` in\n{report}");
    }
    check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn nginx() {
    let server = |names: &str, inside: &str| {
        format!(
            "upstream a {{ server 192.0.2.1; }} upstream b {{ server 192.0.2.2; }}\n\
             server {{ listen 80; server_name {names}; {inside} }}"
        )
    };
    for (text, lines, findings) in [
        // The names are those of what `location /` leads to, wherever it stands.
        (
            server(
                "www.x.test",
                "location /b { proxy_pass http://b; } location / { proxy_pass http://a; }",
            ),
            &["names = [\"www.x.test\"]", "names = [\"b.x.test\"]"][..],
            &["impossible   source:2: `proxy_pass http://b`"][..],
        ),
        (
            server(".x.test www.* ~^a localhost", "proxy_pass http://a;"),
            &["names = [\"x.test\", \"*.x.test\"]"],
            &["`server_name www.*`", "`server_name ~^a`", "`server_name localhost`"],
        ),
        // An upstream that is not named is the server itself.
        (
            server("c.x.test", "location / { proxy_pass https://192.0.2.9; }"),
            &["names = [\"c.x.test\"]", "address = \"192.0.2.9\""],
            &["impossible   source:2: `port 443 of a server`"],
        ),
        (
            server("c.x.test", "location / { proxy_pass http://unix:/run/x; }"),
            &["names = [\"a.example.com\"]"],
            &["impossible   source:2: `proxy_pass http://unix:/run/x`"],
        ),
        // One address is one endpoint; a name without dots is nobody's.
        (
            "upstream a { server 192.0.2.1:80; server 192.0.2.1:81 weight=2; server app; }".into(),
            &["address = \"192.0.2.1\", weight = 3 }"],
            &["approximated source:1: `192.0.2.1`", "impossible   source:1: `app`"],
        ),
        (
            "upstream a { server 192.0.2.1 max_fails=0; server 192.0.2.2; }".into(),
            &["address = \"192.0.2.1\", admin_state = \"forced-up\"", "check = \"a\""],
            &[],
        ),
        (
            "include conf.d/*.conf; upstream a { server 192.0.2.1; }".into(),
            &["[service.a]"],
            &["impossible   source:1: `include conf.d/*.conf`: a pattern is not followed"],
        ),
        (
            "# configuration file /etc/nginx/nginx.conf:\nhttp { include conf.d/*.conf; }\n\
             # configuration file /etc/nginx/conf.d/a.conf:\nupstream a { server 192.0.2.1; }"
                .into(),
            &["[service.a]"],
            &[],
        ),
    ] {
        holds(Format::Nginx, &text, lines, findings);
    }
}

#[test]
fn haproxy() {
    for (text, lines, findings) in [
        // Defaults hold up to the next ones, or by name.
        (
            "defaults one\n balance source\ndefaults\n balance first\n\
             backend a\n server s 192.0.2.1:80\nbackend b from one\n server s 192.0.2.1:80\n",
            &[
                "[service.a]\nnames = [\"a.example.com\"]\npolicy = \"failover\"",
                "[service.b]\nnames = [\"b.example.com\"]\npolicy = \"hash\"",
            ][..],
            &["approximated source:2: `balance source`"][..],
        ),
        (
            "backend a\n default-server check inter 1s\n server s 192.0.2.1:80\n \
             server t 192.0.2.2:80 no-check\n",
            &["interval = \"1s\"", "address = \"192.0.2.2\", admin_state = \"forced-up\""],
            &[],
        ),
        (
            "frontend f\n bind :80\n acl w hdr(host) -i w.x.test\n acl w path /\n \
             use_backend a if w\nbackend a\n server s 192.0.2.1:80\n",
            &["names = [\"a.example.com\"]"],
            &[
                "impossible   source:4: `acl w path /`",
                "impossible   source:5: `use_backend a if w`",
            ],
        ),
        (
            "frontend f\n bind :80\n acl v hdr(host) v.x.test\n acl w hdr(host) -i w.x.test\n \
             use_backend a if v or w\nbackend a\n server s 192.0.2.1:80\n",
            &["names = [\"v.x.test\", \"w.x.test\"]"],
            &["exact        source:5: `use_backend a if v or w`"],
        ),
        (
            "frontend f\n bind :80\n acl v hdr(host) v.x.test\n \
             use_backend a unless v\nbackend a\n server s 192.0.2.1:80\n",
            &["names = [\"a.example.com\"]"],
            &["impossible   source:4: `use_backend a unless v`"],
        ),
        (
            "frontend f\n use_backend %[req.hdr(host)]\nbackend a\n server s 192.0.2.1:80\n",
            &["names = [\"a.example.com\"]"],
            &["impossible   source:2: `use_backend %[req.hdr(host)]`"],
        ),
        (
            "backend a\n disabled\n server s 192.0.2.1:80\n server t /run/socket\n",
            &["address = \"192.0.2.1\", admin_state = \"disabled\""],
            &["exact        source:2: `disabled`", "impossible   source:4: `/run/socket`"],
        ),
        (
            "backend a\n mode tcp\n balance uri\n bananas 3\n server s 192.0.2.1:80 peel 3\n",
            &["policy = \"round-robin\""],
            &[
                "exact        source:3: `balance uri`",
                "impossible   source:4: `bananas 3`: a directive that is not known here",
                "impossible   source:5: `peel`: a parameter that is not known here",
            ],
        ),
        (
            "backend a\n option httpchk\n http-check expect status 200,300-302\n \
             http-check expect rstring ^ok\n server s 192.0.2.1:80 check\n",
            &[
                "method = \"OPTIONS\"",
                "expect_status = [\"200\", \"300-302\"]",
                "expect_body_regex = \"^ok\"",
            ],
            &[],
        ),
    ] {
        holds(Format::Haproxy, text, lines, findings);
    }
}

#[test]
fn ipvs() {
    for (text, lines, findings) in [
        // A mark is one service; with a hash it is a group for others to join.
        (
            "-A -f 7 -s sh\n-a -f 7 -r 192.0.2.1:0 -w 1\n",
            &[
                "policy = \"hash\"\naffinity_group = \"fwmark-7\"\ngroup_health = true",
                "site = \"main-1\", address = \"192.0.2.1\"",
            ][..],
            &["approximated source:1: `-f 7`"][..],
        ),
        // Nothing is hashed: no group, and no site for each.
        (
            "-A -f 7 -s rr\n-a -f 7 -r 192.0.2.1:0 -w 1\n",
            &["policy = \"round-robin\"\nendpoints = [\n  { site = \"main\", "],
            &[],
        ),
        // The families of a mark are one service, if they choose alike.
        (
            "-A -f 7 -s rr\n-a -f 7 -r 192.0.2.1:0\n\
             -A -f 7 -6 -s rr\n-a -f 7 -6 -r [2001:db8::1]:0\n\
             -A -f 8 -s rr -p 60\n-a -f 8 -r 192.0.2.1:0\n\
             -A -f 8 -6 -s rr\n-a -f 8 -6 -r [2001:db8::1]:0\n",
            &[
                "address = \"192.0.2.1\" },\n  { site = \"main\", address = \"2001:db8::1\" }",
                "sticky = { timeout = \"1m\" }\nhash_prefix_v4 = 24\nhash_prefix_v6 = 56\n\
                 affinity_group = \"fwmark-8\"",
                "[service.svc-3]",
            ],
            &[
                "exact        source:3: `-f 7 -6`: the mark of the other family",
                "approximated source:7: `-f 8 -6`: the mark of the other family chooses in",
            ],
        ),
        // What persists is not what does not.
        (
            "-A -t 192.0.2.9:80 -s rr -p 604800\n-a -t 192.0.2.9:80 -r 192.0.2.1:80\n\
             -A -t 192.0.2.9:443 -s rr\n-a -t 192.0.2.9:443 -r 192.0.2.1:443\n",
            &["sticky = { timeout = \"24h\" }", "[service.svc-2]"],
            &[
                "approximated source:3: `-t 192.0.2.9:443`: the port goes to other servers",
                "approximated source:1: `svc-1: sticky`: a network is kept in mind for a day",
            ],
        ),
        // The same servers on two ports are one service, others are not.
        (
            "-A -t 192.0.2.9:80 -s rr\n-a -t 192.0.2.9:80 -r 192.0.2.1:80\n\
             -A -t 192.0.2.9:443 -s rr\n-a -t 192.0.2.9:443 -r 192.0.2.1:443\n\
             -A -t 192.0.2.9:25 -s rr\n-a -t 192.0.2.9:25 -r 192.0.2.2:25\n",
            &["[service.svc-1]", "[service.svc-2]"],
            &[
                "exact        source:3: `-t 192.0.2.9:443`: the same servers",
                "approximated source:5: `-t 192.0.2.9:25`: the port goes to other servers",
            ],
        ),
        (
            "ipvsadm --add-service --tcp-service 192.0.2.9:80 --scheduler=wrr\n\
             ipvsadm --add-server -t 192.0.2.9:80 --real-server 192.0.2.1 --weight 4 --ipip\n",
            &["address = \"192.0.2.1\", weight = 4"],
            &["exact        source:1: `-s wrr`", "approximated source:2: `-i`"],
        ),
        (
            "-A -t 192.0.2.9:80\n-a -t 192.0.2.9:80 -r 192.0.2.1:80 --bananas\n",
            &["policy = \"round-robin\""],
            &["approximated source:1: `-s wlc`", "impossible   source:2: `--bananas`"],
        ),
        (
            "-A -t 192.0.2.9:80 -s fo\n-a -t 192.0.2.9:80 -r 192.0.2.1:80 -w 1\n\
             -a -t 192.0.2.9:80 -r 192.0.2.2:80 -w 9\n",
            &["endpoints = [\n  { site = \"main\", address = \"192.0.2.2\", weight = 9 }"],
            &["exact        source:1: `-s fo`"],
        ),
    ] {
        holds(Format::Ipvs, text, lines, findings);
    }
}

/// Whatever the one site is called, those of servers are called otherwise, and as sites may be.
#[test]
fn sites_by_number_have_names_of_their_own() {
    let text = "-A -f 1 -s lblc\n-a -f 1 -r 192.0.2.1:0\n-a -f 1 -r 192.0.2.2:0\n\
                -A -f 2 -s lblcr\n-a -f 2 -r 192.0.2.2:0\n-A -f 3 -s rr\n-a -f 3 -r 192.0.2.2:0\n";
    let long = "a".repeat(63);
    let [cut, taken] = ["a".repeat(40), format!("{}-1", "a".repeat(40))];
    for (site, own) in [
        ("main", ["main-1".to_owned(), "main-2".to_owned()]),
        (&long, [format!("{cut}-1"), format!("{cut}-2")]),
        (&taken, [format!("{cut}-1-2"), format!("{cut}-2")]),
    ] {
        let options = Options { site: site.to_owned(), ..Options::default() };
        let files = files(&[("source", text)]);
        let imported = import(Format::Ipvs, Path::new("source"), &files, &options).unwrap();
        let sites = |at: usize| {
            let endpoints = imported.plan.services[at].endpoints.iter();
            endpoints.map(|one| imported.plan.sites[one.site].clone()).collect::<Vec<_>>()
        };
        assert_eq!(sites(0), own);
        assert_eq!(sites(1), own[1..], "a server has one site in all services");
        assert_eq!(sites(2), [site.to_owned()]);
        check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

#[test]
fn bind() {
    let named = |conf: &str, zones: &[(&str, &str)]| {
        let head = "$TTL 60\n@ SOA ns.x.test. h 1 2 3 4 5\n@ NS ns.x.test.\n";
        let files = zones.iter().fold(files(&[("named.conf", conf)]), |files, (path, text)| {
            files.with(*path, format!("{head}{text}"))
        });
        let imported = import(Format::Bind, Path::new("named.conf"), &files, &Options::default());
        let imported = imported.unwrap_or_else(|error| panic!("{error}"));
        check(&imported).unwrap_or_else(|errors| panic!("{errors}"));
        let keys = imported.plan.services.iter().map(|service| service.key.clone());
        (keys.collect::<Vec<_>>().join(" "), imported.report.to_string())
    };
    let pair = "A 192.0.2.1\n A 192.0.2.2\n";
    let one = "zone \"x.test\" { type primary; file \"x\"; };";
    for (conf, zones, services, finding) in [
        // At the apex, of IPv6 alone, and below an alias of names.
        (one.to_owned(), vec![("x", format!("@ {pair}"))], "x-test", "exact        x:4: `x.test"),
        (
            one.to_owned(),
            vec![("x", "w AAAA 2001:db8::1\nw AAAA 2001:db8::2\nw A 192.0.2.1\n".to_owned())],
            "w-x-test",
            "`w.x.test (3 addresses)`",
        ),
        // Glue, and what a DNAME hides, is nobody's to steer.
        (
            one.to_owned(),
            vec![("x", format!("c NS n.c\nn.c {pair}d DNAME y.test.\na.d {pair}"))],
            "",
            "exact        named.conf:1: `zone x.test`",
        ),
        // Addresses that no endpoint may have stay records.
        (
            one.to_owned(),
            vec![("x", "w A 0.0.0.0\nw A 192.0.2.1\n".to_owned())],
            "",
            "exact        named.conf:1: `zone x.test`",
        ),
        // A name belongs to the deepest zone, whatever the one above says.
        (
            format!("{one} zone c.x.test {{ type master; file c; }};"),
            vec![("x", format!("w.c {pair}")), ("c", format!("w {pair}"))],
            "w-c-x-test",
            "exact        c:4: `w.c.x.test",
        ),
        // Of two views with one zone the first counts.
        (
            format!("view in {{ match-clients {{ any; }}; {one} }}; view out {{ {one} }};"),
            vec![("x", format!("w {pair}"))],
            "w-x-test",
            "impossible   named.conf:1: `zone x.test`: a zone of this name is there already",
        ),
        // A zone with a mistake is left out, and the others are not.
        (
            format!("{one} zone y.test {{ type master; file y; }};"),
            vec![("x", String::new()), ("y", "w A 192.0.2.300\n".to_owned())],
            "",
            "impossible   named.conf:1: `zone y.test`: not read: y:4:",
        ),
        // A record over several lines cannot become a comment: the file is written anew.
        (
            one.to_owned(),
            vec![("x", format!("w {pair} A (\n192.0.2.3 )\n"))],
            "w-x-test",
            "approximated named.conf:1: `zone x.test`: its file is written anew",
        ),
    ] {
        let zones: Vec<(&str, &str)> =
            zones.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let (found, report) = named(&conf, &zones);
        assert_eq!(found, services, "{conf}\n{report}");
        assert!(report.contains(finding), "no `{finding}` in\n{report}");
    }
}
