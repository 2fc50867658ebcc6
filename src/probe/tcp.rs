//! The TCP check: connect, perhaps say something, perhaps wait for something.
//!
//! It closes the connection as soon as it has its verdict, and never reads more than
//! [`MAX_ANSWER_OCTETS`].

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::connect_failure;
use crate::health::{Failure, MAX_ANSWER_OCTETS, Outcome, Stage, TcpCheck};

/// Probes `address` once.
///
/// ```text
/// connected  expect   the outcome
/// no         -        the reason
/// yes        none     passed, once `send` is written
/// yes        found    passed
/// yes        missing  failed: at the end of the stream, at the limit or at the timeout
/// ```
pub(super) async fn probe(address: SocketAddr, check: &TcpCheck, timeout: Duration) -> Outcome {
    let start = Instant::now();
    let mut stage = Stage::Connect;
    let result = match timeout_at(start + timeout, converse(address, check, &mut stage)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::Timeout { stage, after: timeout }),
    };
    Outcome::new(result, start.elapsed())
}

async fn converse(address: SocketAddr, check: &TcpCheck, stage: &mut Stage) -> Result<(), Failure> {
    let failure = |error: std::io::Error| connect_failure(&error, address);
    let mut stream = TcpStream::connect(address).await.map_err(failure)?;
    *stage = Stage::Answer;
    if let Some(text) = &check.send {
        stream.write_all(text).await.map_err(failure)?;
    }
    let Some(expected) = &check.expect else { return Ok(()) };
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    let mut searched = 0_usize;
    loop {
        // A match may begin among the last octets searched before.
        let from = searched.saturating_sub(expected.len());
        if contains(&answer[from..], expected) {
            return Ok(());
        }
        searched = answer.len();
        let room = chunk.len().min(MAX_ANSWER_OCTETS - answer.len());
        let count = stream.read(&mut chunk[..room]).await.map_err(failure)?;
        // 0 is the end of the stream, or no room left.
        if count == 0 {
            let expected = format!("`{}`", expected.escape_ascii());
            return Err(Failure::Body { expected, octets: answer.len() });
        }
        *stage = Stage::Body;
        answer.extend_from_slice(&chunk[..count]);
    }
}

fn contains(answer: &[u8], expected: &[u8]) -> bool {
    expected.is_empty() || answer.windows(expected.len()).any(|part| part == expected)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);

    fn check(send: Option<&str>, expect: Option<&str>) -> TcpCheck {
        TcpCheck {
            send: send.map(|text| text.as_bytes().into()),
            expect: expect.map(|text| text.as_bytes().into()),
        }
    }

    /// Accepts one connection, waits for `hears`, says `says` in two pieces, closes.
    async fn serve_once(hears: &'static str, says: Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a probe connects");
            let mut heard = vec![0; hears.len()];
            stream.read_exact(&mut heard).await.expect("the probe says it");
            assert_eq!(heard, hears.as_bytes());
            let (first, second) = says.split_at(says.len() / 2);
            for part in [first, second] {
                // The probe may have its verdict and be gone.
                let _ = stream.write_all(part).await;
                let _ = stream.flush().await;
            }
        });
        address
    }

    #[tokio::test]
    async fn says_and_expects() {
        let long = |tail: &str, octets: usize| {
            let mut text = vec![b'x'; octets - tail.len()];
            text.extend_from_slice(tail.as_bytes());
            text
        };
        let missing = |octets| Some(Failure::Body { expected: "`+PONG`".into(), octets });
        for (hears, says, expect, failure) in [
            ("", Vec::new(), None, None),
            ("PING\r\n", b"+PONG\r\n".to_vec(), Some("+PONG"), None),
            ("PING\r\n", b"-ERR\r\n".to_vec(), Some("+PONG"), missing(6)),
            ("", long("+PONG", MAX_ANSWER_OCTETS), Some("+PONG"), None),
            ("", long("+PONG", MAX_ANSWER_OCTETS + 1), Some("+PONG"), missing(MAX_ANSWER_OCTETS)),
        ] {
            let address = serve_once(hears, says).await;
            let send = (!hears.is_empty()).then_some(hears);
            let outcome = probe(address, &check(send, expect), PATIENT).await;
            assert_eq!(outcome.result.err(), failure, "{send:?} {expect:?}");
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_refused_and_a_silent_one_times_out() {
        let listener = TcpListener::bind("[::1]:0").await.expect("a free port on [::1]");
        let address = listener.local_addr().expect("a bound socket has an address");
        let after = Duration::from_millis(50);
        let outcome = probe(address, &check(None, Some("220")), after).await;
        assert_eq!(outcome.result, Err(Failure::Timeout { stage: Stage::Answer, after }));
        assert!(outcome.took >= after);
        assert!(probe(address, &check(None, None), PATIENT).await.is_pass());
        drop(listener);
        let outcome = probe(address, &check(None, None), PATIENT).await;
        assert_eq!(outcome.result, Err(Failure::Refused));
    }
}
