//! One pattern of a CODEOWNERS file: gitignore's, without what GitHub leaves out of it.

use globset::{GlobBuilder, GlobMatcher};

/// A longer pattern says nothing: no path is longer, and a matcher of it would be large.
const MAX_CHARS: usize = 1_024;
/// Each costs the matcher work on every path.
const MAX_STARS: usize = 32;

/// What a pattern fits.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Everything: `*`, or `**`.
    Everything,
    /// This path, and what lies below it: a pattern from the top without any wildcard.
    From(String),
    /// What lies below this folder, which is counted from the top.
    Below(String),
    /// What a glob fits.
    Glob(GlobMatcher),
}

impl Pattern {
    /// The error is for a person.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.starts_with('!') {
            return Err("a pattern cannot be negated with `!`".to_owned());
        }
        if text.starts_with("\\#") {
            return Err("a pattern cannot begin with `#`, escaped or not".to_owned());
        }
        if text.len() > MAX_CHARS {
            return Err(format!("the pattern is longer than {MAX_CHARS} characters"));
        }
        if text.matches('*').count() > MAX_STARS {
            return Err(format!("the pattern has more than {MAX_STARS} stars"));
        }
        let parts = parts(text)?;
        let plain: Option<Vec<&str>> = parts.iter().map(Part::plain).collect();
        let words: Vec<&Part> = parts.iter().filter(|part| !part.is_empty()).collect();
        let [.., last] = words.as_slice() else {
            // GitHub says of `/` alone nothing; read as the folder that it names in gitignore, it fits nothing.
            return Err("the pattern names nothing".to_owned());
        };
        // A `/` at the beginning or in the middle counts from the top; one at the end says that it is a folder.
        let folder = parts.last().is_some_and(Part::is_empty);
        let anchored = parts.first().is_some_and(Part::is_empty) || words.len() > 1;
        if let (Some(plain), true) = (&plain, anchored) {
            let path: Vec<&str> = plain.iter().copied().filter(|part| !part.is_empty()).collect();
            let path = path.join("/");
            return Ok(if folder {
                Self::Below(path)
            } else {
                Self::From(path)
            });
        }
        if !folder
            && words.iter().all(|part| part.is_any())
            && (!anchored || last.spans())
            && words.len() == 1
        {
            return Ok(Self::Everything);
        }
        let body: Vec<&str> = words.iter().map(|part| part.glob.as_str()).collect();
        let body = body.join("/");
        let start = if anchored { "" } else { "**/" };
        let ends = if folder {
            vec!["/**"]
        } else if last.is_any() {
            // GitHub's own rule: `docs/*` does not reach further down.
            vec![""]
        } else {
            vec!["", "/**"]
        };
        let ends = match ends.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("{{{}}}", many.join(",")),
        };
        GlobBuilder::new(&format!("{start}{body}{ends}"))
            .literal_separator(true)
            .backslash_escape(true)
            .empty_alternates(true)
            .build()
            .map(|glob| Self::Glob(glob.compile_matcher()))
            .map_err(|error| format!("the pattern cannot be read: {}", error.kind()))
    }

    /// Whether it costs what a glob costs: memory for its matcher, and time on every path.
    pub(super) fn is_glob(&self) -> bool {
        matches!(self, Self::Glob(_))
    }

    pub(super) fn fits(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::From(top) => path
                .strip_prefix(top.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Below(top) => path
                .strip_prefix(top.as_str())
                .is_some_and(|rest| rest.starts_with('/')),
            Self::Glob(glob) => glob.is_match(path),
        }
    }
}

/// What stands between two `/`.
#[derive(Debug, Default)]
struct Part {
    /// As globset reads it.
    glob: String,
    /// As it is, if it has no wildcard.
    literal: Option<String>,
}

impl Part {
    fn is_empty(&self) -> bool {
        self.glob.is_empty()
    }

    fn plain(&self) -> Option<&str> {
        self.literal.as_deref()
    }

    fn spans(&self) -> bool {
        self.glob == "**"
    }

    fn is_any(&self) -> bool {
        self.spans() || self.glob == "*"
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut all = Vec::new();
    let (mut part, mut literal) = (String::new(), Some(String::new()));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' => {
                all.push(finished(
                    std::mem::take(&mut part),
                    literal.replace(String::new()),
                ));
            }
            '*' | '?' => {
                part.push(c);
                literal = None;
            }
            '[' | ']' => return Err("ranges of characters with `[ ]` do not work".to_owned()),
            _ => {
                let c = if c == '\\' {
                    chars.next().ok_or("a `\\` at the end escapes nothing")?
                } else {
                    c
                };
                if c == '/' {
                    return Err("a `/` cannot be escaped".to_owned());
                }
                // Whatever it is to globset, it is itself.
                if !c.is_alphanumeric() {
                    part.push('\\');
                }
                part.push(c);
                if let Some(literal) = &mut literal {
                    literal.push(c);
                }
            }
        }
    }
    all.push(finished(part, literal));
    Ok(all)
}

/// `**` spans folders only where it stands alone; beside other characters it is one star.
fn finished(mut glob: String, literal: Option<String>) -> Part {
    if glob != "**" {
        while glob.contains("**") {
            glob = glob.replace("**", "*");
        }
    }
    Part { glob, literal }
}
