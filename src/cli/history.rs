//! `meridian history`: what happened to the running server lately, and why.

use std::io::Write;

use clap::Args;

use super::remote::Remote;
use super::remote::shapes::{Event, Events};
use super::table::{Tone, finish, plain, toned};
use super::words::{moment, tone};

/// Show what happened lately: changes of health, a person's words, reloads; the newest last.
#[derive(Debug, Args)]
pub(super) struct History {
    /// Only what is about these: a target, a site, a service, a selector; `*` and `?` stand for
    /// anything.
    #[arg(value_name = "GLOB")]
    glob: Option<String>,
    /// So many at most.
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,
    /// Print the API's own JSON: one object of all, the newest first; with --follow one per event.
    #[arg(long)]
    json: bool,
    /// Go on with what happens from now on, until Ctrl-C.
    #[arg(short, long, conflicts_with = "glob")]
    follow: bool,
    #[command(flatten)]
    remote: Remote,
}

impl History {
    pub(super) fn run(self) -> Result<(), anyhow::Error> {
        let server = self.remote.server()?;
        let mut query = vec![("limit", self.number.to_string())];
        query.extend(self.glob.clone().map(|glob| ("match", glob)));
        let text = server.look("/api/v1/history", &query)?;
        let mut out = anstream::stdout().lock();
        if self.json && !self.follow {
            return Ok(writeln!(out, "{}", text.trim_end())?);
        }
        if !self.json {
            let events: Events = server.read(&text)?;
            for event in events.events.iter().rev() {
                out.write_all(line(event).as_bytes())?;
            }
            out.flush()?;
        }
        if !self.follow {
            return Ok(());
        }
        server.follow("/api/v1/events", |name, data| {
            if name != "history" {
                return Ok(());
            }
            match self.json {
                true => writeln!(out, "{data}")?,
                false => out.write_all(line(&server.read(data)?).as_bytes())?,
            }
            Ok(out.flush()?)
        })?;
        anyhow::bail!("the server at {} has ended it", server.name())
    }
}

/// One event on one line.
fn line(event: &Event) -> String {
    let painted = |word: &Option<String>| word.as_deref().map(|word| toned(word, tone(word)));
    let change = match (painted(&event.from), painted(&event.to)) {
        (Some(from), Some(to)) => format!(": {from} -> {to}"),
        (None, Some(to)) => format!(": {to}"),
        (Some(from), None) => format!(": no longer {from}"),
        (None, None) => String::new(),
    };
    let reason = match event.reason.is_empty() {
        true => String::new(),
        false => format!(": {}", plain(&event.reason)),
    };
    let author = event.author.as_ref().filter(|author| !author.is_empty());
    let author = author.map(|author| format!(" (by {})", plain(author))).unwrap_or_default();
    let felt: Vec<String> =
        event.sites.iter().chain(&event.services).map(|name| plain(name)).collect();
    let felt = match felt.is_empty() {
        true => String::new(),
        false => format!(" [{}]", felt.join(", ")),
    };
    let (at, kind) = (moment(event.at), toned(&event.kind, Tone::Plain));
    let subject = plain(&event.subject);
    finish(&format!("{at}  {kind:<8}  {subject}{change}{reason}{author}{felt}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let event: Event = serde_json::from_str(json).unwrap();
        assert_eq!(anstream::adapter::strip_str(&line(&event)).to_string(), expected);
    }

    #[test]
    fn an_event_is_a_line() {
        check(
            "{\"at\":\"2026-11-22T01:20:00.123Z\",\"kind\":\"health\",\"subject\":\"web x -\",
              \"sites\":[\"seoul\"],\"services\":[\"www\"],\"from\":\"up\",\"to\":\"down\",
              \"reason\":\"status\\n\\u001b[2J503\",\"author\":null}",
            "2026-11-22 01:20:00Z  health    web x -: up -> down: status [2J503 [seoul, www]\n",
        );
        check(
            "{\"at\":\"2026-11-22T01:20:00Z\",\"kind\":\"override\",\"subject\":\"site:seoul\",
              \"sites\":[],\"services\":[],\"from\":\"draining\",\"to\":null,
              \"reason\":\"\",\"author\":\"ada\"}",
            "2026-11-22 01:20:00Z  override  site:seoul: no longer draining (by ada)\n",
        );
    }
}
