//! Tables `said` and `answered`: what we have said in Slack, by the key of its effect, and what people have answered.

use ::loops::time::Timestamp;

use super::{
    Reader, StoreError, Tx,
    query::{Query, Row, statements},
};

/// A message of ours that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The key of the effect that said it.
    pub key: String,
    /// The channel's id.
    pub channel: String,
    /// Its id in the channel.
    pub ts: String,
    /// Its words.
    pub words: String,
    /// When they were said last.
    pub at: Timestamp,
}

statements! { "said":
    PUT = "INSERT INTO said (key, channel, ts, words, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (key) DO UPDATE SET channel = excluded.channel, ts = excluded.ts, words = excluded.words, at = excluded.at";
    GET = "SELECT key, channel, ts, words, at FROM said WHERE key = $1";
    ANSWER = "INSERT INTO answered (channel, ts, what, key, came_to, at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING";
    ANSWERED = "SELECT ts, what FROM answered WHERE channel = $1 AND key = $2";
}

/// Notes what stands there.
pub async fn put(tx: &mut Tx, said: &Said) -> Result<(), StoreError> {
    let bind = |q: Query| {
        q.bind(&said.key)
            .bind(&said.channel)
            .bind(&said.ts)
            .bind(&said.words)
            .bind(said.at.0)
    };
    PUT.run(tx, bind).await.map(drop)
}

/// What the effect with that key has said.
pub async fn get(from: impl Reader, key: &str) -> Result<Option<Said>, StoreError> {
    GET.first(from, |q| q.bind(key), read).await
}

/// Notes that an answer to `said` was heard and what came of it. False: it was heard before.
pub async fn answer(
    tx: &mut Tx,
    said: &Said,
    ts: &str,
    what: &str,
    came_to: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let bind = |q: Query| {
        q.bind(&said.channel)
            .bind(ts)
            .bind(what)
            .bind(&said.key)
            .bind(came_to)
            .bind(at.0)
    };
    Ok(ANSWER.run(tx, bind).await? > 0)
}

/// The answers to `said` that were heard: their messages' ids, and what they were.
pub async fn answered(from: impl Reader, said: &Said) -> Result<Vec<(String, String)>, StoreError> {
    ANSWERED
        .all(
            from,
            |q| q.bind(&said.channel).bind(&said.key),
            |row| Ok((row.text("ts")?, row.text("what")?)),
        )
        .await
}

fn read(row: &Row) -> Result<Said, StoreError> {
    Ok(Said {
        key: row.text("key")?,
        channel: row.text("channel")?,
        ts: row.text("ts")?,
        words: row.text("words")?,
        at: row.time("at")?,
    })
}
