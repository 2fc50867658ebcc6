//! Events, as they come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use super::World;
use super::common::backend::Mood;
use super::common::{PATIENCE, http_status};

/// The events of a server.
struct Events(BufReader<TcpStream>);

impl Events {
    fn follow(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // To HTTP/1.0 the body comes as it is, not in chunks.
        write!(stream, "GET /api/v1/events HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert_eq!(http_status(&head), 200);
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next event of this name that satisfies.
    fn wait_for(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut current = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the events ended");
            let line = line.trim_end();
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut current);
            }
            if let Some(data) = line.strip_prefix("data: ")
                && current == name
            {
                let data: Value = serde_json::from_str(data).unwrap();
                if wanted(&data) {
                    return data;
                }
            }
        }
    }
}

#[test]
fn whoever_follows_is_told() {
    let world = World::start();
    let mut events = Events::follow(world.admin);
    let all = |_: &Value| true;
    assert_eq!(events.wait_for("status", all)["services"], 2);
    assert_eq!(events.wait_for("sites", all)["sites"][0]["name"], "seoul");
    assert_eq!(events.wait_for("services", all)["total"], 2);
    assert_eq!(events.wait_for("overrides", all), json!({ "overrides": [] }));
    world.backends[1].set(Mood::Dies);
    let event = events.wait_for("history", all);
    assert_eq!((&event["to"], &event["sites"]), (&json!("down"), &json!(["frankfurt"])));
    // The other views follow.
    events.wait_for("sites", |sites| sites["sites"][1]["health"] == "down");
    // Somebody who comes later starts with what is now.
    let mut later = Events::follow(world.admin);
    assert_eq!(later.wait_for("status", all)["targets"]["down"], 1);
    assert_eq!(world.order("/api/v1/reload", "{}").0, 200);
    for events in [&mut events, &mut later] {
        assert_eq!(events.wait_for("history", all)["kind"], "reload");
        events.wait_for("status", |status| status["generation"] == 2);
    }
}
