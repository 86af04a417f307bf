//! The tables of a Postgres schema, which several machines may open at once.

use std::path::Path;

use sqlx::{PgConnection, Row as _};

use super::{Applied, POSTGRES, Standing, judge, known, lay};
use crate::store::{StoreError, server};

/// Brings the schema up to date. Where nothing is to be done, which is nearly always, this is two small reads. Of
/// several that find the same fresh schema one lays the tables, and the others wait and then find them: sqlx sees to
/// that.
pub(in crate::store) async fn apply(connection: &mut PgConnection, place: &Path) -> Result<(), StoreError> {
    let known = known(POSTGRES);
    match judge(&applied(connection, place).await?, &known, place)? {
        Standing::Current => Ok(()),
        Standing::Fresh => lay(connection, known, place).await,
        Standing::Behind => {
            // A reader from a newer build must not change the tables under an older service that runs.
            let failed = |error| StoreError::from_sqlx(error, place);
            server::claim_with(connection, place).await?;
            let laid = lay(connection, known, place).await;
            server::give_back(connection).await.map_err(failed)?;
            laid
        }
    }
}

async fn applied(connection: &mut PgConnection, place: &Path) -> Result<Vec<Applied>, StoreError> {
    let failed = |error| StoreError::from_sqlx(error, place);
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    // There are tables, but not the one in which sqlx keeps account.
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        return Err(StoreError::NotOurs {
            path: place.to_owned(),
        });
    }
    let rows = sqlx::query("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            Ok(Applied {
                version: row.try_get(0)?,
                checksum: row.try_get(1)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed)
}
