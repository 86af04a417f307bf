//! Server-sent events out of bytes, in whatever pieces the bytes come.
//!
//! Only what model streams use of the format (WHATWG HTML, "Server-sent events"): `event` and `data`; comments and
//! other fields are passed over. An event grows only to a limit, so that a hostile stream cannot fill the memory.
//! It knows nothing of what the events mean.

/// The most bytes of one event.
const MAX_EVENT: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty if none was given.
    pub(super) name: String,
    /// Its data; several lines are joined by line feeds.
    pub(super) data: String,
}

/// Reads events out of bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// The event that is not whole yet, and whether it has data.
    event: Event,
    has_data: bool,
    /// The last byte ended a line as CR; a LF right after it belongs to that end.
    after_cr: bool,
    begun: bool,
}

/// An event passed the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {} MiB", MAX_EVENT >> 20)]
pub(super) struct TooLarge;

impl Decoder {
    /// Takes the next bytes; gives the events that are whole with them.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, TooLarge> {
        let mut events = Vec::new();
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.grow(bytes)?;
                break;
            };
            self.grow(&bytes[..end])?;
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            events.extend(self.end_line());
        }
        Ok(events)
    }

    fn grow(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + self.event.data.len() + bytes.len() > MAX_EVENT {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = if std::mem::replace(&mut self.begun, true) {
            &line
        } else {
            line.trim_start_matches('\u{feff}')
        };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

/// The events of a stream in these pieces, as (name, data), and whether it broke off at the limit; for those who throw any
/// bytes at it.
pub fn events_in(pieces: &[&[u8]]) -> (Vec<(String, String)>, bool) {
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    for piece in pieces {
        match decoder.push(piece) {
            Ok(more) => events.extend(more.into_iter().map(|event| (event.name, event.data))),
            Err(TooLarge) => return (events, true),
        }
    }
    (events, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    const STREAM: &str = "\u{feff}: hello\r\nevent: a\r\ndata: {\"x\": \"ä€\"}\r\n\r\nevent: b\ndata: one\ndata: two\n\n\
                          event: no data\n\ndata:bare\rid: 7\r\rdata: never ended\n";

    #[test]
    fn a_stream_reads_the_same_wherever_it_is_split() {
        let whole = vec![
            event("a", "{\"x\": \"ä€\"}"),
            event("b", "one\ntwo"),
            event("", "bare"),
        ];
        assert_eq!(Decoder::default().push(STREAM.as_bytes()).unwrap(), whole);
        for at in 0..=STREAM.len() {
            let (left, right) = STREAM.as_bytes().split_at(at);
            let mut decoder = Decoder::default();
            let mut events = decoder.push(left).unwrap();
            events.extend(decoder.push(right).unwrap());
            assert_eq!(events, whole, "split at {at}");
        }
    }

    #[test]
    fn an_endless_line_ends_the_stream_and_not_the_memory() {
        let mut decoder = Decoder::default();
        let piece = vec![b'x'; 1 << 20];
        let pushed = (0..32).take_while(|_| decoder.push(&piece).is_ok()).count();
        assert_eq!(pushed, 16);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
            let mut decoder = Decoder::default();
            for piece in pieces {
                prop_assert!(decoder.push(&piece).is_ok());
            }
        }
    }
}
