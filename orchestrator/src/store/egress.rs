//! Table `egress`: connections of attempts to hosts that their loops allow, and how many bytes went each way.
//!
//! A row is written before the first byte goes. What was refused stands in the ledger alone, by its reason: the name that
//! was asked for is an attempt's own words.

use ::loops::{
    id::{AttemptId, RunId},
    time::Timestamp,
};
use serde_json::json;

use super::{
    Reader, StoreError, Tx,
    query::{Row, statements},
};

statements! { "egress":
    BEGIN = "INSERT INTO egress (id, attempt, run, loop, host, port, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    END = "UPDATE egress SET sent = $2, received = $3, ended_at = $4 WHERE id = $1 AND ended_at IS NULL";
    OF_ATTEMPT = "SELECT host, port, COUNT(*) AS connections, CAST(COALESCE(SUM(sent), 0) AS BIGINT) AS sent, \
                  CAST(COALESCE(SUM(received), 0) AS BIGINT) AS received, \
                  CAST(COALESCE(SUM(CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS uncounted \
                  FROM egress WHERE attempt = $1 GROUP BY host, port ORDER BY host, port";
}

/// A connection that is about to be made.
#[derive(Debug, Clone)]
pub struct NewTunnel {
    /// Its id, unique for ever.
    pub id: String,
    /// The attempt that asks.
    pub attempt: AttemptId,
    /// Its run.
    pub run: RunId,
    /// The loop's name.
    pub loop_name: String,
    /// The host, one that the loop allows.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Now.
    pub at: Timestamp,
}

/// What a connection carried, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// From the attempt to the host.
    pub sent: u64,
    /// From the host to the attempt.
    pub received: u64,
}

/// What an attempt exchanged with one host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Exchanged {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How many connections there were.
    pub connections: u64,
    /// Bytes to it.
    pub sent: u64,
    /// Bytes from it.
    pub received: u64,
    /// How many connections go on still, or were under way when the service was killed: their bytes are not in the sums.
    pub uncounted: u64,
}

/// Writes a connection down.
pub async fn begin(tx: &mut Tx, tunnel: &NewTunnel) -> Result<(), StoreError> {
    BEGIN
        .run(tx, |query| {
            query
                .bind(tunnel.id.clone())
                .bind(tunnel.attempt.to_string())
                .bind(tunnel.run.to_string())
                .bind(tunnel.loop_name.clone())
                .bind(tunnel.host.clone())
                .bind(i64::from(tunnel.port))
                .bind(tunnel.at.0)
        })
        .await
        .map(drop)
}

/// Writes down what it carried, in the ledger, too.
pub async fn end(tx: &mut Tx, tunnel: &NewTunnel, ended: Ended, at: Timestamp) -> Result<(), StoreError> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    END.run(tx, |query| {
        query
            .bind(tunnel.id.clone())
            .bind(number(ended.sent))
            .bind(number(ended.received))
            .bind(at.0)
    })
    .await?;
    let data = json!({
        "attempt": tunnel.attempt, "host": tunnel.host, "port": tunnel.port, "sent_bytes": ended.sent,
        "received_bytes": ended.received,
    });
    tx.record(
        at,
        "egress.ended",
        Some(&tunnel.loop_name),
        Some(tunnel.run),
        &tunnel.id,
        data,
    )
    .await
}

/// Writes down that an attempt wanted out and may not; `why` is one of the gateway's own words.
pub async fn refused(
    tx: &mut Tx,
    attempt: AttemptId,
    run: RunId,
    loop_name: &str,
    why: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let data = json!({"attempt": attempt, "why": why});
    tx.record(
        at,
        "egress.refused",
        Some(loop_name),
        Some(run),
        &attempt.to_string(),
        data,
    )
    .await
}

/// What an attempt exchanged with whom.
pub async fn of_attempt(from: impl Reader, attempt: AttemptId) -> Result<Vec<Exchanged>, StoreError> {
    OF_ATTEMPT
        .all(from, |query| query.bind(attempt.to_string()), exchanged)
        .await
}

fn exchanged(row: &Row) -> Result<Exchanged, StoreError> {
    Ok(Exchanged {
        host: row.text("host")?,
        port: row.number("port")?,
        connections: row.number("connections")?,
        sent: row.number("sent")?,
        received: row.number("received")?,
        uncounted: row.number("uncounted")?,
    })
}
