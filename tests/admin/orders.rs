//! Orders: what they have to be, and reloads.

use serde_json::json;

use super::common::{http, http_status};
use super::{JSON, World};

#[test]
fn a_reload_tells_what_came_of_it() {
    let world = World::start();
    let good = world.folder.read("meridian.toml");
    world
        .folder
        .write("meridian.toml", &good.replace("site = \"frankfurt\"", "site = \"frankfrt\""));
    let (status, problem) = world.order("/api/v1/reload", "{}");
    assert_eq!((status, &problem["title"]), (422, &json!("Unprocessable Entity")));
    let [error] = &problem["errors"].as_array().unwrap()[..] else { panic!("{problem}") };
    assert!(error["file"].as_str().unwrap().ends_with("meridian.toml"), "{error}");
    let line = 1 + good.lines().position(|line| line.contains("site = \"frankfurt\"")).unwrap();
    assert_eq!(
        (&error["line"], &error["key"]),
        (&json!(line), &json!("service.www.endpoints[1].site"))
    );
    assert_eq!(error["message"], "unknown site `frankfrt`");
    assert!(error["advice"].as_str().unwrap().contains("did you mean `frankfurt`?"), "{error}");
    let now = world.get("/api/v1/status");
    assert_eq!((&now["generation"], &now["last_reload"]["ok"]), (&json!(1), &json!(false)));
    assert_eq!(now["last_reload"]["errors"], problem["errors"]);

    world.folder.write("meridian.toml", &good.replace("max = 30", "max = 31"));
    let (status, done) = world.order("/api/v1/reload", "{}");
    assert_eq!((status, &done["generation"]), (200, &json!(2)));
    assert_ne!(done["config_hash"], now["config_hash"]);
    // It is in force when it is said to be.
    assert_eq!(world.get("/api/v1/services/www")["ttl"]["max"], 31);
    let now = world.get("/api/v1/status");
    assert_eq!(
        (&now["config_hash"], &now["last_reload"]["ok"]),
        (&done["config_hash"], &json!(true))
    );
    let events = world.get("/api/v1/history?match=*meridian.toml");
    let events = events["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| (&event["kind"], &event["author"])).collect();
    assert_eq!(kinds, [(&json!("reload"), &json!("local")); 2]);
    assert!(events[1]["reason"].as_str().unwrap().starts_with("refused: unknown site"));
}

#[test]
fn tokens_change_with_a_reload() {
    let world = World::start();
    let get =
        || http_status(&http(world.admin, "GET /status", "Authorization: Bearer test\r\n", "").0);
    assert_eq!(get(), 401);
    let before = world.folder.read("meridian.toml");
    let token = "[[admin.token]]\nname = \"x\"\nrole = \"read\"\n\
                 sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";
    for (config, status) in [(format!("{before}{token}"), 200), (before, 401)] {
        world.folder.write("meridian.toml", &config);
        assert_eq!(world.order("/api/v1/reload", "{}").0, 200);
        assert_eq!(get(), status);
    }
}

#[test]
fn what_is_no_order_is_refused() {
    let world = World::start();
    let own = world.folder.bearer();
    let huge = format!("{{\"target\": \"{}\"}}", "x".repeat(1 << 20));
    for (fields, body, status) in [
        (format!("{own}{JSON}"), "{}", 200),
        (format!("{own}{JSON}"), "{\"now\": true}", 400),
        (format!("{own}{JSON}"), "", 400),
        (format!("{own}{JSON}"), "[1]", 400),
        (own.clone(), "{}", 415),
        (format!("{own}Content-Type: text/plain\r\n"), "{}", 415),
    ] {
        let (head, answer) = http(world.admin, "POST /api/v1/reload", &fields, body);
        assert_eq!(http_status(&head), status, "{fields} {body}: {answer}");
    }
    // The server does not wait for what it will not read.
    let length = huge.len();
    let request = format!(
        "POST /api/v1/failback HTTP/1.1\r\nHost: {}\r\n{own}{JSON}Content-Length: {length}\r\n\r\n",
        world.admin
    );
    assert_eq!(http_status(&super::raw(world.admin, request.as_bytes())), 413);
    // Nor does it read on where the length is not told.
    let chunked = format!(
        "POST /api/v1/failback HTTP/1.1\r\nHost: {}\r\n{own}{JSON}Transfer-Encoding: chunked\r\n\r\n\
         2000\r\n{}",
        world.admin,
        "x".repeat(0x2000)
    );
    assert_eq!(http_status(&super::raw(world.admin, chunked.as_bytes())), 413);
}
