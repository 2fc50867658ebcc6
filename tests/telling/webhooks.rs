//! Webhooks, against a server that fails at first, or does worse.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ring::hmac;

use super::common::backend::{Backend, Mood};
use super::common::dns::ask;
use super::common::{Folder, Server, http, http_status};
use super::receiver::{Receiver, Request};

const SECRET: &str = "a long random text";

/// A server over a service with two back ends, which tells `receiver` by these keys.
fn serve(receiver: &Receiver, keys: &str) -> (Folder, [Backend; 2], Server) {
    let backends = [(); 2].map(|()| Backend::start());
    let [one, other] = backends.each_ref().map(|backend| backend.address);
    let folder = Folder::with_config(&format!(
        "[[webhook]]\nurl = \"http://{}/hook\"\n{keys}\n\
         [site.seoul]\n[site.tokyo]\n\
         [check.web]\ntype = \"http\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\nfall = 2\nrise = 1\n\
         [service.www]\nnames = [\"www.example.com\"]\npolicy = \"failover\"\ncheck = \"web\"\n\
         endpoints = [{{ site = \"seoul\", address = \"192.0.2.1\", probe = \"{one}\" }}]\n\
         [service.shop]\nnames = [\"shop.example.com\"]\npolicy = \"failover\"\ncheck = \"web\"\n\
         endpoints = [{{ site = \"tokyo\", address = \"192.0.2.2\", probe = \"{other}\" }}]\n",
        receiver.address
    ));
    let mut server = Server::start(&folder);
    (0..2).for_each(|_| drop(server.wait_for("to=up")));
    (folder, backends, server)
}

/// Checks what signs a request, and that it was signed just now.
fn assert_signed(request: &Request) {
    let timestamp = &request.fields["x-meridian-timestamp"];
    let signed = [timestamp.as_bytes(), b".", &request.body].concat();
    let hex = request.fields["x-meridian-signature"].strip_prefix("sha256=").unwrap();
    let octets: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, &signed, &octets).expect("the signature is right");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(timestamp.parse().unwrap()) < 60);
}

#[test]
fn events_arrive_signed_and_in_order_though_the_receiver_fails_at_first() {
    let receiver = Receiver::start(&["500 No", "503 No", "204 Well"]);
    let keys = format!("secret = \"{SECRET}\"\nevents = \"health\"\nservices = \"www\"\n");
    let (_folder, backends, mut server) = serve(&receiver, &keys);
    backends[1].set(Mood::Dies);
    backends[0].set(Mood::Dies);
    (0..2).for_each(|_| drop(server.wait_for("to=down")));
    backends[0].set(Mood::Well);
    server.wait_for("an event was delivered at last");
    // Each try is the same delivery: the first event, at the start.
    let tries = [(); 3].map(|()| receiver.next());
    tries.iter().for_each(assert_signed);
    let first = &tries[0];
    for one in &tries {
        assert_eq!(one.body, first.body);
        assert_eq!(one.fields["x-meridian-delivery"], first.json()["id"].as_str().unwrap());
        assert_eq!(one.fields["x-meridian-event"], "health");
        assert_eq!(one.fields["content-type"], "application/json");
    }
    let events = [first.json(), receiver.next().json(), receiver.next().json()];
    let changes: Vec<_> =
        events.iter().map(|event| format!("{} {}", event["from"], event["to"])).collect();
    assert_eq!(changes, ["\"unknown\" \"up\"", "\"up\" \"down\"", "\"down\" \"up\""]);
    for event in &events {
        assert_eq!((&event["kind"], &event["author"]), (&"health".into(), &().into()));
        assert_eq!(event["services"], serde_json::json!(["www"]));
        assert_eq!(event["sites"], serde_json::json!(["seoul"]));
        assert_eq!(event["subject"], format!("web {} -", backends[0].address));
    }
    assert_eq!(receiver.rest(), 0, "nothing of the other service");
}

#[test]
fn a_redirect_is_not_followed_and_what_is_refused_is_given_up() {
    let elsewhere = Receiver::start(&["200 Well"]);
    let moved = format!("302 Moved\r\nLocation: http://{}/hook", elsewhere.address);
    let receiver = Receiver::start(&[&moved, "403 No", "200 Well"]);
    let keys = "events = \"reload\"\n";
    let (folder, _backends, mut server) = serve(&receiver, keys);
    for _ in 0..2 {
        server.signal("-HUP");
        server.wait_for("an event is given up");
    }
    folder.write("meridian.toml", "nonsense");
    server.signal("-HUP");
    server.wait_for("the old one stays in force");
    let events = [(); 3].map(|()| receiver.next());
    assert!(events.iter().all(|event| !event.fields.contains_key("x-meridian-signature")));
    let reasons =
        events.each_ref().map(|event| event.json()["reason"].as_str().unwrap().to_owned());
    let wanted = ["in force as generation 2", "in force as generation 3", "refused: "];
    for (reason, wanted) in reasons.iter().zip(wanted) {
        assert!(reason.starts_with(wanted), "{reason}");
    }
    assert_eq!(elsewhere.rest(), 0);
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody() {
    let asleep = Receiver::start(&[""]);
    let (folder, backends, mut server) = serve(&asleep, "timeout = \"1m\"\n");
    // The first event is under way and stays so.
    asleep.next();
    let start = Instant::now();
    for _ in 0..3 {
        server.reload();
    }
    backends[0].set(Mood::Dies);
    server.wait_for("to=down");
    ask(server.address, "shop.example.com").udp().address();
    // One that is added is told, and the one that stays keeps its place.
    let receiver = Receiver::start(&["200 Well"]);
    let text = folder.read("meridian.toml");
    let more =
        format!("[[webhook]]\nurl = \"http://{}/hook\"\nevents = \"reload\"\n", receiver.address);
    folder.write("meridian.toml", &format!("{text}{more}"));
    server.reload();
    assert_eq!(receiver.next().json()["kind"], "reload");
    assert!(start.elapsed() < Duration::from_secs(45), "nothing has waited for the receiver");
    assert_eq!(asleep.rest(), 0, "one event at a time");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_word_of_a_person_is_told_with_who_and_why() {
    let receiver = Receiver::start(&["200 Well"]);
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let keys = format!(
        "events = \"override\"\nservices = \"s*\"\n\
         [admin]\nlisten = \"{admin}\"\ntoken_file = \"token\"\n"
    );
    let (folder, _backends, _server) = serve(&receiver, &keys);
    let token = folder.read("token");
    let fields =
        format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", token.trim());
    for site in ["seoul", "tokyo"] {
        let body = format!(
            "{{\"selector\": \"site:{site}\", \"reason\": \"moving\", \"author\": \"ada\"}}"
        );
        let (head, body) = http(admin, "POST /api/v1/drain", &fields, &body);
        assert_eq!(http_status(&head), 200, "{body}");
    }
    // The first was about the service `www`, which is none of its business.
    let event = receiver.next().json();
    assert_eq!((&event["kind"], &event["subject"]), (&"override".into(), &"site:tokyo".into()));
    assert_eq!((&event["author"], &event["reason"]), (&"ada".into(), &"drain: moving".into()));
    assert_eq!((&event["from"], &event["to"]), (&"enabled".into(), &"draining".into()));
    assert_eq!(event["services"], serde_json::json!(["shop"]));
}
