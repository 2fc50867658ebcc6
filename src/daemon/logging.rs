//! Logs: on stderr, as text or as JSON lines.

use std::time::{Duration, Instant};

use tracing::Level;
use tracing_subscriber::EnvFilter;

pub use crate::catalog::LogFormat;
use crate::serve::LogLimit;

static PANICS: LogLimit = LogLimit::new(Duration::from_secs(1));

/// Starts logging for the life of the process, that of panics too. `RUST_LOG`, if set, stands
/// above `level`.
pub fn start_logging(format: LogFormat, level: Level) {
    // Libraries say at most what went wrong; their inner life is of use to nobody here.
    let default = format!("warn,meridian={}", level.as_str().to_lowercase());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Which module speaks is of no use to operators, and `target` is our word for what is
    // probed.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(ansi).init();
        }
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    limit_panics();
}

/// Tells of one panic a second at most: whoever finds a message that trips a bug can send it
/// again as fast as the network carries it.
fn limit_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if let Some(held_back) = PANICS.pass(Instant::now()) {
            if held_back > 0 {
                eprintln!("{held_back} panics before this one were not told of");
            }
            tell(panic);
        }
    }));
}
