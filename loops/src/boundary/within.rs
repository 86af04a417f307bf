//! Whether a task's globs are within the loop's.

use crate::spec::Boundaries;

/// A glob of a task that the loop's boundaries do not cover.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{glob}` is not within what this loop may write: {allowed}")]
pub struct NotWithin {
    /// The glob.
    pub glob: String,
    /// What may be written, for a person or an agent to choose from.
    pub allowed: String,
}

/// More alternatives of one glob are not looked at.
const MAX_FORMS: usize = 64;

/// More parts of one path are not looked at.
const MAX_PARTS: usize = 64;

/// The globs of `inner` that could match a path which `outer` does not let a change write. When in doubt it says
/// that a glob is not within; what it says is within, is. Paths that `deny` names are refused by
/// [`judge`](super::judge), and here only if a glob can match nothing else.
pub fn within(inner: &[String], outer: &Boundaries) -> Vec<NotWithin> {
    let is_within = |glob: &String| {
        let written = outer.write.iter().any(|outer| covers_all(outer, glob));
        written && !outer.deny.iter().any(|deny| covers_all(deny, glob))
    };
    let allowed = || {
        outer
            .write
            .iter()
            .map(|glob| format!("`{glob}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let outside = inner.iter().filter(|glob| !is_within(glob));
    outside
        .map(|glob| NotWithin {
            glob: glob.clone(),
            allowed: allowed(),
        })
        .collect()
}

fn covers_all(outer: &str, inner: &str) -> bool {
    if super::globs(&[inner.to_owned()], false).is_err() {
        return false;
    }
    let (Some(outers), Some(inners)) = (forms(outer), forms(inner)) else {
        return outer == inner;
    };
    inners
        .iter()
        .all(|inner| outers.iter().any(|outer| covers(outer, inner)))
}

/// The glob without braces: each alternative by itself. None: too many, or nested.
fn forms(glob: &str) -> Option<Vec<String>> {
    let glob = if glob.ends_with('/') {
        format!("{glob}**")
    } else {
        glob.to_owned()
    };
    if glob.contains(['\\', '[']) && glob.contains('{') {
        return None;
    }
    let mut forms = vec![glob];
    while let Some(at) = forms.iter().position(|form| form.contains('{')) {
        let form = forms.swap_remove(at);
        let open = form.find('{')?;
        let close = open + form[open..].find('}')?;
        if form[open + 1..close].contains('{') {
            return None;
        }
        forms.extend(
            form[open + 1..close]
                .split(',')
                .map(|part| format!("{}{part}{}", &form[..open], &form[close + 1..])),
        );
        if forms.len() > MAX_FORMS {
            return None;
        }
    }
    Some(forms)
}

/// Part by part, from the end of both, so that each pair is looked at once.
fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner): (Vec<&str>, Vec<&str>) = (outer.split('/').collect(), inner.split('/').collect());
    if outer.len() > MAX_PARTS
        || inner.len() > MAX_PARTS
        || inner.iter().any(|part| matches!(*part, "" | "." | ".."))
    {
        return false;
    }
    // `known[o][i]`: whether the outer parts from `o` cover the inner parts from `i`.
    let mut known = vec![vec![false; inner.len() + 1]; outer.len() + 1];
    known[outer.len()][inner.len()] = true;
    for o in (0..outer.len()).rev() {
        for i in (0..=inner.len()).rev() {
            known[o][i] = if outer[o] == "**" {
                // As the last part, `**` asks for something below its folder.
                let needs_more = o + 1 == outer.len();
                (!needs_more && known[o + 1][i])
                    || (i < inner.len() && (known[o][i + 1] || known[o + 1][i + 1]))
            } else {
                i < inner.len() && inner[i] != "**" && part_covers(outer[o], inner[i]) && known[o + 1][i + 1]
            };
        }
    }
    known[0][0]
}

fn part_covers(outer: &str, inner: &str) -> bool {
    let is_plain = |part: &str| !part.contains(['*', '?', '[', '\\', '{']);
    outer == inner
        || outer == "*"
        || (is_plain(inner) && super::globs(&[outer.to_owned()], false).is_ok_and(|set| set.is_match(inner)))
}
