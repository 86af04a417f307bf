//! How alike two groups of texts are. What only one of them says is forgiven, for people leave words out; where each says
//! what the other does not, they speak of different things.

use super::{feature::Features, words::FUNCTION};

/// How much it counts that each side says what the other does not.
pub(super) const CONFLICT: f32 = 1.9;
/// How much it counts that one side says more.
const MORE: f32 = 0.4;
/// A contrast is more than a common word, by weight.
const CONTRAST: f32 = 1.2;
/// A sentence that can be said of many things has fewer telling words than this.
const FRAME: usize = 5;
/// What fewer of a group's texts say is not what the group says: typing errors, and things beside the point.
const CORE: f32 = 0.25;
/// So many words that the other side lacks are compared by their looks.
const LOOKED_AT: usize = 32;

/// Some texts: the sum of their bags, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) sum: &'a [(u32, f32)],
    pub(super) count: u32,
}

impl Side<'_> {
    /// What these texts say, and how much: weight by rarity.
    pub(super) fn core<'b>(&'b self, features: &'b Features) -> impl Iterator<Item = (u32, f32)> + 'b {
        self.core_shares()
            .map(|(number, share)| (number, share * features.get(number).rarity))
    }

    fn core_shares(&self) -> impl Iterator<Item = (u32, f32)> {
        let scale = 1.0 / self.count.max(1) as f32;
        let least = if self.count > 1 { CORE } else { 0.0 };
        self.sum
            .iter()
            .map(move |(number, weight)| (*number, weight * scale))
            .filter(move |(_, share)| *share >= least)
    }
}

/// What two sides have in common, and what each says alone, by weight.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Overlap {
    pub(super) common: f32,
    /// How many features are in both.
    pub(super) shared: usize,
    less: f32,
    more: f32,
}

impl Overlap {
    /// Whether they say the same, 0 to 1.
    pub(super) fn same(&self) -> f32 {
        self.common
            / (self.common + CONFLICT * self.less + MORE * (self.more - self.less)).max(f32::MIN_POSITIVE)
    }

    /// How alike they are, 0 to 1: Dice's coefficient.
    pub(super) fn alike(&self) -> f32 {
        2.0 * self.common / (2.0 * self.common + self.less + self.more).max(f32::MIN_POSITIVE)
    }

    /// Whether the same sentence is said of two things: nearly all is common, and what is not stands against each other.
    /// Who shares many words shares more than the frame of a sentence.
    pub(super) fn contrasts(&self) -> bool {
        self.shared < FRAME
            && self.less > CONTRAST
            && self.common > 1.5 * self.less
            && self.common > self.more
    }
}

/// How much of what a new text says a group has said before, however few of its texts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Covered {
    /// By weight, 0 to 1.
    pub(super) part: f32,
    /// How many telling words.
    pub(super) words: usize,
}

/// See [`Covered`].
pub(super) fn covered(features: &Features, text: Side, group: Side) -> Covered {
    let (mut all, mut said, mut words) = (0.0, 0.0, 0);
    let mut there = group.sum.iter().peekable();
    for (number, share) in text.core_shares() {
        let weight = share * features.get(number).rarity;
        all += weight;
        while there.next_if(|(other, _)| *other < number).is_some() {}
        if there.peek().is_some_and(|(other, _)| *other == number) {
            said += weight;
            words += usize::from(share > FUNCTION);
        }
    }
    Covered {
        part: said / f32::max(all, f32::MIN_POSITIVE),
        words,
    }
}

/// Room that is used again from one comparison to the next.
#[derive(Debug, Default)]
pub(super) struct Apart {
    left: Vec<(u32, f32)>,
    right: Vec<(u32, f32)>,
}

impl Apart {
    /// What two sides have in common. Nothing at all if one says `log in` where the other says `log out`, or both name
    /// codes and none in common.
    pub(super) fn overlap(&mut self, features: &Features, a: Side, b: Side) -> Overlap {
        let mut found = Overlap::default();
        self.left.clear();
        self.right.clear();
        let (mut in_a, mut in_b) = (a.core(features), b.core(features));
        let (mut left, mut right) = (in_a.next(), in_b.next());
        loop {
            match (left, right) {
                (Some(l), Some(r)) if l.0 == r.0 => {
                    found.common += (l.1 + r.1) / 2.0;
                    found.shared += 1;
                    (left, right) = (in_a.next(), in_b.next());
                }
                (Some(l), r) if r.is_none_or(|r| l.0 < r.0) => {
                    self.left.push(l);
                    left = in_a.next();
                }
                (_, Some(r)) => {
                    self.right.push(r);
                    right = in_b.next();
                }
                (_, None) => break,
            }
        }
        if self.opposed(features) {
            return Overlap::default();
        }
        found.common += self.match_by_looks(features);
        let sum = |side: &[(u32, f32)]| side.iter().map(|(_, weight)| weight).sum::<f32>();
        let (left, right) = (sum(&self.left), sum(&self.right));
        (found.less, found.more) = (left.min(right), left.max(right));
        found
    }

    fn opposed(&self, features: &Features) -> bool {
        let sides = |side: &[(u32, f32)]| side.iter().any(|(number, _)| features.get(*number).opposes);
        sides(&self.left)
            && sides(&self.right)
            && self
                .left
                .iter()
                .any(|(l, _)| self.right.iter().any(|(r, _)| features.opposed(*l, *r)))
    }

    /// Words that look alike are the same, as far as they do. Returns how much more is common, and takes it away from
    /// what each side says alone.
    fn match_by_looks(&mut self, features: &Features) -> f32 {
        let mut common = 0.0;
        for (number, weight) in self.left.iter_mut().take(LOOKED_AT) {
            let sketch = features.get(*number).sketch;
            let mut best: Option<(f32, &mut (u32, f32))> = None;
            for other in self.right.iter_mut().take(LOOKED_AT) {
                if other.1 <= 0.0 {
                    continue;
                }
                let alike = super::feature::look_alike(sketch, features.get(other.0).sketch);
                if alike > best.as_ref().map_or(0.0, |(best, _)| *best) {
                    best = Some((alike, other));
                }
            }
            if let Some((alike, other)) = best {
                let half = weight.min(other.1) * alike;
                common += half;
                // The rarer of the two is weighed like the other one: it is the same word.
                *weight *= 1.0 - alike;
                other.1 *= 1.0 - alike;
            }
        }
        common
    }
}
