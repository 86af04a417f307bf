//! Many files read by one git, within bounds: what is larger than asked for is never in our memory. What comes back is
//! an agent's or a repository's: data.

use super::{Git, GitError, objects::checked};

impl Git {
    /// The sizes of blobs in bytes, in the order of their ids; none where there is no such blob.
    ///
    /// # Errors
    /// If an id is none, or the repository cannot be read.
    pub async fn sizes(&self, ids: &[&str]) -> Result<Vec<Option<usize>>, GitError> {
        let mut asked = String::new();
        for id in ids {
            asked.push_str(checked(id)?);
            asked.push('\n');
        }
        let args = ["cat-file", "--batch-check=%(objecttype) %(objectsize)"];
        let told = self.run_with_stdin(&args, asked.as_bytes()).await?;
        let told = String::from_utf8_lossy(&told);
        let mut sizes: Vec<Option<usize>> = told
            .lines()
            .map(|line| line.strip_prefix("blob ")?.parse().ok())
            .collect();
        sizes.resize(ids.len(), None);
        Ok(sizes)
    }

    /// The contents of blobs, in the order of their ids; none where there is no such blob, where it has more than `each`
    /// bytes, or where those before it have used up `all`.
    ///
    /// # Errors
    /// If an id is none, or the repository cannot be read.
    pub async fn blobs(
        &self,
        ids: &[&str],
        each: usize,
        all: usize,
    ) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let mut left = all;
        let sizes = self.sizes(ids).await?;
        let wanted: Vec<Option<usize>> = sizes
            .into_iter()
            .map(|size| {
                let size = size?;
                left = left.checked_sub(size).filter(|_| size <= each)?;
                Some(size)
            })
            .collect();
        let asked: String = ids
            .iter()
            .zip(&wanted)
            .filter(|(_, size)| size.is_some())
            .map(|(id, _)| format!("{id}\n"))
            .collect();
        // A line of the answer has the size, and each content ends with a line feed.
        let most = all.saturating_add(ids.len().saturating_mul(32));
        let output = self
            .run_within(&["cat-file", "--batch=%(objectsize)"], asked.as_bytes(), most)
            .await?;
        let mut rest = output.as_slice();
        let mut contents = Vec::with_capacity(ids.len());
        for size in wanted {
            let content = size.and_then(|size| {
                let line = rest.iter().position(|byte| *byte == b'\n')?;
                let content = rest.get(line + 1..line + 1 + size)?;
                rest = rest.get(line + size + 2..).unwrap_or_default();
                Some(content.to_vec())
            });
            contents.push(content);
        }
        Ok(contents)
    }
}
