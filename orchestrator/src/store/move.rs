//! From one engine to the other: all rows of all tables, in one transaction, looked over before it is committed.
//!
//! Which tables and columns there are is asked of the SQLite file, so a table that a later migration adds is copied
//! without a word here. Nothing is left out and nothing is understood: texts, whole numbers and fractions go over as
//! they are (but see `value::keepable`).

use ::loops::time::Timestamp;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr as _};

use super::{
    Snapshot, Store, StoreError, Tx,
    ledger::{self, Broken, Verified},
    open::Engine,
    query::{Query, Statement},
    row::Fetched,
    value::{Connection, Value},
};

/// How many rows one statement puts down, and how many parameters it may have: both engines take more.
const ROWS: usize = 500;
const PARAMETERS: usize = 30_000;

/// What there is; the engine's own tables and sqlx's are not the state.
const COLUMNS: Statement = Statement {
    table: "sqlite_schema",
    name: "COLUMNS",
    sql: "SELECT t.name AS name, c.name AS field, c.type AS kind FROM sqlite_schema AS t
        JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_'
        AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.cid",
};

/// The next place in the ledger is the one after those that were copied. On SQLite that goes without saying.
const GO_ON: Statement = Statement {
    table: "ledger",
    name: "GO_ON",
    sql: "SELECT setval(pg_get_serial_sequence('ledger', 'seq')::regclass, (SELECT MAX(seq) FROM ledger))",
};

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Each table and how many rows it has, by name.
    pub tables: Vec<(String, u64)>,
    /// The ledger, which is whole on both sides.
    pub ledger: Verified,
}

/// Copies the whole state into an empty one: all of it, or nothing if anything goes wrong. One of the two is a SQLite
/// file. What was not sealed is sealed first; the rows of every table and the ledger's chain are compared before the
/// copy counts. The caller holds the locks of both.
pub async fn move_all(from: &Store, into: &Store, now: Timestamp) -> Result<Moved, Broken> {
    ledger::seal(from, now).await?;
    let mut snapshot = from.snapshot().await?;
    let mut tx = into.begin().await?;
    let tables = copy_in(&mut snapshot, &mut tx, &shape(from, into).await?).await?;
    let there = ledger::verify_in(&mut snapshot, from.is_file()).await?;
    let here = ledger::verify_in(&mut tx, false).await?;
    if here != there {
        return Err(miscopied(&tx, "the ledger's chain".to_owned()).into());
    }
    tx.commit().await?;
    Ok(Moved { tables, ledger: here })
}

/// The same for a copy to look ahead with.
pub(super) async fn copy(from: &Store, into: &Store) -> Result<(), StoreError> {
    let mut snapshot = from.snapshot().await?;
    let mut tx = into.begin().await?;
    copy_in(&mut snapshot, &mut tx, &shape(from, into).await?).await?;
    tx.commit().await
}

/// A table, as its columns and their kinds.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Float,
}

impl Kind {
    fn read(declared: &str) -> Option<Self> {
        match declared {
            "TEXT" => Some(Self::Text),
            "BIGINT" | "INTEGER" => Some(Self::Number),
            "DOUBLE PRECISION" => Some(Self::Float),
            _ => None,
        }
    }
}

async fn shape(from: &Store, into: &Store) -> Result<Vec<Table>, StoreError> {
    let file = if from.is_file() { from } else { into };
    let columns = COLUMNS
        .all(
            file,
            |q| q,
            |row| {
                Ok((
                    row.text("name")?,
                    row.text("field")?,
                    row.word("kind", Kind::read)?,
                ))
            },
        )
        .await?;
    let mut tables: Vec<Table> = Vec::new();
    for (name, column, kind) in columns {
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push((column, kind)),
            _ => tables.push(Table {
                name,
                columns: vec![(column, kind)],
            }),
        }
    }
    Ok(tables)
}

async fn copy_in(
    from: &mut Snapshot,
    into: &mut Tx,
    tables: &[Table],
) -> Result<Vec<(String, u64)>, StoreError> {
    for table in tables {
        if table.sum(into.transacting()).await?.rows > 0 {
            return Err(StoreError::Occupied {
                path: into.transacting().1.to_owned(),
            });
        }
    }
    let mut counts = Vec::with_capacity(tables.len());
    for table in tables {
        let read = table.copy(from, into).await?;
        if table.sum(into.transacting()).await? != read {
            return Err(miscopied(into, format!("table `{}`", table.name)));
        }
        counts.push((table.name.clone(), read.rows));
    }
    if matches!(into.transacting().0, Connection::Postgres(_)) {
        GO_ON.run(into, |q| q).await?;
    }
    Ok(counts)
}

fn miscopied(tx: &Tx, why: String) -> StoreError {
    StoreError::Miscopied {
        path: tx.place().to_owned(),
        why,
    }
}

impl Table {
    /// Copies every row; what they sum up to.
    async fn copy(&self, from: &mut Snapshot, into: &mut Tx) -> Result<Sum, StoreError> {
        let (connection, place) = from.transacting();
        let mut rows = self.all().stream(connection);
        let mut sum = Sum::default();
        let mut waiting = Vec::new();
        let batch = ROWS.min(PARAMETERS / self.columns.len()).max(1);
        loop {
            let row = rows.try_next().await;
            let row = row.map_err(|error| StoreError::from_sqlx(error, place))?;
            let last = row.is_none();
            if let Some(row) = row {
                let values = self
                    .values(&row)
                    .map_err(|error| StoreError::from_sqlx(error, place))?;
                sum.add(&values);
                waiting.push(values);
            }
            if waiting.len() == batch || (last && !waiting.is_empty()) {
                self.put(into, std::mem::take(&mut waiting)).await?;
            }
            if last {
                return Ok(sum);
            }
        }
    }

    /// What the rows that are there sum up to.
    async fn sum(&self, (connection, place): (Connection<'_>, &std::path::Path)) -> Result<Sum, StoreError> {
        let failed = |error| StoreError::from_sqlx(error, place);
        let mut rows = self.all().stream(connection);
        let mut sum = Sum::default();
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            sum.add(&self.values(&row).map_err(failed)?);
        }
        Ok(sum)
    }

    /// The names are those of our own migrations.
    fn all(&self) -> Query {
        let sql = format!("SELECT {} FROM \"{}\"", self.names(), self.name);
        Query::once(AssertSqlSafe(sql).into_sql_str())
    }

    async fn put(&self, into: &mut Tx, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let width = self.columns.len();
        let places: Vec<String> = (0..rows.len())
            .map(|row| {
                let numbers: Vec<String> = (1..=width)
                    .map(|column| format!("${}", row * width + column))
                    .collect();
                format!("({})", numbers.join(", "))
            })
            .collect();
        let sql = format!(
            "INSERT INTO \"{}\" ({}) VALUES {}",
            self.name,
            self.names(),
            places.join(", ")
        );
        let query = Query::once(AssertSqlSafe(sql).into_sql_str());
        let query = rows.into_iter().flatten().fold(query, Query::bind);
        let (connection, place) = into.transacting();
        let put = query.run(connection).await;
        put.map(drop).map_err(|error| StoreError::from_sqlx(error, place))
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        names.join(", ")
    }

    fn values(&self, row: &Fetched) -> Result<Vec<Value>, sqlx::Error> {
        macro_rules! get {
            ($at:expr) => {
                match row {
                    Fetched::Sqlite(row) => row.try_get($at),
                    Fetched::Postgres(row) => row.try_get($at),
                }
            };
        }
        let kinds = self.columns.iter().enumerate();
        kinds
            .map(|(at, (_, kind))| {
                Ok(match kind {
                    Kind::Text => get!(at).map(|text: Option<String>| Value::from(text))?,
                    Kind::Number => Value::Number(get!(at)?),
                    Kind::Float => Value::Float(get!(at)?),
                })
            })
            .collect()
    }
}

/// What a table's rows sum up to, in whichever order they come: their number, and the sum of their digests.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digests: [u64; 4],
}

impl Sum {
    fn add(&mut self, row: &[Value]) {
        let mut digest = Sha256::new();
        for value in row {
            let (tag, bytes) = match value {
                Value::Text(None) | Value::Number(None) | Value::Float(None) => (b'0', Vec::new()),
                Value::Text(Some(text)) => (b't', text.clone().into_bytes()),
                Value::Number(Some(number)) => (b'n', number.to_be_bytes().to_vec()),
                Value::Float(Some(number)) => (b'f', number.to_be_bytes().to_vec()),
            };
            digest.update([tag]);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        self.rows += 1;
        let digest = digest.finalize();
        for (lane, bytes) in self.digests.iter_mut().zip(digest.chunks_exact(8)) {
            let part = bytes
                .iter()
                .fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
            *lane = lane.wrapping_add(part);
        }
    }
}

impl Store {
    /// Whether it is a SQLite file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.engine, Engine::Sqlite { .. })
    }
}
