//! Later ways to say what earlier runs know. A finding that was said in many ways has many words; a new text, however it
//! is put, has most of its words from one of them and few from any other. Where that is not plain, nothing is decided.

use std::collections::BTreeMap;

use super::{
    compare::covered,
    place::{Groups, Search, follow},
};

/// A known group has said at least this part of a new one's words,
const COVERED: f32 = 0.6;
/// while no other has said more than this part of that;
const RIVAL: f32 = 0.7;
/// or at least this part,
const COVERED_ALONE: f32 = 0.3;
/// while no other has said more than this part of that.
const RIVAL_ALONE: f32 = 0.5;
/// Known groups that are this much alike are one problem in parts, and no rivals.
const KIN: f32 = 0.5;
/// So many telling words are among those that both say,
const WORDS: usize = 3;
/// and the two are at least this much alike.
const ALIKE: f32 = 0.25;
/// A sentence that can be said of two things has fewer words in common with a group than this.
const FRAME: usize = 4;
/// With how many known groups one is compared.
const COMPARED: usize = 8;

impl Groups {
    /// Puts new groups into the one known group that plainly speaks of the same more than any other does.
    pub(super) fn adopt(&mut self, places: &mut [usize], search: &mut Search) {
        let mut moved = BTreeMap::new();
        for at in self.first_new()..self.all.len() {
            if self.all[at].count > 0
                && let Some(into) = self.known_home(at, search)
                && self.absorb(into, at)
            {
                moved.insert(at, into);
            }
        }
        follow(&moved, places);
    }

    fn known_home(&self, at: usize, search: &mut Search) -> Option<usize> {
        self.promising(self.all[at].side(), search, 0.0, COMPARED);
        let mut known: Vec<(f32, usize, usize)> = search
            .found
            .iter()
            .map(|(other, _)| *other as usize)
            .filter(|other| *other < self.first_new())
            .map(|other| {
                let covered = covered(&self.features, self.all[at].side(), self.all[other].side());
                (covered.part, other, covered.words)
            })
            .collect();
        known.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (&(part, into, words), others) = known.split_first()?;
        if words < WORDS || part < COVERED_ALONE {
            return None;
        }
        let rival = others
            .iter()
            .find(|(_, other, _)| self.overlap(into, *other, search).alike() < KIN)
            .map_or(0.0, |(rival, ..)| rival / part);
        let is_plain = rival <= RIVAL_ALONE || (rival <= RIVAL && part >= COVERED);
        let overlap = self.overlap(at, into, search);
        let is_contrast = words < FRAME && overlap.contrasts() && self.all[into].is_one_sentence();
        (is_plain && overlap.alike() >= ALIKE && !is_contrast).then_some(into)
    }
}
