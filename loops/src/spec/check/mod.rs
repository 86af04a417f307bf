//! What types cannot say: forms of texts, keys that need or exclude each other, sizes. Every error names the key where
//! it stands in the file.
//!
//! Nothing is looked up beyond what is handed in: whether a file, a branch or a host exists is not asked here.

mod feeds;
mod heard;
mod when;
mod who;
mod within;

use super::{
    LoopSpec, RepoForm,
    error::SpecError,
    forms,
    read::{Index, Known, place},
    words,
};
use crate::spec::error::Place;

/// Adds to `errors` what is wrong with `spec`, which was read from the text that `index` places.
pub(super) fn check(spec: &LoopSpec, index: &Index, known: &Known, errors: &mut Vec<SpecError>) {
    let earlier = errors.iter().map(|error| error.path.clone()).collect();
    let mut finds = Finds {
        index,
        known,
        earlier,
        errors,
    };
    top(spec, &mut finds);
    heard::check(spec, &mut finds);
    when::check(spec, &mut finds);
    who::check(spec, &mut finds);
    within::check(spec, &mut finds);
}

/// Collects errors, each with its place.
struct Finds<'a> {
    index: &'a Index,
    known: &'a Known,
    /// Paths that were complained about before: what stands there is not what was written.
    earlier: Vec<String>,
    errors: &'a mut Vec<SpecError>,
}

impl Finds<'_> {
    /// Notes that what stands at `path` is wrong.
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.note(path, |at, value| SpecError::new(at, message).value(value));
    }

    /// The same, and says what may stand there.
    fn add_allowed(&mut self, path: &str, message: impl Into<String>, allowed: &str) {
        self.note(path, |at, value| {
            SpecError::new(at, message).value(value).allowed(allowed)
        });
    }

    /// Notes it unless the condition holds.
    fn expect(&mut self, holds: bool, path: &str, message: &str) {
        if !holds {
            self.add(path, message);
        }
    }

    fn note(&mut self, path: &str, make: impl FnOnce(Place, Option<String>) -> SpecError) {
        if self.is_doubtful(path) {
            return;
        }
        let (at, value) = place(self.index, path);
        self.errors.push(make(at, value).path(path));
    }

    /// Whether what stands at `path` is not what was written, because that did not fit.
    fn is_doubtful(&self, path: &str) -> bool {
        self.earlier.iter().any(|earlier| related(earlier, path))
    }

    /// Notes every text of the list at `path` that does not have its form.
    fn each(&mut self, path: &str, texts: &[String], is_right: impl Fn(&str) -> bool, message: &str) {
        for (i, text) in texts.iter().enumerate() {
            self.expect(is_right(text), &format!("{path}[{i}]"), message);
        }
    }

    /// Notes every text of the list at `path` that is not a glob.
    fn globs(&mut self, path: &str, globs: &[String]) {
        for (i, glob) in globs.iter().enumerate() {
            if let Some(why) = forms::not_a_glob(glob) {
                self.add(&format!("{path}[{i}]"), why);
            }
        }
    }
}

/// Whether one path is the other or lies under it.
fn related(one: &str, other: &str) -> bool {
    let under = |above: &str, below: &str| {
        below
            .strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    under(one, other) || under(other, one)
}

fn top(spec: &LoopSpec, finds: &mut Finds<'_>) {
    if !forms::is_name(&spec.name) {
        let allowed = "lower-case letters, digits and hyphens, at most 63, not a hyphen first";
        finds.add_allowed("name", "this cannot be a loop's name", allowed);
    }
    if RepoForm::parse(&spec.repo).is_none() {
        let allowed = "`owner/name` on GitHub, or a path beginning with `/`, `./` or `../`";
        finds.add_allowed("repo", "this names no repository", allowed);
    }
    finds.expect(
        forms::is_branch(&spec.base),
        "base",
        "this cannot be a branch's name",
    );
    let prompt = spec.prompt.as_deref();
    match (spec.kind, prompt.map(str::trim)) {
        (super::Kind::Instruction, None | Some("")) => {
            finds.add(
                "prompt",
                "`kind: instruction` needs a `prompt` that says what is wanted",
            );
        }
        (super::Kind::Instruction, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let words =
                "`prompt` is read for `kind: instruction` only; a worker's own is `workers.<name>.prompt`";
            finds.add("prompt", words);
        }
    }
}
