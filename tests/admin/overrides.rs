//! Drained, disabled and forced: seen by whoever asks the DNS, over restarts, and written down.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::common::backend::Mood;
use super::common::dns::ask;
use super::common::{Server, eventually};
use super::{JSON, World, http, http_status};
use serde_json::{Value, json};

impl World {
    /// All that `www` is answered in a few turns.
    fn answers(&self) -> Vec<IpAddr> {
        let mut answers: Vec<IpAddr> =
            (0..6).map(|_| ask(self.server.address, "www.example.com").udp().address()).collect();
        answers.sort();
        answers.dedup();
        answers
    }

    /// Every line of the audit log: action, what and result.
    fn audit(&self) -> Vec<String> {
        let lines = self.folder.read("meridian.audit.jsonl");
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        lines
            .map(|line| ["action", "what", "result"].map(|key| word(&line, key)).join(" | "))
            .collect()
    }

    /// The same configuration after the process was killed without a word.
    fn killed_and_started(mut self) -> Self {
        self.server.signal("-KILL");
        self.server.wait_for_end();
        let mut server = Server::start(&self.folder);
        let admin = server.wait_for_address("admin listens");
        Self { server, admin, ..self }
    }
}

const SEOUL: &str = "192.0.2.1";
const FRANKFURT: &str = "192.0.2.2";

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn orders_change_the_next_answer_and_come_back_after_a_kill() {
    let mut world = World::start();
    assert_eq!(world.answers(), addresses(&[SEOUL, FRANKFURT]));
    let steps: [(&str, Value, u16, &[&str]); 9] = [
        ("drain", json!({"selector": "frankfurt", "reason": "new switch"}), 200, &[SEOUL]),
        ("undrain", json!({"selector": "site:frankfurt"}), 200, &[SEOUL, FRANKFURT]),
        ("undrain", json!({"selector": "site:frankfurt"}), 409, &[SEOUL, FRANKFURT]),
        ("disable", json!({"selector": "site:se*", "reason": "burnt"}), 200, &[FRANKFURT]),
        ("enable", json!({"selector": "www/192.0.2.1"}), 200, &[SEOUL, FRANKFURT]),
        ("drain", json!({"selector": "oslo", "reason": "?"}), 404, &[SEOUL, FRANKFURT]),
        ("drain", json!({"selector": "seoul"}), 400, &[SEOUL, FRANKFURT]),
        ("force", json!({"selector": FRANKFURT, "state": "down", "reason": "lies"}), 200, &[SEOUL]),
        ("force", json!({"selector": "service:www", "state": "none"}), 409, &[SEOUL]),
    ];
    for (path, body, status, answers) in steps {
        let (got, reply) = world.order(&format!("/api/v1/{path}"), &body.to_string());
        assert_eq!(got, status, "{path} {body}: {reply}");
        if status == 200 {
            assert_eq!(
                (&reply["saved"], &reply["warnings"]),
                (&json!(true), &json!([])),
                "{reply}"
            );
        }
        assert_eq!(world.answers(), addresses(answers), "after {path} {body}: {reply}");
    }
    let in_force = world.get("/api/v1/overrides");
    world = world.killed_and_started();
    assert_eq!(world.get("/api/v1/overrides"), in_force);
    eventually("both are probed, and one is forced down", || {
        world.answers() == addresses(&[SEOUL])
    });
    assert_eq!(
        world.audit(),
        [
            "drain | frankfurt | done",
            "undrain | site:frankfurt | done",
            "undrain | site:frankfurt | no override of `site:frankfurt` to be lifted by `undrain`; \
             if the configuration or a wider override says so, `enable` stands above it",
            "disable | site:se* | done",
            "enable | www/192.0.2.1 | done",
            "drain | oslo | `oslo` means no endpoint: it is no site, no service and no address of \
             one",
            "drain | seoul | a reason is needed: who reads it at night should know why",
            "force down | 192.0.2.2 | done",
            "force none | service:www | no override of `service:www` to be lifted by `force none`; \
             if the configuration or a wider override says so, `enable` stands above it",
        ]
    );
}

#[test]
fn what_is_forced_up_is_answered_though_it_is_broken_and_ends_on_time() {
    let mut world = World::start();
    world.backends[1].set(Mood::Dies);
    world.server.wait_for("to=down");
    assert_eq!(world.answers(), addresses(&[SEOUL]));
    let order = json!({
        "selector": "frankfurt", "state": "up", "reason": "the probe lies", "author": "ada",
        "expires_in": "2s"
    });
    let ordered = Instant::now();
    let (status, reply) = world.order("/api/v1/force", &order.to_string());
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["overrides"][0]["author"], "ada");
    assert_eq!(world.answers(), addresses(&[SEOUL, FRANKFURT]));
    // A restart in between changes nothing about when it ends.
    let mut world = world.killed_and_started();
    world.server.wait_for("override expired");
    let took = ordered.elapsed();
    assert!(took >= Duration::from_millis(1990), "{took:?}");
    eventually("what is down is not answered", || world.answers() == addresses(&[SEOUL]));
    assert_eq!(world.get("/api/v1/overrides"), json!({"overrides": []}));
    eventually("the end is written down", || {
        world.audit().last().unwrap() == "expire | site:frankfurt | done"
    });
    let history = world.get("/api/v1/history?match=site:frankfurt");
    assert_eq!(history["events"][0]["reason"], "expired: the probe lies", "{history}");
}

#[test]
fn an_order_takes_effect_though_it_cannot_be_saved() {
    let world = World::with("overrides_file = \"missing/overrides.json\"\n");
    let (status, reply) =
        world.order("/api/v1/drain", &json!({"selector": "seoul", "reason": "x"}).to_string());
    assert_eq!((status, &reply["saved"]), (200, &json!(false)), "{reply}");
    let warning = reply["warnings"][0].as_str().unwrap();
    assert!(warning.contains("missing/overrides.json"), "{warning}");
    assert_eq!(world.answers(), addresses(&[FRANKFURT]));
}

#[test]
fn nobody_drains_without_a_token() {
    let world = World::start();
    let body = json!({"selector": "seoul", "reason": "x"}).to_string();
    for path in ["drain", "undrain", "disable", "enable", "force"] {
        let (head, _) = http(world.admin, &format!("POST /api/v1/{path}"), JSON, &body);
        assert_eq!(http_status(&head), 401, "{path}");
    }
    assert_eq!(world.answers(), addresses(&[SEOUL, FRANKFURT]));
}
