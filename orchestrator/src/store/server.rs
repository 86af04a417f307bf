//! The state as a schema of a Postgres, version 15 or later.
//!
//! One process writes at a time: a write transaction begins by taking the lock of the table `writer`, which the server
//! gives back with the transaction, however that ends. So transactions need not be serialisable to be serial, and none
//! has to be done again. What the server's `synchronous_commit` says holds for ours.
//!
//! A server may go away. What has not begun is begun again here; what is under way fails, and its transaction leaves
//! nothing.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable as _};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Store, StoreError, migrations, open::Engine};

/// What version 15 says of itself.
const OLDEST: i64 = 150_000;

/// How long we wait for an answer to a first knock.
const KNOCK: Duration = Duration::from_secs(10);

/// How long a task waits for a connection. Far above any transaction that we make.
const TURN: Duration = Duration::from_secs(30);

/// How many of this process stand in the queue for the lock. The next one takes it while the last connection is
/// looked after.
const WRITERS: u32 = 3;

/// How many reads go on at once.
const READERS: u32 = 8;

/// The first key of our advisory locks, "loop" in ASCII; the second one is the schema.
const LOCKS: i32 = 0x6c6f_6f70;

/// Opens the state at `address`.
pub(super) async fn connect(address: &str) -> Result<Store, StoreError> {
    let (options, place) = options(address)?;
    let mut connection = knock(&options, &place).await?;
    migrations::server::apply(&mut connection, &place).await?;
    // Not waited for: it says goodbye, and that is all.
    tokio::spawn(connection.close());
    let pool = |connections| {
        PgPoolOptions::new()
            .acquire_timeout(TURN)
            .max_connections(connections)
            // A question ahead of each transaction would cost a round trip; see `patiently` for what it would find.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone())
    };
    Ok(Store {
        engine: Engine::Postgres {
            writers: pool(WRITERS),
            readers: pool(READERS),
        },
        place,
        epoch: Default::default(),
    })
}

/// Whether a state could be kept at `address`; in words, what is there. Changes nothing.
pub async fn look(address: &str) -> Result<String, StoreError> {
    let (options, place) = options(address)?;
    let mut connection = knock(&options, &place).await?;
    let version: String = sqlx::query_scalar("SELECT current_setting('server_version')")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| StoreError::from_sqlx(error, &place))?;
    Ok(format!("PostgreSQL {version} at `{}`", place.display()))
}

/// The right to work on a state, as long as this connection lives. On a file there is nothing to claim.
pub(super) async fn claim(store: &Store) -> Result<Option<PgConnection>, StoreError> {
    let Engine::Postgres { readers, .. } = &store.engine else {
        return Ok(None);
    };
    let connection = readers.connect_options().connect().await;
    let mut connection = connection.map_err(|error| store.sort(error))?;
    claim_with(&mut connection, &store.place).await?;
    Ok(Some(connection))
}

/// The same for a connection that is there.
pub(super) async fn claim_with(connection: &mut PgConnection, place: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    let taken: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1, current_schema()::regnamespace::oid::int4)")
            .bind(LOCKS)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
    if taken {
        return Ok(());
    }
    let who = who_claims(connection).await.map_err(failed)?;
    Err(StoreError::Claimed {
        path: place.to_owned(),
        who: who.unwrap_or_else(|| "which has just ended".to_owned()),
    })
}

/// What whoever has the right to work on a state calls itself; none: nobody has it, or it is a file.
pub(super) async fn claimed(store: &Store) -> Result<Option<String>, StoreError> {
    let Engine::Postgres { readers, .. } = &store.engine else {
        return Ok(None);
    };
    let mut connection = readers.acquire().await.map_err(|error| store.sort(error))?;
    who_claims(&mut connection)
        .await
        .map_err(|error| store.sort(error))
}

async fn who_claims(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT a.application_name FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = $1 \
         AND l.objid = current_schema()::regnamespace::oid \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .bind(i64::from(LOCKS))
    .fetch_optional(connection)
    .await
}

/// Cuts all connections of whoever has the right to work on a state.
pub(super) async fn cut_off_claimant(store: &Store) -> Result<(), StoreError> {
    let Engine::Postgres { readers, .. } = &store.engine else {
        return Ok(());
    };
    let mut connection = readers.acquire().await.map_err(|error| store.sort(error))?;
    let who = who_claims(&mut connection)
        .await
        .map_err(|error| store.sort(error))?;
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid() \
         AND datname = current_database() AND usename = current_user \
         AND application_name <> current_setting('application_name')",
    )
    .bind(who)
    .execute(&mut *connection)
    .await
    .map(drop)
    .map_err(|error| store.sort(error))
}

/// Gives back what [`claim_with`] took.
pub(super) async fn give_back(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_unlock($1, current_schema()::regnamespace::oid::int4)")
        .bind(LOCKS)
        .execute(connection)
        .await
        .map(drop)
}

/// A transaction that writes. Each statement sees what was committed before it, and while the lock is held nobody
/// else commits.
pub(super) async fn begin(writers: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = writers.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::query("LOCK TABLE writer IN EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

/// A transaction that writes beside the one writer.
pub(super) async fn begin_beside(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await
}

/// A transaction that reads of one moment.
pub(super) async fn snapshot(readers: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    readers
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
}

/// Does what may be done again as often as one likes, while connections turn out to be cut: one that died unseen is
/// noticed only when it is used. For a server that is away, the pool waits.
pub(super) async fn patiently<T, F>(work: impl FnMut() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times((READERS + WRITERS) as usize);
    work.retry(pauses).when(is_cut).await
}

/// Whether the connection, and not the statement, is at fault. The codes are those of a server that ends.
fn is_cut(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(told) => matches!(told.code().as_deref(), Some("57P01" | "57P02" | "57P03")),
        _ => false,
    }
}

/// What an address means, and what it is called without its password.
fn options(address: &str) -> Result<(PgConnectOptions, Arc<Path>), StoreError> {
    let options = PgConnectOptions::from_str(address).map_err(|error| StoreError::Address {
        why: error.to_string(),
    })?;
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or(options.get_username());
    let place = PathBuf::from(format!("postgres://{host}/{database}"));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let options = options
        .application_name(&format!("process {} on {}", std::process::id(), machine.trim()))
        .options([
            ("lock_timeout", "30s"),
            // A machine that went away with the lock in its hands gives it back.
            ("idle_in_transaction_session_timeout", "60s"),
            ("tcp_keepalives_idle", "30"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "3"),
        ])
        // sqlx would log whole statements; ours are named in spans.
        .disable_statement_logging();
    Ok((options, place.into()))
}

/// A first connection, without the pool's patience: who types a wrong address is to be told so at once.
async fn knock(options: &PgConnectOptions, place: &Path) -> Result<PgConnection, StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    let mut connection = tokio::time::timeout(KNOCK, options.connect())
        .await
        .map_err(|_| StoreError::Away {
            path: place.to_owned(),
            why: format!("no answer within {} s", KNOCK.as_secs()),
        })?
        .map_err(failed)?;
    let version: i64 = sqlx::query_scalar("SELECT current_setting('server_version_num')::bigint")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    if version < OLDEST {
        return Err(StoreError::OldServer {
            path: place.to_owned(),
            major: version / 10_000,
        });
    }
    let schema: Option<String> = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    match schema {
        Some(_) => Ok(connection),
        None => Err(StoreError::NoSchema {
            path: place.to_owned(),
        }),
    }
}
