//! How much the tables take on the disk, by what each engine keeps of itself.

use super::{Store, StoreError, query::Statement};

/// Bytes on the disk, indexes included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// All tables. Of a file it is what the file holds, without its log.
    pub all: u64,
    /// What agents were told, said and did.
    pub transcripts: u64,
    /// Git packs for other machines, and of attempts under way.
    pub packs: u64,
}

/// SQLite counts by looking at the pages of a table.
const OF_FILE: Statement = Statement {
    table: "dbstat",
    name: "OF_FILE",
    sql: "SELECT (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) AS \"all\",
        (SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN
            (SELECT name FROM sqlite_schema WHERE tbl_name IN ('transcripts', 'turns', 'saved_messages'))) AS transcripts,
        (SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN
            (SELECT name FROM sqlite_schema WHERE tbl_name = 'packs')) AS packs",
};

/// Postgres knows the files of its relations.
const OF_SERVER: Statement = Statement {
    table: "pg_class",
    name: "OF_SERVER",
    sql: "SELECT CAST(COALESCE(SUM(pg_total_relation_size(oid)), 0) AS BIGINT) AS \"all\",
        CAST(COALESCE(SUM(pg_total_relation_size(oid)) FILTER (WHERE relname IN ('transcripts', 'turns', 'saved_messages')), 0)
            AS BIGINT) AS transcripts,
        CAST(COALESCE(SUM(pg_total_relation_size(oid)) FILTER (WHERE relname = 'packs'), 0) AS BIGINT) AS packs
        FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
};

/// Looks how much the tables take.
pub async fn look(store: &Store) -> Result<Sizes, StoreError> {
    let statement = if store.is_file() { OF_FILE } else { OF_SERVER };
    let sizes = statement
        .first(
            store,
            |q| q,
            |row| {
                Ok(Sizes {
                    all: row.number("all")?,
                    transcripts: row.number("transcripts")?,
                    packs: row.number("packs")?,
                })
            },
        )
        .await?;
    Ok(sizes.unwrap_or_default())
}
