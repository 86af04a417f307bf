//! A text as the features that it has and how much each says. Words are looked up, not made: a word that was met
//! before costs one look.

use std::collections::HashMap;

use super::{
    feature::{self, Features},
    words::{self, FUNCTION, Kind, Said},
};

/// Numbers of features with their weights, sorted by number, each once.
pub(super) type Bag = Vec<(u32, f32)>;

/// What is known of a word.
#[derive(Debug, Clone, Copy)]
struct Entry {
    says: Says,
    verb: Option<&'static str>,
    names_code: bool,
}

#[derive(Debug, Clone, Copy)]
enum Says {
    Nothing,
    Feature(u32, f32),
    Number(u16),
}

/// The words that were met, and the way from texts to bags.
#[derive(Debug, Default)]
pub(super) struct Reader {
    by_word: HashMap<Box<str>, u32>,
    entries: Vec<Entry>,
    particles: HashMap<u32, Box<str>>,
    folded: String,
    said: Vec<u32>,
}

impl Reader {
    /// What a text says; empty if it has no words. Not sorted yet, and a feature can be there twice: see [`tidy`].
    pub(super) fn read(&mut self, text: &str, features: &mut Features) -> Bag {
        words::fold_into(text, &mut self.folded);
        let mut said = std::mem::take(&mut self.said);
        said.clear();
        let folded = std::mem::take(&mut self.folded);
        words::each_word(&folded, |word| said.push(self.entry(word, features)));
        let bag = self.bag(&said, features);
        (self.folded, self.said) = (folded, said);
        bag
    }

    fn entry(&mut self, word: &str, features: &mut Features) -> u32 {
        if let Some(number) = self.by_word.get(word) {
            return *number;
        }
        let kind = Kind::of(word);
        let says = match kind.said {
            Said::Nothing => Says::Nothing,
            Said::Number(code) => Says::Number(code),
            Said::Stem(stem, weight) => Says::Feature(
                features.number(feature::stem(&stem), feature::sketch(&stem)),
                weight,
            ),
        };
        let number = self.entries.len() as u32;
        if kind.is_particle {
            self.particles.insert(number, word.into());
        }
        self.entries.push(Entry {
            says,
            verb: kind.verb,
            names_code: kind.names_code,
        });
        self.by_word.insert(word.into(), number);
        number
    }

    fn bag(&self, said: &[u32], features: &mut Features) -> Bag {
        let entry = |at: usize| said.get(at).map(|number| &self.entries[*number as usize]);
        let mut bag = Bag::with_capacity(said.len());
        let mut at = 0;
        while let Some(now) = entry(at) {
            let particle = said.get(at + 1).and_then(|next| self.particles.get(next));
            if let (Some(verb), Some(particle)) = (now.verb, particle) {
                let joined = format!("{verb}{particle}");
                bag.push((
                    features.number(feature::stem(&joined), feature::sketch(&joined)),
                    1.0,
                ));
                at += 2;
                continue;
            }
            match now.says {
                Says::Feature(number, weight) => bag.push((number, weight)),
                Says::Number(code) => {
                    let before = at.checked_sub(1).and_then(entry);
                    if before.is_some_and(|entry| entry.names_code)
                        || entry(at + 1).is_some_and(|entry| entry.names_code)
                    {
                        bag.push((features.number(feature::code(code), 0), 1.0));
                    }
                }
                Says::Nothing => {}
            }
            at += 1;
        }
        // Words that say nothing are all that there is only where nothing else is.
        if bag.iter().any(|(_, weight)| *weight > FUNCTION) {
            bag.retain(|(_, weight)| *weight > FUNCTION);
        }
        bag
    }

    /// Takes the new numbers of features from `first` on over.
    pub(super) fn renumber(&mut self, first: usize, new: &[u32]) {
        for entry in &mut self.entries {
            if let Says::Feature(number, _) = &mut entry.says
                && *number as usize >= first
            {
                *number = new[*number as usize - first];
            }
        }
    }
}

/// Sorts a bag. Saying a thing twice counts a little more.
pub(super) fn tidy(bag: &mut Bag) {
    bag.sort_unstable_by_key(|(number, _)| *number);
    let mut times = 1.0f32;
    let mut kept = 0;
    for at in 1..bag.len() {
        if bag[at].0 == bag[kept].0 {
            times += 1.0;
            continue;
        }
        bag[kept].1 *= 1.0 + times.ln() * 0.5;
        times = 1.0;
        kept += 1;
        bag[kept] = bag[at];
    }
    if !bag.is_empty() {
        bag[kept].1 *= 1.0 + times.ln() * 0.5;
        bag.truncate(kept + 1);
    }
}
