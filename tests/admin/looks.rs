//! What is shown, as it changes.

use serde_json::{Value, json};

use super::World;
use super::common::backend::Mood;
use super::common::dns::ask;
use super::common::{eventually, http_get};

/// Whether a text is a moment as the API has it.
fn is_moment(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == "2026-11-22T01:20:00.123Z".len() && text.ends_with('Z') && text.contains('T')
}

#[test]
fn a_broken_back_end_is_seen_everywhere() {
    let mut world = World::start();
    let status = world.get("/api/v1/status");
    assert_eq!(status["generation"], 1);
    assert_eq!(status["config_hash"].as_str().map(str::len), Some(16));
    assert!(is_moment(&status["started_at"]), "{status}");
    for (key, count) in [("zones", 1), ("services", 2), ("endpoints", 3), ("sites", 2)] {
        assert_eq!(status[key], count, "{key}");
    }
    let targets = json!({ "up": 2, "down": 0, "unknown": 0, "stalled": 0 });
    assert_eq!(status["targets"], targets);
    assert_eq!((&status["last_reload"], &status["overrides"]), (&Value::Null, &json!(0)));
    let service = world.get("/api/v1/services/www");
    assert_eq!(service["health"], "up");
    assert_eq!(service["names"], json!(["www.example.com.", "web.example.com."]));
    assert_eq!(service["ttl"], json!({ "min": 5, "max": 30 }));
    let families = json!([{ "family": "ipv4", "reason": "healthy", "ttl_seconds": 30 }]);
    assert_eq!(service["families"], families);

    for _ in 0..4 {
        ask(world.server.address, "www.example.com").udp();
    }
    world.backends[0].set(Mood::WrongStatus);
    world.server.wait_for("to=down");
    let service = world.get("/api/v1/services/www");
    assert_eq!((&service["health"], &service["answers_total"]), (&json!("degraded"), &json!(4)));
    let endpoint = &service["endpoints"][0];
    assert_eq!(endpoint["id"], "www/192.0.2.1");
    assert_eq!((&endpoint["health"], &endpoint["in_answers"]), (&json!("down"), &json!(false)));
    assert_eq!(endpoint["last_outcome"]["passed"], false);
    let detail = endpoint["last_outcome"]["detail"].as_str().unwrap();
    assert!(detail.contains("status 503"), "{detail}");
    assert!(is_moment(&endpoint["since"]) && is_moment(&endpoint["last_outcome"]["at"]));
    assert_eq!((&endpoint["state"], &endpoint["override"]), (&json!("enabled"), &Value::Null));
    let other = &service["endpoints"][1];
    assert_eq!((&other["health"], &other["in_answers"]), (&json!("up"), &json!(true)));
    assert_eq!((&other["weight"], &other["site"]), (&json!(3), &json!("frankfurt")));
    let unchecked = &world.get("/api/v1/services/api")["endpoints"][0];
    assert_eq!((&unchecked["health"], &unchecked["since"]), (&Value::Null, &Value::Null));

    let sites = world.get("/api/v1/sites");
    let [seoul, frankfurt] = [0, 1].map(|at| sites["sites"][at].clone());
    assert_eq!((&seoul["name"], &seoul["health"]), (&json!("seoul"), &json!("degraded")));
    assert_eq!(seoul["location"], json!([37.57, 126.98]));
    let counts = json!({
        "total": 2, "up": 1, "down": 1, "unknown": 0, "draining": 0, "disabled": 0, "forced": 0
    });
    assert_eq!(seoul["endpoints"], counts);
    assert_eq!((&frankfurt["health"], &frankfurt["location"]), (&json!("up"), &Value::Null));

    let history = world.get("/api/v1/history?match=www&limit=1");
    let event = &history["events"][0];
    assert_eq!((&event["kind"], &event["to"]), (&json!("health"), &json!("down")));
    assert_eq!((&event["sites"], &event["services"]), (&json!(["seoul"]), &json!(["www"])));
    assert!(event["reason"].as_str().unwrap().contains("status 503"), "{event}");
    assert_eq!(world.get("/api/v1/history")["total"], 3);
    assert_eq!(world.get("/api/v1/history?match=frankfurt")["total"], 1);
    let targets = world.get("/api/v1/targets?match=web*");
    assert_eq!(targets["total"], 2);
    let down = targets["targets"].as_array().unwrap().iter().filter(|t| t["health"] == "down");
    assert_eq!(down.count(), 1);

    world.backends[0].set(Mood::Well);
    world.server.wait_for("to=up");
    assert_eq!(world.get("/api/v1/services/www")["health"], "up");
}

#[test]
fn lists_come_in_pages() {
    let world = World::start();
    let names = |query: &str| {
        let list = world.get(&format!("/api/v1/services{query}"));
        let services = list["services"].as_array().unwrap().iter();
        let names: Vec<_> = services.map(|s| s["name"].as_str().unwrap().to_owned()).collect();
        (list["total"].as_u64().unwrap(), names.join(" "))
    };
    let expect = |total, names: &str| (total, names.to_owned());
    assert_eq!(names(""), expect(2, "www api"));
    assert_eq!(names("?limit=1"), expect(2, "www"));
    assert_eq!(names("?limit=1&offset=1"), expect(2, "api"));
    assert_eq!(names("?match=a*"), expect(1, "api"));
    assert_eq!(names("?match=nothing"), expect(0, ""));
    let zones = world.get("/api/v1/zones");
    let zone = &zones["zones"][0];
    assert_eq!((&zone["name"], &zone["serial"]), (&json!("example.com."), &json!(1)));
    assert_eq!(zone["services"], 2);
    assert!(zone["file"].as_str().unwrap().ends_with("example.com.zone"), "{zone}");
}

#[test]
fn explanations_are_of_the_world_that_serves() {
    let mut world = World::start();
    let path = "/api/v1/explain?name=www.example.com&client=203.0.113.9";
    let explained = world.get(path);
    assert_eq!(
        (&explained["service"], &explained["policy"]),
        (&json!("www"), &json!("round-robin"))
    );
    assert_eq!(
        (&explained["health_source"], &explained["client"]),
        (&json!("live"), &json!("203.0.113.9/32"))
    );
    let shares = |explained: &Value| {
        let candidates = explained["candidates"].as_array().unwrap().clone();
        candidates.iter().map(|c| c["share"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shares(&explained), [0.5, 0.5]);
    assert_eq!(shares(&world.get(&format!("{path}&down=seoul"))), [0.0, 1.0]);
    world.backends[1].set(Mood::Dies);
    world.server.wait_for("to=down");
    let explained = world.get(path);
    assert_eq!(shares(&explained), [1.0, 0.0]);
    assert_eq!(explained["candidates"][1]["removed_by"], "down");
    for (query, status) in [
        ("", 400),
        ("?name=www.example.com", 400),
        ("?name=www..example.com&client=203.0.113.9", 400),
        ("?name=www.example.com&client=nobody", 400),
        ("?name=www.example.com&client=203.0.113.9&type=NOPE", 400),
        ("?name=www.example.com&client=203.0.113.9&down=nothing", 404),
        ("?name=www.example.com&client=203.0.113.9&type=AAAA", 200),
        ("?name=www.elsewhere.example&client=2001:db8::/48", 200),
    ] {
        assert_eq!(http_get(world.admin, &format!("/api/v1/explain{query}")).0, status, "{query}");
    }
}

/// Rates are there once the counters were looked at twice.
#[test]
fn shares_follow_answers() {
    let world = World::start();
    let share = || world.get("/api/v1/sites")["sites"][0]["share"].clone();
    eventually("the sites have shares", || {
        for _ in 0..20 {
            ask(world.server.address, "www.example.com").udp();
        }
        share().as_f64().is_some_and(|share| (share - 0.5).abs() < 0.05)
    });
    let service = world.get("/api/v1/services/www");
    assert!(service["answers_per_second"].as_f64().unwrap() > 0.0, "{service}");
    assert!(world.get("/api/v1/status")["queries_per_second"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_document_is_served() {
    let world = World::start();
    let document = world.get("/api/v1/openapi.json");
    let checked_in: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    assert_eq!(document, checked_in);
}
