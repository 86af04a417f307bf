//! What is done to the service, and when: both follow from a seed.

/// A small generator whose numbers follow from its seed (SplitMix64).
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn within(&mut self, most: u64) -> u64 {
        1 + self.next() % most
    }
}

/// An instant, counted from the start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instant {
    /// After so many requests at GitHub, git's among them.
    Requests(u64),
    /// After so many requests that made something there.
    Writes(u64),
    /// When the model was asked so often.
    Calls(u64),
    /// When the ledger has so many rows more.
    Rows(u64),
    /// At the how-manyeth line that the service names: before and after each statement, commit and command of git.
    Lines(u64),
    /// At the first of the named lines that are left.
    Named,
}

/// What is done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// SIGKILL.
    Kill,
    /// All connections to the database break.
    Cut,
    /// The database falls and is started again.
    Fall,
    /// The disk with the state is full from then on, until the run has ended and one more was tried.
    Fill,
    /// The clock jumps by so many minutes, and stays so.
    Turn(i64),
}

/// What is done, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disturbance {
    pub(super) at: Instant,
    pub(super) deed: Deed,
}

/// Where the state is, as far as it can be disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In a file on a disk that can be filled.
    SmallDisk,
    /// In a file.
    File,
    /// In a Postgres.
    Server,
}

/// The disturbances of one story.
pub(super) struct Disturbances {
    seeded: Seeded,
    /// How many kills are left.
    kills: u64,
    reach: Reach,
    writes_only: bool,
    named: bool,
    turned: i64,
    /// Those that hit.
    pub(super) done: Vec<Disturbance>,
}

const DAY: i64 = 24 * 60;

impl Disturbances {
    /// So many kills, and other deeds in between.
    pub(super) fn new(seed: u64, kills: u64, reach: Reach) -> Self {
        Self {
            seeded: Seeded::new(seed),
            kills,
            reach,
            writes_only: false,
            named: false,
            turned: 0,
            done: Vec::new(),
        }
    }

    pub(super) fn none() -> Self {
        Self::new(0, 0, Reach::File)
    }

    /// So many kills, each right after something was made at GitHub.
    pub(super) fn after_writes(kills: u64) -> Self {
        Self {
            writes_only: true,
            ..Self::new(0, kills, Reach::File)
        }
    }

    /// So many kills, each at a line that is named and at which nobody was killed yet.
    pub(super) fn at_named_lines(kills: u64) -> Self {
        Self {
            named: true,
            ..Self::new(0, kills, Reach::File)
        }
    }

    /// The next one; none: the service is left in peace from here on.
    pub(super) fn next(&mut self) -> Option<Disturbance> {
        if self.kills == 0 {
            return None;
        }
        let kill = |at| Some(Disturbance { at, deed: Deed::Kill });
        if self.writes_only {
            return kill(Instant::Writes(1));
        }
        if self.named {
            return kill(Instant::Named);
        }
        let deed = self.deed();
        let at = self.instant(deed);
        Some(Disturbance { at, deed })
    }

    fn deed(&mut self) -> Deed {
        let lot = self.seeded.next() % 12;
        match (lot, self.reach) {
            // A day ahead, and an hour back from there.
            (0, _) if self.turned == 0 => Deed::Turn(DAY),
            (0 | 1, _) if self.turned == DAY => Deed::Turn(DAY - 60),
            (2, Reach::Server) => Deed::Cut,
            (3, Reach::Server) => Deed::Fall,
            (2 | 3, Reach::SmallDisk) => Deed::Fill,
            _ => Deed::Kill,
        }
    }

    fn instant(&mut self, deed: Deed) -> Instant {
        // Near ones and far ones, so that both the first steps of a process and its last ones are hit.
        let reach = 1 << (self.seeded.next() % 5);
        let kinds = if deed == Deed::Kill { 4 } else { 3 };
        match self.seeded.next() % kinds {
            0 => Instant::Requests(self.seeded.within(3 * reach)),
            1 => Instant::Calls(self.seeded.within(reach)),
            2 => Instant::Rows(self.seeded.within(2 * reach)),
            _ => Instant::Lines(self.seeded.within(80 * reach)),
        }
    }

    pub(super) fn hit(&mut self, disturbance: Disturbance) {
        match disturbance.deed {
            Deed::Kill => self.kills -= 1,
            Deed::Turn(minutes) => self.turned = minutes,
            Deed::Cut | Deed::Fall | Deed::Fill => {}
        }
        self.done.push(disturbance);
    }

    /// How many of those that hit were of that kind.
    pub(super) fn count(&self, of: impl Fn(Deed) -> bool) -> u64 {
        self.done.iter().filter(|done| of(done.deed)).count() as u64
    }
}
