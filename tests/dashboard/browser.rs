//! A Chromium without a window, and one page in it, spoken to over the DevTools protocol.
//!
//! It waits for what the page comes to, by a promise inside of it, and never for time to pass.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use crate::common::PATIENCE;

/// The program of the browser.
pub const CHROMIUM: &str = "chromium";

/// A page in a browser of its own; both are gone with the value.
pub struct Page {
    browser: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last_id: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Page {
    /// Starts a browser with an empty page of a size in pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new(CHROMIUM)
            // Tests run as root in containers, where its sandbox cannot.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(browser.stderr.take().unwrap()).lines();
        let url = stderr
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("chromium says where it listens");
        // What else it says is of no matter, but it must not wait to say it.
        thread::spawn(move || stderr.for_each(drop));
        let host = url.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(2 * PATIENCE)).unwrap();
        let (socket, _) = tungstenite::client(&url, stream).unwrap();
        let (session, last_id, events) = (None, 0, Vec::new());
        let mut page = Self { browser, socket, session, last_id, events, _profile: profile };
        let target = page.command("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.command("Target.attachToTarget", target);
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            page.command(&format!("{domain}.enable"), json!({}));
        }
        page.resize(width, height);
        page
    }

    /// Gives the page another size; a narrow one is a phone's.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500,
        });
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    /// What the page takes the system to prefer: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Goes to an address, and waits until all of the page is there.
    pub fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.command("Page.navigate", json!({ "url": url }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            self.receive();
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let mut result = self.command("Runtime.evaluate", asked);
        let failed = &result["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed:#}");
        result["result"]["value"].take()
    }

    /// Waits until an expression is true, looking again at every change of the document; fails
    /// after [`PATIENCE`].
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = PATIENCE.as_millis();
        let came = self.evaluate(&format!(
            "new Promise((done) => {{
                const isTrue = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
                if (isTrue()) return done(true);
                const end = (came) => {{ observer.disconnect(); clearTimeout(limit); done(came); }};
                const limit = setTimeout(() => end(isTrue()), {deadline});
                const observer = new MutationObserver(() => {{ if (isTrue()) end(true); }});
                observer.observe(document, {{
                    subtree: true, childList: true, attributes: true, characterData: true,
                }});
            }})"
        ));
        if came != true {
            let text = self.evaluate("document.body.innerText");
            panic!("never came true: {expression}\n{}", text.as_str().unwrap_or_default());
        }
    }

    /// Waits until the text of the first element of a CSS selector holds `part`.
    pub fn wait_for_text(&mut self, selector: &str, part: &str) {
        let (selector, part) = (json!(selector), json!(part));
        self.wait_for(&format!("document.querySelector({selector}).textContent.includes({part})"));
    }

    /// Presses the mouse in the middle of the first element of a CSS selector.
    pub fn click(&mut self, selector: &str) {
        let name = json!(selector);
        self.wait_for(&format!("document.querySelector({name})"));
        let place = self.evaluate(&format!(
            "(() => {{
                const element = document.querySelector({name});
                element.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const {{ x, y, width, height }} = element.getBoundingClientRect();
                return {{ x: x + width / 2, y: y + height / 2 }};
            }})()"
        ));
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1,
            });
            self.command("Input.dispatchMouseEvent", event);
        }
    }

    /// Types a text where the focus is.
    pub fn type_text(&mut self, text: &str) {
        self.command("Input.insertText", json!({ "text": text }));
    }

    /// Presses and releases a key: `Tab`, `Enter`, `Escape`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            other => panic!("no code is known of {other}"),
        };
        for kind in [if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.command("Input.dispatchKeyEvent", event);
        }
    }

    /// What the page has said of errors: exceptions, words on the console, what the browser
    /// refused to load or to run.
    pub fn problems(&mut self) -> Vec<String> {
        // What was said before this is answered has come by then.
        self.evaluate("0");
        let is_bad = |word: &Value| word == "error" || word == "warning" || word == "assert";
        let bad = self.events.iter().filter(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => is_bad(&event["params"]["type"]),
            Some("Log.entryAdded") => is_bad(&event["params"]["entry"]["level"]),
            _ => false,
        });
        bad.map(|event| event["params"].to_string()).collect()
    }

    /// Gives a command, and returns its result.
    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(command.to_string())).unwrap();
        loop {
            if let Some(mut reply) = self.receive()
                && reply["id"] == self.last_id
            {
                assert!(reply["error"].is_null(), "{method}: {}", reply["error"]);
                return reply["result"].take();
            }
        }
    }

    /// Takes in a message: events are kept, a reply is returned.
    fn receive(&mut self) -> Option<Value> {
        let Message::Text(text) = self.socket.read().expect("the browser speaks in time") else {
            return None;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["id"].is_null() {
            self.events.push(message);
            return None;
        }
        Some(message)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Asked to, it ends its helpers, too.
        self.session = None;
        let close = json!({ "id": self.last_id + 1, "method": "Browser.close" });
        let is_closing = self.socket.send(Message::text(close.to_string())).is_ok();
        let _ = self.socket.get_ref().set_read_timeout(Some(Duration::from_secs(5)));
        while is_closing && self.socket.read().is_ok() {}
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
