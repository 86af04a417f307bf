//! Models: their aliases, prices and sizes, who provides them, and cassettes in their place.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use loops::{budget::Price, spec::Span};
use serde::Deserialize;

use super::{Problem, Secret, SecretRef, builtin};

/// How long a call goes on trying, unless `loops.yaml` says otherwise.
const PATIENCE: Span = Span(std::time::Duration::from_secs(10 * 60));

/// What the gateway knows of models.
#[derive(Debug, Clone)]
pub struct Models {
    /// `top`, `standard`, `small` and others, to models' names.
    pub aliases: BTreeMap<String, String>,
    /// What is known of each model, by name.
    pub known: BTreeMap<String, Model>,
    /// Who answers for models of [`Vendor::Anthropic`].
    pub anthropic: Provider,
    /// Who answers for models of [`Vendor::Openai`].
    pub openai: Provider,
    /// Answers are played back from this cassette; no provider is asked.
    pub play: Option<PathBuf>,
    /// Answers are written to this cassette.
    pub record: Option<PathBuf>,
    /// How long a call goes on trying while the provider is overloaded or cannot be reached.
    pub patience: Span,
}

/// What is known of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Who answers for it, and so which API it is asked through.
    pub provider: Vendor,
    /// What it costs; a model without a price is refused.
    pub price: Option<Price>,
    /// Its context window, tokens.
    pub context: u64,
    /// The most that it writes in one answer, tokens.
    pub max_output: u64,
    /// Whether it takes an effort (`output_config.effort`, `reasoning.effort` or `reasoning_effort` in the APIs); the field
    /// is dropped for one that does not.
    pub effort: bool,
    /// How many calls to it run at once.
    pub max_concurrent: usize,
}

/// Whose API a model is asked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    /// The Messages API.
    Anthropic,
    /// The Responses and Chat Completions APIs, of OpenAI or of a service that speaks them.
    Openai,
}

impl std::fmt::Display for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
        })
    }
}

/// Somebody who answers for models.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `https://api.anthropic.com` or `https://api.openai.com/v1`, without a slash at its end.
    pub base_url: String,
    /// The environment variable that holds the key.
    pub key_name: String,
    /// The key, if that variable is set.
    pub key: Option<Secret>,
}

impl Models {
    /// No model at all, and nobody to ask.
    pub(crate) fn none() -> Self {
        let nobody = || Provider {
            base_url: "http://127.0.0.1:9".to_owned(),
            key_name: String::new(),
            key: None,
        };
        Self {
            aliases: BTreeMap::new(),
            known: BTreeMap::new(),
            anthropic: nobody(),
            openai: nobody(),
            play: None,
            record: None,
            patience: PATIENCE,
        }
    }

    /// The name and the facts of the model that `asked` (an alias or a name) stands for.
    pub fn find(&self, asked: &str) -> Option<(&str, &Model)> {
        let name = self.aliases.get(asked).map_or(asked, String::as_str);
        self.known
            .get_key_value(name)
            .map(|(name, model)| (name.as_str(), model))
    }
}

/// `models:` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    aliases: BTreeMap<String, String>,
    known: BTreeMap<String, KnownFile>,
    providers: ProvidersFile,
    play: Option<PathBuf>,
    record: Option<PathBuf>,
    patience: Option<Span>,
}

/// What is written of a model; the rest is as the built-in table has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KnownFile {
    provider: Option<Vendor>,
    price: Option<Price>,
    context: Option<u64>,
    max_output: Option<u64>,
    effort: Option<bool>,
    max_concurrent: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProvidersFile {
    anthropic: ProviderFile,
    openai: ProviderFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProviderFile {
    base_url: Option<String>,
    key: Option<SecretRef>,
}

impl ProviderFile {
    /// What is written, over what is usual (address, name of the key); and whether it may be asked.
    fn resolve(
        self,
        usual: (&str, &str),
        env: &dyn Fn(&str) -> Option<String>,
    ) -> (Provider, Result<(), String>) {
        let base_url = self.base_url.unwrap_or_else(|| usual.0.to_owned());
        let key_name = self
            .key
            .map_or_else(|| usual.1.to_owned(), |SecretRef(name)| name);
        let key = env(&key_name).map(|value| value.trim().to_owned());
        let key = key.filter(|value| !value.is_empty()).map(Secret::new);
        let checked = check_url(&base_url);
        let provider = Provider {
            base_url: base_url.trim_end_matches('/').to_owned(),
            key_name,
            key,
        };
        (provider, checked)
    }
}

impl File {
    pub(super) fn resolve(
        self,
        folder: &Path,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) -> Models {
        let mut say = |what: String| problems.push(Problem { at: None, what });
        let mut known: BTreeMap<String, Model> = builtin::models().collect();
        for (name, written) in self.known {
            for wrong in written.problems() {
                say(format!("`models.known.{name}.{wrong}"));
            }
            let before = known.remove(&name).unwrap_or(Model {
                provider: Vendor::Anthropic,
                price: None,
                context: 200_000,
                max_output: 8_192,
                effort: false,
                max_concurrent: builtin::MAX_CONCURRENT,
            });
            known.insert(name, written.over(before));
        }
        let mut aliases: BTreeMap<String, String> = builtin::ALIASES
            .map(|(alias, name)| (alias.to_owned(), name.to_owned()))
            .into();
        for (alias, name) in self.aliases {
            if !known.contains_key(&name) {
                say(format!(
                    "`models.aliases.{alias}`: there is no model `{name}`; known are {}, and what \
                     `models.known` adds",
                    known
                        .keys()
                        .map(|known| format!("`{known}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
            }
            if known.contains_key(&alias) {
                say(format!(
                    "`models.aliases.{alias}` is the name of a model; an alias needs a name of its own"
                ));
            }
            aliases.insert(alias, name);
        }
        let usual = ("https://api.anthropic.com", "ANTHROPIC_API_KEY");
        let (anthropic, checked) = self.providers.anthropic.resolve(usual, env);
        if let Err(why) = checked {
            say(format!("`models.providers.anthropic.base_url`: {why}"));
        }
        let usual = ("https://api.openai.com/v1", "OPENAI_API_KEY");
        let (openai, checked) = self.providers.openai.resolve(usual, env);
        if let Err(why) = checked {
            say(format!("`models.providers.openai.base_url`: {why}"));
        }
        if self.play.is_some() && self.record.is_some() {
            say(
                "`models.play` and `models.record` cannot both be set: what is played back is no recording"
                    .to_owned(),
            );
        }
        Models {
            aliases,
            known,
            anthropic,
            openai,
            play: self.play.map(|path| folder.join(path)),
            record: self.record.map(|path| folder.join(path)),
            patience: self.patience.unwrap_or(PATIENCE),
        }
    }
}

impl KnownFile {
    fn over(self, before: Model) -> Model {
        Model {
            provider: self.provider.unwrap_or(before.provider),
            price: self.price.or(before.price),
            context: self.context.unwrap_or(before.context),
            max_output: self.max_output.unwrap_or(before.max_output),
            effort: self.effort.unwrap_or(before.effort),
            max_concurrent: self.max_concurrent.unwrap_or(before.max_concurrent),
        }
    }

    /// What cannot be so, each beginning with the key's name and a closing backtick.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(price) = &self.price {
            let long = price.long_prompt.iter().flat_map(|long| {
                [
                    ("long_prompt.input", long.input),
                    ("long_prompt.output", long.output),
                    ("long_prompt.cache_read", long.cache_read),
                    ("long_prompt.cache_write", long.cache_write),
                ]
            });
            let rates = [
                ("input", price.input),
                ("output", price.output),
                ("cache_read", price.cache_read),
                ("cache_write", price.cache_write),
            ];
            for (key, rate) in rates.into_iter().chain(long) {
                if !(0.0..=100_000.0).contains(&rate) {
                    problems.push(format!(
                        "price.{key}`: `{rate}` is no price in dollars per million tokens (0 to 100000)"
                    ));
                }
            }
            if chrono::NaiveDate::parse_from_str(&price.as_of, "%Y-%m-%d").is_err() {
                problems.push(format!(
                    "price.as_of`: `{}` is not a day of the form YYYY-MM-DD",
                    price.as_of
                ));
            }
        }
        let positive = [
            ("context", self.context),
            ("max_output", self.max_output),
            ("max_concurrent", self.max_concurrent.map(|count| count as u64)),
        ];
        for (key, value) in positive {
            if value.is_some_and(|value| value == 0 || value > 100_000_000) {
                problems.push(format!("{key}` must be between 1 and 100000000"));
            }
        }
        problems
    }
}

/// A key may travel only over TLS, or to this machine itself.
fn check_url(text: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL must not hold a name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` must end with its path"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        _ => Err(format!(
            "`{text}` must begin with `https://` (`http://` only to this machine itself)"
        )),
    }
}

/// Whether a URL leads to this machine itself.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
