//! Gathers what a command prints, the first and the last part of it, however much it is.

use std::{collections::VecDeque, io::PipeReader, process::ExitStatus};

use tokio::{io::AsyncReadExt as _, net::unix::pipe::Receiver, process::Child};

/// The first and the last part of an output.
#[derive(Debug)]
pub(crate) struct Gathered {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    seen: usize,
}

impl Gathered {
    /// Keeps so many bytes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            head: vec![],
            tail: VecDeque::new(),
            half: most / 2,
            seen: 0,
        }
    }

    /// Takes what came next.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.seen = self.seen.saturating_add(bytes.len());
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        let rest = &rest[rest.len().saturating_sub(self.half)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.half);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// The text, and whether something was cut out of its middle.
    pub(crate) fn text(mut self) -> (String, bool) {
        let lost = self.seen - self.head.len() - self.tail.len();
        if lost == 0 {
            self.head.extend(self.tail);
            return (String::from_utf8_lossy(&self.head).into_owned(), false);
        }
        let head = String::from_utf8_lossy(&self.head);
        let tail = Vec::from(self.tail);
        let tail = String::from_utf8_lossy(&tail);
        (format!("{head}\n[… {lost} bytes cut out …]\n{tail}"), true)
    }

    /// Reads until the child and everybody else who holds the pipe has ended. A process that left the sandboxless
    /// command's group may hold it for ever, so after the child's end what comes within a moment is enough.
    pub(super) async fn until_end(
        &mut self,
        pipe: PipeReader,
        child: &mut Child,
    ) -> std::io::Result<ExitStatus> {
        let mut pipe = Receiver::from_owned_fd(pipe.into())?;
        let mut buffer = vec![0; 32 << 10];
        let status = loop {
            tokio::select! {
                biased;
                read = pipe.read(&mut buffer) => match read? {
                    0 => break child.wait().await?,
                    count => self.push(&buffer[..count]),
                },
                status = child.wait() => break status?,
            }
        };
        let rest = async {
            while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
                self.push(&buffer[..count]);
            }
        };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(500), rest).await;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_output_is_kept_whole() {
        let mut gathered = Gathered::new(100);
        gathered.push(b"one ");
        gathered.push(&b"x".repeat(60));
        assert_eq!(gathered.text(), (format!("one {}", "x".repeat(60)), false));
    }

    #[test]
    fn a_long_output_loses_its_middle_and_says_how_much() {
        let mut gathered = Gathered::new(8);
        for part in ["ab", "cdef", "ghijklmnop", "q", "rs"] {
            gathered.push(part.as_bytes());
        }
        assert_eq!(
            gathered.text(),
            ("abcd\n[… 11 bytes cut out …]\npqrs".into(), true)
        );
    }
}
