//! Server-sent events out of the pieces that come (HTML, section 9.2.6), as far as they are used:
//! each event has a name and a line or more of data.

/// The part of an event that has come so far.
#[derive(Debug, Default)]
pub(in crate::cli) struct Events {
    rest: Vec<u8>,
    name: String,
    data: Vec<String>,
}

impl Events {
    /// The events that are whole with this piece: their names and data.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<(String, String)> {
        self.rest.extend_from_slice(piece);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|&octet| octet == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                if !data.is_empty() {
                    events.push((name, data.join("\n")));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.name = value.to_owned(),
                "data" => self.data.push(value.to_owned()),
                // A comment, which keeps the connection alive, or nothing that is used.
                _ => {}
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together() {
        let stream = "event: status\ndata: {\"a\":\ndata: 1}\n\n: still here\n\n\
                      event:history\r\ndata:x\r\n\r\nevent: empty\n\ndata: ü\n\nevent: cut";
        let expected = [("status", "{\"a\":\n1}"), ("history", "x"), ("", "ü")];
        let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
        for size in [1, 2, 3, 7, stream.len()] {
            let mut events = Events::default();
            let came: Vec<_> =
                stream.as_bytes().chunks(size).flat_map(|piece| events.take(piece)).collect();
            assert_eq!(came, expected, "in pieces of {size}");
        }
    }
}
