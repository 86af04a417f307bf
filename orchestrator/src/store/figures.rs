//! What a monitor asks for, in few statements: how much there is of what, over all loops.

use ::loops::{budget::Money, time::Timestamp};

use super::{
    Reader, StoreError,
    query::{Row, statements},
};

statements! { "figures":
    RUNS = "SELECT phase AS name, COUNT(*) AS n FROM runs GROUP BY phase ORDER BY phase";
    ORDERS = "SELECT state AS name, COUNT(*) AS n FROM orders GROUP BY state ORDER BY state";
    PROPOSALS = "SELECT state AS name, COUNT(*) AS n FROM proposals GROUP BY state ORDER BY state";
    OUTBOX = "SELECT state AS name, COUNT(*) AS n FROM outbox GROUP BY state ORDER BY state";
    SPENT = "SELECT CAST(COALESCE(SUM(cost), 0) AS BIGINT) AS cost FROM calls WHERE at >= $1";
}

/// Counts by name.
pub type Counts = Vec<(String, u64)>;

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Runs by phase.
    pub runs: Counts,
    /// Orders by state.
    pub orders: Counts,
    /// Proposals by state.
    pub proposals: Counts,
    /// Effects by state.
    pub outbox: Counts,
    /// What was spent on models, ever.
    pub spent: Money,
}

/// What there is now.
pub async fn look(from: &super::Store) -> Result<Figures, StoreError> {
    let counts = async |statement: super::query::Statement| {
        let read = |row: &Row| Ok((row.text("name")?, row.number("n")?));
        statement.all(from, |q| q, read).await
    };
    Ok(Figures {
        runs: counts(RUNS).await?,
        orders: counts(ORDERS).await?,
        proposals: counts(PROPOSALS).await?,
        outbox: counts(OUTBOX).await?,
        spent: spent_since(from, Timestamp(0)).await?,
    })
}

async fn spent_since(from: impl Reader, since: Timestamp) -> Result<Money, StoreError> {
    let read = |row: &Row| Ok(Money(row.number("cost")?));
    Ok(SPENT
        .first(from, |q| q.bind(since.0), read)
        .await?
        .unwrap_or(Money::ZERO))
}
