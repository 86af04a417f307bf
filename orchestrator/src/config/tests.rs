use loops::{budget::Money, time::Timestamp};

use super::*;

fn env(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/ada".to_owned()),
        "MODEL_KEY" => Some("sk-very-secret".to_owned()),
        _ => None,
    }
}

fn config(text: &str) -> Result<Config, Error> {
    Config::read(Path::new("/etc/loops/loops.yaml"), text, None, &env)
}

fn problems(text: &str) -> String {
    config(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = config("# nothing yet\n").unwrap();
    assert_eq!(config.state, Path::new("/home/ada/.local/state/loops"));
    let (name, model) = config.models.find("top").unwrap();
    assert_eq!(name, "claude-opus-5-5");
    assert_eq!(model.price.as_ref().unwrap().as_of, builtin::AS_OF);
    assert_eq!(config.models.anthropic.key, None);
}

#[test]
fn a_call_goes_on_trying_for_ten_minutes_or_as_long_as_is_written() {
    let patience = |text: &str| config(text).unwrap().models.patience.to_string();
    assert_eq!(patience(""), "10m");
    assert_eq!(patience("models: { patience: 90s }"), "90s");
    assert!(problems("models: { patience: soon }").contains("`soon` is not a length of time"));
}

#[test]
fn every_alias_stands_for_a_priced_model() {
    let models = config("").unwrap().models;
    for alias in ["top", "standard", "small"] {
        assert!(models.find(alias).unwrap().1.price.is_some(), "{alias}");
    }
}

#[test]
fn what_is_written_goes_over_what_is_built_in() {
    let config = config(
        "state: here\nmodels:\n  aliases: { top: house-model }\n  known:\n    house-model: { context: 9000 }\n    \
         claude-opus-5: { max_concurrent: 2 }\n  providers: { anthropic: { base_url: 'http://127.0.0.1:9/', key: \
         '${MODEL_KEY}' } }\n",
    )
    .unwrap();
    assert_eq!(config.state, Path::new("/etc/loops/here"));
    let (name, model) = config.models.find("top").unwrap();
    assert_eq!((name, model.context, &model.price), ("house-model", 9000, &None));
    let opus = config.models.find("claude-opus-5").unwrap().1;
    assert!(opus.max_concurrent == 2 && opus.price.is_some());
    assert_eq!(config.models.anthropic.base_url, "http://127.0.0.1:9");
    assert_eq!(
        config.models.anthropic.key.as_ref().unwrap().expose(),
        "sk-very-secret"
    );
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn a_literal_key_is_refused_and_not_repeated() {
    for literal in ["sk-ant-123", "123456789", "1.5", "true", "{ a: 987654 }"] {
        let text = problems(&format!(
            "models:\n  providers:\n    anthropic:\n      key: {literal}\n"
        ));
        assert!(text.contains("line 4"), "{text}");
        assert!(!text.contains(literal) && !text.contains("987654"), "{text}");
    }
    let text = problems("models:\n  providers:\n    anthropic:\n      key: sk-ant-123\n");
    insta::assert_snapshot!(text, @r"
    the settings file `/etc/loops/loops.yaml` has errors:
      line 4, column 12: a secret is only ever written as `${NAME}`, the name of an environment variable; what stands here is not shown
    ");
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    insta::assert_snapshot!(problems("state: x\nmodels:\n  alias: { top: x }\n"), @r"
    the settings file `/etc/loops/loops.yaml` has errors:
      line 3, column 3: unknown field `alias`, expected one of aliases, known, providers, play, record, patience
    ");
}

#[test]
fn all_that_cannot_be_so_is_said_at_once() {
    let text = problems(
        "models:\n  known:\n    m: { max_output: 0, price: { input: -1, output: 1, cache_read: 1, cache_write: 1, \
         as_of: today } }\n  providers: { anthropic: { base_url: 'http://example.com' } }\n  play: a\n  record: b\n",
    );
    insta::assert_snapshot!(text, @r"
    the settings file `/etc/loops/loops.yaml` has errors:
      `models.known.m.price.input`: `-1` is no price in dollars per million tokens (0 to 100000)
      `models.known.m.price.as_of`: `today` is not a day of the form YYYY-MM-DD
      `models.known.m.max_output` must be between 1 and 100000000
      `models.providers.anthropic.base_url`: `http://example.com` must begin with `https://` (`http://` only to this machine itself)
      `models.play` and `models.record` cannot both be set: what is played back is no recording
    ");
}

#[test]
fn a_database_is_named_by_the_variable_that_holds_its_address_and_never_shown() {
    assert!(config("").unwrap().database.is_none());
    let settings = config("database: ${MODEL_KEY}").unwrap();
    let address = settings.database.as_ref().unwrap().address.as_ref().unwrap();
    assert_eq!(address.expose(), "sk-very-secret");
    assert!(!format!("{settings:?}").contains("very-secret"));
    let unset = config("database: ${NOT_THERE}").unwrap().database.unwrap();
    assert_eq!((unset.name.as_str(), unset.address), ("NOT_THERE", None));
    let written = problems("database: postgres://ada:hunter2@host/shop");
    assert!(
        written.contains("${NAME}") && !written.contains("hunter2"),
        "{written}"
    );
}

#[test]
fn a_provider_of_the_other_apis_is_asked_with_a_key_of_its_own() {
    let config = config(
        "models:\n  providers: { openai: { base_url: 'http://127.0.0.1:9/v1/', key: '${MODEL_KEY}' } }\n  known:\n    \
         mine: { provider: openai }\n",
    )
    .unwrap();
    let models = config.models;
    assert_eq!(models.openai.base_url, "http://127.0.0.1:9/v1");
    assert_eq!(models.openai.key.as_ref().unwrap().expose(), "sk-very-secret");
    assert_eq!(models.anthropic.key, None);
    assert_eq!(models.find("mine").unwrap().1.provider, Vendor::Openai);
    assert_eq!(models.find("gpt-6.1-sol").unwrap().1.provider, Vendor::Openai);
    assert_eq!(models.find("top").unwrap().1.provider, Vendor::Anthropic);
    assert!(
        models
            .known
            .values()
            .all(|model| model.price.is_some() || model.max_output == 8_192)
    );
}

#[test]
fn caps_that_hold_nothing_or_contradict_each_other_are_named() {
    insta::assert_snapshot!(problems("budget:\n  day: 9 USD\n  month: 5 USD\n  teams:\n    a: { loops: [] }\n    b: { loops: [x], day: 3 USD, month: 2 USD }\n"), @r"
    the settings file `/etc/loops/loops.yaml` has errors:
      `budget.day`: a day may spend $9.00, more than the whole month ($5.00)
      `budget.teams.b.day`: a day may spend $3.00, more than the whole month ($2.00)
      `budget.teams.a.loops` names no loop
      `budget.teams.a` has neither a `day` nor a `month`, so it holds nothing back
    ");
    assert!(
        problems("budget: { roles: { boss: { day: 3 USD } } }")
            .contains("expected one of lead, work, review")
    );
    assert!(problems("budget: { day: much }").contains("not an amount of money"));
}

#[test]
fn what_people_said_is_kept_for_good_and_transcripts_for_a_year_unless_the_file_says_how_long() {
    use std::time::Duration;
    let usual = config("").unwrap().retention;
    assert_eq!(
        (usual.signals, usual.transcripts),
        (None, Some(Duration::from_secs(400 * 86_400)))
    );
    assert!(
        config("retention: { transcripts: never }")
            .unwrap()
            .retention
            .is_none()
    );
    let kept = config("retention: { signals: 30d, transcripts: never }")
        .unwrap()
        .retention;
    assert_eq!(
        (kept.signals, kept.transcripts),
        (Some(Duration::from_secs(30 * 86_400)), None)
    );
    for (bad, words) in [
        ("signals: 3h", "must be `1d` or more"),
        ("transcripts: soon", "retention.transcripts"),
        ("words: 1d", "words"),
    ] {
        assert!(
            problems(&format!("retention: {{ {bad} }}")).contains(words),
            "{bad}"
        );
    }
}

#[test]
fn how_much_of_the_disk_is_left_alone_and_where_figures_are_can_be_written() {
    let usual = config("").unwrap();
    assert_eq!((usual.disk.keep_free.0, usual.metrics), (1 << 30, None));
    let own = config("disk: { keep_free: 5GiB }\nmetrics: { listen: '127.0.0.1:9464' }").unwrap();
    assert_eq!(own.disk.keep_free.0, 5 << 30);
    assert_eq!(own.metrics.unwrap().port(), 9464);
    assert!(problems("disk: { keep_free: much }").contains("not an amount of memory"));
    assert!(problems("metrics: { listen: here }").contains("metrics.listen"));
}

#[test]
fn the_day_that_a_repository_may_have_is_one_of_utc_and_the_same_however_it_is_written() {
    let config = Config::read(
        Path::new("loops.yaml"),
        "github: { token: '${T}', limits: { day: 4 USD } }",
        Some("/s".into()),
        &|_| None,
    )
    .unwrap();
    let now = Timestamp(1_790_000_000_000);
    let cap = config.budget.of_repository("acme/shop", now).unwrap();
    assert_eq!(cap.limit, Money::usd(4.0));
    assert_eq!(cap.since.0, now.0 - now.0 % 86_400_000);
    let key = |text: &str| github::FullName::parse(text).unwrap().key();
    assert_eq!(key("Acme/Shop"), key("acme/shop"));
}
