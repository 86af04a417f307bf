//! Table `leader`: which process runs loops on a state that several could. Each leader has an epoch, one more than the
//! last; every transaction of its that writes asks first whether the epoch is still its own, and holds the one writer's
//! lock while it does. So a leader that was frozen, or cut off, while another took over writes nothing down.
//!
//! Only a Postgres has it: on a file the kernel's lock says who works there.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ::loops::time::Timestamp;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{
    Reader, Store, StoreError, Tx,
    open::Engine,
    query::{Row, statements},
    server,
};

/// After so long without a word others may take over.
pub const LEASE: Duration = Duration::from_secs(15);

statements! { "leader":
    LEAD = "INSERT INTO leader (one, epoch, holder, expires_at) VALUES (1, 1, $1, $2) ON CONFLICT (one) DO UPDATE SET
        epoch = leader.epoch + 1, holder = excluded.holder, expires_at = excluded.expires_at";
    GET = "SELECT epoch, holder, expires_at FROM leader WHERE one = 1";
    RENEW = "UPDATE leader SET expires_at = $2 WHERE one = 1 AND epoch = $1";
    EXPIRE = "UPDATE leader SET expires_at = 0 WHERE one = 1 AND epoch = $1";
}

/// Who leads, or led last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// The how-manyeth it is.
    pub epoch: i64,
    /// Its name as a node.
    pub holder: String,
    /// Until when, if it says no more.
    pub expires_at: Timestamp,
}

/// Who leads, or led last; none: nobody ever did.
pub async fn get(from: impl Reader) -> Result<Option<Leader>, StoreError> {
    let read = |row: &Row| {
        Ok(Leader {
            epoch: row.number("epoch")?,
            holder: row.text("holder")?,
            expires_at: row.time("expires_at")?,
        })
    };
    GET.first(from, |q| q, read).await
}

/// Makes the store's process the leader. The caller holds the claim.
pub(super) async fn lead(store: &Store, holder: &str, lease: Duration) -> Result<i64, StoreError> {
    let until = store.time().await?.plus(lease);
    let mut tx = store.begin_unfenced().await?;
    LEAD.run(&mut tx, |q| q.bind(holder).bind(until.0)).await?;
    let epoch = get(&mut tx).await?.map_or(0, |leader| leader.epoch);
    tx.commit().await?;
    store.epoch.store(epoch, Ordering::SeqCst);
    Ok(epoch)
}

/// Whether a transaction may still write, if its store's process leads.
pub(super) async fn check(tx: &mut Tx, epoch: i64) -> Result<(), StoreError> {
    if epoch == 0 {
        return Ok(());
    }
    match get(&mut *tx).await? {
        Some(leader) if leader.epoch == epoch => Ok(()),
        Some(leader) => Err(StoreError::Deposed {
            path: tx.place().to_owned(),
            who: leader.holder,
        }),
        None => Ok(()),
    }
}

/// Says again and again that we still lead, over the connection that holds the claim; fires `lost` when we do not.
pub(super) async fn keep(
    store: Store,
    mut claim: Option<PgConnection>,
    (epoch, lease): (i64, Duration),
    lost: CancellationToken,
) {
    loop {
        tokio::time::sleep(lease / 5).await;
        let renewed = async {
            let until = store.time().await?.plus(lease);
            let mut tx = store.begin_beside().await?;
            let renewed = RENEW.run(&mut tx, |q| q.bind(epoch).bind(until.0)).await?;
            tx.commit().await?;
            Ok::<_, StoreError>(renewed > 0)
        };
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return lost.cancel(),
            // The server is away. Nobody else can take over meanwhile, either.
            Err(error) => tracing::info!(%error, "nobody learns that we lead"),
        }
        let there = match &mut claim {
            Some(connection) => connection.ping().await.is_ok(),
            None => false,
        };
        if !there {
            // Whoever takes the claim before us is the next leader, and our epoch is over.
            claim = again(&store).await;
        }
    }
}

async fn again(store: &Store) -> Option<PgConnection> {
    let Engine::Postgres { readers, .. } = &store.engine else {
        return None;
    };
    let mut connection = readers.connect_options().connect().await.ok()?;
    let claimed = server::claim_with(&mut connection, &store.place).await;
    claimed.ok().map(|()| connection)
}

impl Store {
    /// Takes the state from a leader that has said nothing for longer than its lease: cuts its connections, so that what
    /// it holds of the server is free. It may still be there, frozen; its epoch is over as soon as another leads. False:
    /// nobody leads, or whoever does is there.
    ///
    /// # Errors
    /// If the server cannot be asked, or does not let us.
    pub async fn cut_off_lost_leader(&self) -> Result<bool, StoreError> {
        let lost = match get(self).await? {
            Some(leader) => leader.expires_at < self.time().await?,
            None => false,
        };
        if lost {
            server::cut_off_claimant(self).await?;
        }
        Ok(lost)
    }

    /// Nobody need wait for the end of our lease: we go in good order.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn stop_leading(&self) -> Result<(), StoreError> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        if epoch != 0 {
            let mut tx = self.begin_beside().await?;
            EXPIRE.run(&mut tx, |q| q.bind(epoch)).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Something that ends when it is dropped.
#[derive(Debug)]
pub(super) struct Keeper(tokio::task::JoinHandle<()>);

impl Keeper {
    pub(super) fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The epoch that all clones of a store share; 0: it leads nothing.
pub(super) type Epoch = Arc<std::sync::atomic::AtomicI64>;
