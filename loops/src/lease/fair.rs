//! Whose order is next: the highest priority first, and among equals the loop that has the fewest under way.

/// Orders of one loop that are alike for whoever chooses among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The loop's name.
    pub loop_name: String,
    /// The kind of order; each kind may have its own bound.
    pub kind: String,
    /// What it needs of a node, as it is kept.
    pub needs: String,
    /// Higher is sooner.
    pub priority: i64,
    /// How many wait.
    pub waiting: u32,
    /// How many of the loop are under way, whatever their kind.
    pub under_way: u32,
    /// When the oldest of them came.
    pub oldest: i64,
}

/// How many of each lane are taken next, in all `free` at most and of each lane as many as `bound` lets (asked with
/// the lane and how many of it are taken already). The answer has a place for each lane, in the order given.
///
/// A loop with ten thousand orders gets no more than its share while others wait: each place goes to the loop that has
/// the fewest, those under way counted, and among equals to the order that has waited longest.
pub fn share(lanes: &[Lane], free: u32, bound: impl Fn(&Lane, &[u32]) -> bool) -> Vec<u32> {
    let mut taken = vec![0; lanes.len()];
    for _ in 0..free {
        let of_loop = |name: &str, taken: &[u32]| -> u32 {
            lanes
                .iter()
                .zip(taken)
                .filter(|(lane, _)| lane.loop_name == name)
                .map(|(_, taken)| *taken)
                .sum()
        };
        let next = (0..lanes.len())
            .filter(|&at| taken[at] < lanes[at].waiting && bound(&lanes[at], &taken))
            .min_by_key(|&at| {
                let lane = &lanes[at];
                let has = lane.under_way + of_loop(&lane.loop_name, &taken);
                (std::cmp::Reverse(lane.priority), has, lane.oldest, at)
            });
        match next {
            Some(at) => taken[at] += 1,
            None => break,
        }
    }
    taken
}
