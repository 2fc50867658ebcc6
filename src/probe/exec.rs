//! The exec check: a program of the operator's, run without a shell, and its exit status.
//!
//! It gets an environment of four variables, no standard input and a process group of its own,
//! which is killed when the probe is over, so that it leaves nothing behind.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::join;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{Instant, timeout, timeout_at};

use crate::health::{ExecCheck, Failure, Outcome, Stage, Target};

/// Octets of each output that are looked at; the rest is read and thrown away.
const OUTPUT_OCTETS: usize = 4096;

/// Characters of its first line that are shown.
const LINE_CHARACTERS: usize = 200;

/// How long to wait for the end of the output after the program has ended: it is in the pipe
/// already, unless somebody who left the process group holds that open.
const OUTPUT_GRACE: Duration = Duration::from_millis(100);

/// Where the programs a plugin calls are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Probes `target` once; `check` is its check.
///
/// ```text
/// the program         nagios  the outcome
/// cannot be started   -       none: a matter of this machine
/// exits with 0        -       passed
/// exits with 1        true    passed, with a warning
/// exits with another  -       failed: the status and the first line of its output
/// ends by a signal    -       failed: the signal
/// does not end        -       failed: no complete answer within the timeout
/// ```
pub(super) async fn probe(target: &Target, check: &ExecCheck) -> Outcome {
    let start = Instant::now();
    let after = target.check().schedule.timeout();
    let result = timeout_at(start + after, run(target, check)).await;
    let took = start.elapsed();
    match result {
        Ok(Ok((status, line))) => judge(status, line, check, took),
        Ok(Err(failure)) => Outcome::failed(failure, took),
        Err(_) => Outcome::failed(Failure::Timeout { stage: Stage::Body, after }, took),
    }
}

fn judge(status: ExitStatus, line: String, check: &ExecCheck, took: Duration) -> Outcome {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Outcome::passed(took),
        (Some(1), _) if check.nagios => {
            let warning = if line.is_empty() { "exit status 1".to_owned() } else { line };
            return Outcome { warning: Some(warning), ..Outcome::passed(took) };
        }
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    };
    Outcome::failed(Failure::Exit { how, line }, took)
}

/// The processes of a probe, killed with the value: when the program has ended, or was given up.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // Nobody is left of a program that has ended in good order.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// Runs the program to its end; its exit status and the first line it wrote.
async fn run(target: &Target, check: &ExecCheck) -> Result<(ExitStatus, String), Failure> {
    let (address, name) = (target.address(), &target.check().name);
    let mut command = Command::new(check.program());
    command
        .args(check.arguments(address, name))
        .env_clear()
        .env("PATH", PATH)
        .env("MERIDIAN_ADDRESS", address.ip().to_string())
        .env("MERIDIAN_PORT", address.port().to_string())
        .env("MERIDIAN_CHECK", name)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let local = |error: std::io::Error| Failure::Local(format!("{}: {error}", check.program()));
    let mut child = command.spawn().map_err(local)?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let group = group.map(Group).ok_or_else(|| local(ErrorKind::NotFound.into()))?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let outputs = child.stdout.take().zip(child.stderr.take());
    let (out, err) = outputs.ok_or_else(|| Failure::Unexpected("no pipes".into()))?;
    let status = {
        let mut reading = pin!(join(read(out, &mut stdout), read(err, &mut stderr)));
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.map_err(local)?,
                _ = &mut reading, if !is_read => is_read = true,
            }
        };
        // Whoever it left behind holds the pipes open.
        drop(group);
        if !is_read {
            let _ = timeout(OUTPUT_GRACE, reading).await;
        }
        status
    };
    let line = [&stdout, &stderr].into_iter().map(|output| first_line(output));
    Ok((status, line.into_iter().find(|line| !line.is_empty()).unwrap_or_default()))
}

/// Reads all of an output and keeps its beginning.
async fn read(mut output: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut chunk = [0; OUTPUT_OCTETS];
    while let Ok(length @ 1..) = output.read(&mut chunk).await {
        let room = OUTPUT_OCTETS - kept.len();
        kept.extend_from_slice(&chunk[..length.min(room)]);
    }
}

/// The first line with anything in it, fit to be shown.
fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    line.chars().take(LINE_CHARACTERS).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::{schedule, target};
    use super::*;
    use crate::health::{Check, CheckKind};

    /// A script in a folder that goes with it.
    struct Script(tempfile::TempDir);

    impl Script {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("check");
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
            Self(folder)
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        async fn run(&self, arguments: &[&str], nagios: bool, timeout_ms: u64) -> Outcome {
            // A script that another test's child still holds open for writing, as it was forked
            // at the wrong moment, is busy for an instant.
            loop {
                let outcome = self.run_once(arguments, nagios, timeout_ms).await;
                match &outcome.result {
                    Err(Failure::Local(text)) if text.contains("Text file busy") => continue,
                    _ => return outcome,
                }
            }
        }

        async fn run_once(&self, arguments: &[&str], nagios: bool, timeout_ms: u64) -> Outcome {
            let mut command = vec![self.path("check")];
            command.extend(arguments.iter().map(|&word| word.to_owned()));
            let exec = ExecCheck::new(&command, nagios).unwrap();
            let schedule = schedule(1000, timeout_ms);
            let check = Check { schedule, ..Check::new("plug in", CheckKind::Exec(exec.clone())) };
            probe(&target(&check, ([192, 0, 2, 1], 81)), &exec).await
        }
    }

    fn exit(how: &str, line: &str) -> Result<(), Failure> {
        Err(Failure::Exit { how: how.into(), line: line.into() })
    }

    #[tokio::test]
    async fn the_exit_status_decides() {
        let long = "x".repeat(300);
        for (text, nagios, result, warning) in [
            ("exit 0", false, Ok(()), None),
            ("echo fine", true, Ok(()), None),
            ("echo high load; exit 1", true, Ok(()), Some("high load")),
            ("exit 1", true, Ok(()), Some("exit status 1")),
            ("echo high load; exit 1", false, exit("exit status 1", "high load"), None),
            ("echo; echo ' bad\tthing '; exit 2", true, exit("exit status 2", "bad thing"), None),
            ("echo oh >&2; exit 3", true, exit("exit status 3", "oh"), None),
            ("kill -9 $$", false, exit("signal 9", ""), None),
            (&format!("echo {long}; exit 2"), false, exit("exit status 2", &long[..200]), None),
            // More than a pipe holds is no reason to hang.
            (
                "head -c 300000 /dev/zero; exit 2",
                false,
                exit("exit status 2", &" ".repeat(200)),
                None,
            ),
        ] {
            let outcome = Script::new(text).run(&[], nagios, 20_000).await;
            assert_eq!(outcome.result, result, "{text}");
            assert_eq!(outcome.warning.as_deref(), warning, "{text}");
        }
    }

    #[tokio::test]
    async fn it_knows_whom_to_ask_and_nothing_else() {
        let script =
            Script::new("echo \"$*\" $(env | grep -v '^\\(PWD\\|_\\|SHLVL\\)=' | sort); exit 2");
        let outcome = script.run(&["-H", "{address}", "{name}:{port}"], false, 20_000).await;
        let line = format!(
            "-H 192.0.2.1 plug in:81 MERIDIAN_ADDRESS=192.0.2.1 MERIDIAN_CHECK=plug in \
             MERIDIAN_PORT=81 PATH={PATH}"
        );
        assert_eq!(outcome.result, exit("exit status 2", &line));
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_no_failure_of_the_target() {
        let script = Script::new("exit 0");
        std::fs::remove_file(script.path("check")).unwrap();
        let outcome = script.run(&[], false, 20_000).await;
        assert!(matches!(outcome.result, Err(Failure::Local(_))), "{outcome:?}");
        std::fs::write(script.path("check"), "#!/bin/sh\n").unwrap();
        let outcome = script.run(&[], false, 20_000).await;
        assert!(matches!(outcome.result, Err(Failure::Local(_))), "{outcome:?}");
    }

    /// Waits until processes have ended, which the lock they hold on a file shows.
    async fn wait_for_unlock(path: String) {
        let status = Command::new("flock").args([&path, "true"]).status().await.unwrap();
        assert!(status.success());
    }

    #[tokio::test]
    async fn nothing_is_left_behind() {
        if !std::path::Path::new("/usr/bin/flock").exists() {
            eprintln!("skipped: flock not installed");
            return;
        }
        // The program itself hangs, and so does a child of it.
        let hangs = "cd ${0%/*}; exec 9>lock; flock 9; sleep 1000 & sleep 1000";
        // The program ends, its child does not, and has its output.
        let leaves = "cd ${0%/*}; exec 9>lock; flock 9; echo bye; sleep 1000 & exit 2";
        for (text, timeout_ms, result) in
            [(hangs, 500, None), (leaves, 20_000, Some(exit("exit status 2", "bye")))]
        {
            let script = Script::new(text);
            let outcome = script.run(&[], false, timeout_ms).await;
            let after = Duration::from_millis(timeout_ms);
            let timed_out = Err(Failure::Timeout { stage: Stage::Body, after });
            assert_eq!(outcome.result, result.unwrap_or(timed_out), "{text}");
            wait_for_unlock(script.path("lock")).await;
        }
    }
}
