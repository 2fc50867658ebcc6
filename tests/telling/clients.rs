//! Where clients are, from engines to the map.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use meridian::config;
use meridian::engine::Engine;
use meridian::health::HealthTable;
use meridian::model::{MemoryFiles, Transport};
use meridian::telemetry::Telemetry;
use meridian::world::Writer;
use serde_json::{Value, json};

use super::common::dns::{ask, option, packet};
use super::common::{Server, ZONE_HEAD, eventually, http_get};
use super::{WORLD, ask_often, folder};

#[test]
fn clients_are_on_the_map_with_the_sites_that_serve_them() {
    let config = format!("{WORLD}[[zone]]\nname = \"example.com\"\nfile = \"zone\"\n");
    let files = MemoryFiles::default()
        .with("meridian.toml", config)
        .with("zone", ZONE_HEAD)
        .with("country.mmdb", include_bytes!("../../geoip/country.mmdb").as_slice());
    let catalog = config::load(Path::new("meridian.toml"), &files, None).unwrap();
    let health = HealthTable::new(&catalog.targets, SystemTime::now());
    let writer = Writer::new(catalog, health);
    let world = Arc::clone(writer.world());
    let telemetry = Telemetry::start(Arc::clone(&world), Arc::new(files), Box::default()).unwrap();
    let listener = ([127, 0, 0, 1], 53).into();
    let taps = telemetry.taps();
    let mut engine = Engine::new(world, Arc::default(), listener).tapped(taps.open());
    let peer = SocketAddr::from(([127, 0, 0, 1], 4242));
    let mut reply = Vec::new();
    let clients = telemetry.clients();
    assert_eq!(clients.cells().sampled, 0);
    // The Netherlands, Japan, and one that no database knows.
    let subnets = [[193, 0, 6], [202, 12, 27], [192, 0, 2]];
    let mut round = 0;
    eventually("all are on the map", || {
        for subnet in subnets {
            let options = option(8, &[&[0, 1, 24, 0][..], &subnet].concat());
            let query = packet(7, "www.example.com", 1, Some(&options));
            assert!(engine.answer(&query, peer, Transport::Udp, &mut reply));
            // One sample in 5 ms at most.
            std::thread::sleep(Duration::from_millis(6));
        }
        round += 1;
        let view = clients.cells();
        view.cells.len() == 2 && view.unlocated > 0
    });
    let view = clients.cells();
    let sites = |country: &str| {
        let cell = view.cells.iter().find(|cell| cell.country.as_deref() == Some(country));
        let cell = cell.unwrap_or_else(|| panic!("{country}: {view:?}"));
        (cell.location, cell.sites.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(sites("NL"), ([52.0, 5.0], vec!["frankfurt".to_owned()]));
    assert_eq!(sites("JP").1, ["tokyo"]);
    assert!(view.sampled <= 3 * round && view.since.is_some());
    telemetry.stop();
}

#[test]
fn the_program_tells_where_clients_are_and_what_was_lost() {
    let folder = folder(
        "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"token\"\n\
         [query_log]\noutput = \"query.log\"\nmax_per_second = 1\n\
         [[webhook]]\nurl = \"http://127.0.0.1:9/secret\"\nevents = \"override\"\n",
    );
    let mut server = Server::start(&folder);
    let admin = server.wait_for_address("admin listens");
    let get = |path: &str| {
        let (status, text) = http_get(admin, path);
        assert_eq!(status, 200, "{text}");
        text
    };
    let clients = || serde_json::from_str::<Value>(&get("/api/v1/clients")).unwrap();
    assert_eq!(clients(), json!({"since": null, "sampled": 0, "unlocated": 0, "cells": []}));
    eventually("somebody is on the map", || {
        ask(server.address, "www.example.com").subnet([193, 0, 6, 0], 24).udp();
        clients()["cells"].as_array().is_some_and(|cells| !cells.is_empty())
    });
    let cell = &clients()["cells"][0];
    assert_eq!((&cell["country"], &cell["location"]), (&json!("NL"), &json!([52.0, 5.0])));
    assert!(cell["sites"]["frankfurt"].as_u64() > Some(0), "{cell}");
    // All of one worker, in one second or two.
    ask_often(server.address, "www.example.com", 100);
    eventually("queries are held back", || {
        let page = get("/metrics");
        let held_back = page.lines().find_map(|line| {
            line.strip_prefix("meridian_query_log_held_back_total ")?.parse::<f64>().ok()
        });
        held_back > Some(90.0)
    });
    let page = get("/metrics");
    for line in [
        "meridian_query_log_lost_total 0",
        "meridian_dnstap_lost_total 0",
        "meridian_webhook_waiting{webhook=\"0\",url=\"http://127.0.0.1:9\"} 0",
    ] {
        assert!(page.lines().any(|is| is == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains("secret"));
}
