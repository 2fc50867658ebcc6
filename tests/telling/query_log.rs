//! Lines of the query log, from the program.

use serde_json::{Value, json};

use super::common::dns::ask;
use super::common::{Server, eventually};
use super::{ask_often, folder, wait_until_said};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line without what differs from run to run; the time must be one.
fn settled(mut line: Value) -> Value {
    let object = line.as_object_mut().unwrap();
    let time = object.remove("time").unwrap();
    humantime_like(time.as_str().unwrap());
    line
}

fn humantime_like(time: &str) {
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{time}");
}

#[test]
fn a_line_says_what_was_decided_and_for_whom() {
    let folder = folder("[query_log]\noutput = \"query.log\"\n");
    let server = Server::start(&folder);
    let subnet = [193, 0, 6, 139];
    ask(server.address, "wWw.example.com").subnet(subnet, 32).udp();
    ask(server.address, "www.example.com").tcp();
    ask(server.address, "none.example.com").rtype("AAAA").udp();
    ask(server.address, "www.example.org").udp();
    assert_eq!(server.stop(), Some(0));
    let mut came: Vec<Value> = lines(&folder.read("query.log")).into_iter().map(settled).collect();
    // Workers write for themselves, so the order is that of what was asked only for one.
    came.sort_by_key(Value::to_string);
    let scope = came.iter().find(|line| line["client"] == "193.0.6.0/24").unwrap()["scope"].clone();
    let mut expected = vec![
        json!({
            "qname": "www.example.com.", "qtype": "A", "client": "193.0.6.0/24",
            "resolver": "127.0.0.0/24", "transport": "udp", "zone": "example.com.",
            "service": "www", "policy": "geo-proximity", "site": "frankfurt",
            "chosen": ["192.0.2.1"], "ttl": 30, "reason": "healthy", "rcode": "NOERROR",
            "scope": scope, "generation": 1,
        }),
        json!({
            "qname": "www.example.com.", "qtype": "A", "client": "127.0.0.0/24",
            "transport": "tcp", "zone": "example.com.", "service": "www",
            "policy": "geo-proximity", "site": "frankfurt", "chosen": ["192.0.2.1"], "ttl": 30,
            "reason": "healthy", "rcode": "NOERROR", "scope": 0, "generation": 1,
        }),
        json!({
            "qname": "none.example.com.", "qtype": "AAAA", "client": "127.0.0.0/24",
            "transport": "udp", "zone": "example.com.", "rcode": "NXDOMAIN", "scope": 0,
            "generation": 1,
        }),
        json!({
            "qname": "www.example.org.", "qtype": "A", "client": "127.0.0.0/24",
            "transport": "udp", "rcode": "REFUSED", "scope": 0, "generation": 1,
        }),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(came, expected);
    assert!(scope.as_u64().unwrap() > 0);
}

#[test]
fn one_in_a_hundred_is_one_in_a_hundred() {
    let folder = folder("[query_log]\noutput = \"query.log\"\nsample = 100\n");
    let server = Server::start(&folder);
    ask_often(server.address, "www.example.com", 1_099);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(lines(&folder.read("query.log")).len(), 10);
}

#[test]
fn a_file_that_was_moved_is_opened_anew_by_sighup_whatever_the_configuration_is() {
    let folder = folder("[query_log]\noutput = \"query.log\"\nipv4_prefix = 32\n");
    let mut server = Server::start(&folder);
    eventually("the log is there", || folder.path("query.log").exists());
    for (round, config, read) in [
        (1, folder.read("meridian.toml"), "the new configuration is in force"),
        (2, "nonsense".to_owned(), "the old one stays in force"),
    ] {
        ask(server.address, "www.example.com").udp();
        eventually("a line is there", || folder.read("query.log").ends_with("}\n"));
        let moved = format!("query.log.{round}");
        std::fs::rename(folder.path("query.log"), folder.path(&moved)).unwrap();
        folder.write("meridian.toml", &config);
        server.signal("-HUP");
        server.wait_for(read);
        eventually("a new one is there", || folder.path("query.log").exists());
        assert_eq!(lines(&folder.read(&moved)).len(), 1);
        assert_eq!(folder.read("query.log"), "");
    }
    ask(server.address, "www.example.com").udp();
    assert_eq!(server.stop(), Some(0));
    let last = lines(&folder.read("query.log"));
    assert_eq!(last.len(), 1);
    assert_eq!(last[0]["client"], "127.0.0.1/32");
    assert!(last[0]["generation"].as_u64() > Some(1));
}

#[test]
fn lines_may_go_to_standard_error_and_a_reload_turns_them_on() {
    let folder = folder("");
    let mut server = Server::start(&folder);
    ask(server.address, "www.example.com").udp();
    let text = folder.read("meridian.toml");
    folder.write("meridian.toml", &format!("{text}[query_log]\noutput = \"stderr\"\n"));
    server.reload();
    ask(server.address, "www.example.com").udp();
    let line = server.wait_for("\"qname\"");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["service"], &line["generation"]), (&json!("www"), &json!(2)));
}

#[test]
fn a_log_that_cannot_be_written_is_told_and_costs_no_query() {
    let folder = folder("[query_log]\noutput = \"missing/query.log\"\n");
    let mut server = Server::start(&folder);
    wait_until_said(&mut server, "cannot write the query log");
    ask_often(server.address, "www.example.com", 100);
    std::fs::create_dir(folder.path("missing")).unwrap();
    eventually("lines come", || {
        ask_often(server.address, "www.example.com", 1);
        folder.path("missing/query.log").exists()
    });
    assert_eq!(server.stop(), Some(0));
}
