//! Checks of sources that tell everything in documents: paths, addresses, and where a record says what.

use super::Finds;
use crate::spec::{Fields, PathSource, Source, forms};

/// What is said of a text that is no address.
const ADDRESS: &str = "an address begins with `https://` (`http://` only to this machine itself) and holds no name or \
                       password";
/// What is said of a text that is no JSON Pointer.
const POINTER: &str = "a JSON Pointer is empty or begins with `/`, like `/data/items`";

/// Adds to `finds` what is wrong with the source, whose place in the file is `path`.
pub(super) fn check(source: &Source, path: &str, finds: &mut Finds<'_>) {
    let path = format!("{path}.{}", source.key());
    match source {
        Source::File(PathSource { path: file })
        | Source::Junit(PathSource { path: file })
        | Source::Sarif(PathSource { path: file }) => is_path(file, &path, finds),
        Source::Csv(csv) => {
            is_path(&csv.path, &path, finds);
            let one = csv.delimiter.len() == 1 && !matches!(&*csv.delimiter, "\"" | "\n" | "\r");
            finds.expect(
                one,
                &format!("{path}.delimiter"),
                "this must be one ASCII character, not a quote or a line's end",
            );
            fields(
                &csv.columns,
                &format!("{path}.columns"),
                |name| !name.trim().is_empty(),
                "a column's name is needed",
                finds,
            );
        }
        Source::Json(json) => {
            finds.expect(forms::is_address(&json.url), &format!("{path}.url"), ADDRESS);
            for (key, pointer) in [("items", Some(&json.items)), ("next", json.next.as_ref())] {
                let right = pointer.is_none_or(|pointer| is_pointer(pointer));
                finds.expect(right, &format!("{path}.{key}"), POINTER);
            }
            finds.expect(
                json.next_param.is_none() || json.next.is_some(),
                &format!("{path}.next_param"),
                "this needs `next`, which says where its value stands in the answer",
            );
            fields(
                &json.fields,
                &format!("{path}.fields"),
                is_pointer,
                POINTER,
                finds,
            );
        }
        Source::Rss(rss) => finds.expect(forms::is_address(&rss.url), &format!("{path}.url"), ADDRESS),
        Source::Sentry(sentry) => {
            finds.expect(forms::is_address(&sentry.url), &format!("{path}.url"), ADDRESS);
            for (key, name) in [
                ("organization", &sentry.organization),
                ("project", &sentry.project),
            ] {
                finds.expect(
                    forms::is_worker(name),
                    &format!("{path}.{key}"),
                    "this is the short name that stands in Sentry's addresses: lower-case letters, digits, hyphens and \
                     underscores",
                );
            }
        }
        Source::Webhook(webhook) => {
            finds.expect(
                forms::is_worker(&webhook.secret),
                &format!("{path}.secret"),
                "this is the name of a secret of `web.secrets` in loops.yaml, not the secret: lower-case letters, digits, \
                 hyphens and underscores",
            );
            finds.expect(is_pointer(&webhook.items), &format!("{path}.items"), POINTER);
            if let Some(given) = &webhook.fields {
                fields(given, &format!("{path}.fields"), is_pointer, POINTER, finds);
            }
        }
        Source::Slack(_) | Source::GithubIssues(_) | Source::GithubPulls(_) | Source::GithubActions(_) => {}
    }
}

fn is_path(file: &str, path: &str, finds: &mut Finds<'_>) {
    let path = format!("{path}.path");
    let said = !file.trim().is_empty() && !file.chars().any(char::is_control);
    finds.expect(said, &path, "a path is needed");
    if said && let Err(error) = globset::Glob::new(file) {
        finds.add(&path, format!("this is not a glob: {}", error.kind()));
    }
}

fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

fn fields(given: &Fields, path: &str, is_right: impl Fn(&str) -> bool, message: &str, finds: &mut Finds<'_>) {
    for (key, field) in given.given() {
        finds.expect(is_right(field), &format!("{path}.{key}"), message);
    }
}
