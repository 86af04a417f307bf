use super::*;

fn known() -> Known {
    Known {
        models: ["top", "standard", "small"].map(str::to_owned).to_vec(),
    }
}

/// A folder that looks like a repository with these files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let git = [
        (".git/HEAD", "ref: refs/heads/trunk\n"),
        (
            ".git/config",
            "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://me:secret@example.com/acme/shop.git\n",
        ),
    ];
    for (name, text) in git.iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn runs(files: &[(&str, &str)]) -> Vec<String> {
    let look = Look::at(repository(files).path()).unwrap();
    look.checks
        .into_iter()
        .map(|check| format!("{}: {}", check.name, check.run))
        .collect()
}

#[test]
fn the_test_command_is_the_one_that_the_repository_names() {
    let package =
        r#"{"scripts": {"test": "node --test", "lint": "eslint ."}, "devDependencies": {"eslint": "9"}}"#;
    assert_eq!(
        runs(&[("package.json", package)]),
        ["tests: npm test", "lint: npm run lint"]
    );
    assert_eq!(
        runs(&[("package.json", package), ("pnpm-lock.yaml", "")]),
        ["tests: pnpm test", "lint: pnpm run lint"]
    );
    assert_eq!(
        runs(&[(
            "package.json",
            r#"{"scripts": {"test": "echo no test specified && exit 1"}}"#
        )]),
        [""; 0]
    );
    assert_eq!(runs(&[("package.json", "not json")]), [""; 0]);
    assert_eq!(runs(&[("Cargo.toml", "")]), ["tests: cargo test"]);
    assert_eq!(
        runs(&[("pyproject.toml", "[tool.pytest.ini_options]")]),
        ["tests: python3 -m pytest -q"]
    );
    assert_eq!(
        runs(&[("tests/test_a.py", "")]),
        ["tests: python3 -m unittest discover -s tests"]
    );
    assert_eq!(
        runs(&[("go.mod", ""), ("Cargo.toml", "")]),
        ["tests: cargo test", "tests-2: go test ./..."]
    );
    assert_eq!(
        runs(&[("Makefile", "test := x\n\ntest: build\n\tpytest\n")]),
        ["tests: make test"]
    );
    assert_eq!(runs(&[("Makefile", "test := x\ntesting:\n")]), [""; 0]);
}

#[test]
fn a_remote_is_told_without_its_credentials() {
    let folder = repository(&[(".github/workflows/ci.yml", "")]);
    let look = Look::at(folder.path()).unwrap();
    assert_eq!(look.remote.as_deref(), Some("https://example.com/acme/shop.git"));
    assert_eq!(look.base, "trunk");
    assert_eq!(look.ci, [".github/workflows/ci.yml"]);
    assert!(!look.told().contains("secret"));
    assert!(Look::at(tempfile::tempdir().unwrap().path()).is_err());
}

#[test]
fn what_is_written_validates_and_can_run_and_a_second_time_changes_nothing() {
    let folder = repository(&[(
        "package.json",
        r#"{"scripts": {"test": "x"}, "dependencies": {"a": "1"}}"#,
    )]);
    let look = Look::at(folder.path()).unwrap();
    let first = write_all(folder.path(), Path::new(".loops"), &look, &known()).unwrap();
    assert!(first.iter().all(|done| done.written), "{first:?}");

    let path = folder.path().join(".loops/feedback-to-fix.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let spec = spec::read("x", &text, &known()).unwrap();
    assert_eq!((spec.repo.as_str(), spec.base.as_str()), ("..", "trunk"));
    assert_eq!(spec.checks.commands[0].run, "npm test");
    assert_eq!(spec::unavailable(&spec), []);
    assert!(text.contains("npm ci"), "{text}");
    for line in fs::read_to_string(folder.path().join(".loops/feedback.jsonl"))
        .unwrap()
        .lines()
    {
        let signal: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            signal["text"].is_string()
                && loops::time::Timestamp::parse(signal["at"].as_str().unwrap()).is_some()
        );
    }

    fs::write(&path, "mine").unwrap();
    let second = write_all(folder.path(), Path::new(".loops"), &look, &known()).unwrap();
    assert!(second.iter().all(|done| !done.written), "{second:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn without_a_check_the_file_and_the_last_words_say_what_is_lacking() {
    let look = Look {
        base: "main".to_owned(),
        ..Look::default()
    };
    let text = write::spec(&look, "..");
    assert!(text.contains("refuses this loop until"), "{text}");
    let mended = text
        .replace("  # commands:", "  commands:")
        .replace("  #   - {", "    - {");
    let spec = spec::read("x", &mended, &known()).unwrap();
    assert_eq!(
        spec.checks.commands.len(),
        1,
        "it is as easy as it says: {mended}"
    );

    let written = |written| Done {
        path: Path::new(".loops").join(SPEC),
        written,
    };
    assert!(lacking(&[written(true)], &look).contains(".loops/feedback-to-fix.yaml"));
    assert_eq!(
        lacking(&[written(false)], &look),
        "",
        "what was there is not judged"
    );
    let proves = Look {
        checks: vec![look::Check {
            name: "tests".to_owned(),
            run: "make test".to_owned(),
        }],
        ..look
    };
    assert_eq!(lacking(&[written(true)], &proves), "");
    assert!(!write::spec(&proves, "..").contains("refuses this loop"));
}

#[test]
fn hostile_names_stay_text_in_what_is_written() {
    let mut look = Look {
        base: "x\", deny: [\"".to_owned(),
        ..Look::default()
    };
    look.remote = Some("https://e/x\nrepo: /etc".to_owned());
    look.checks = vec![look::Check {
        name: "t".to_owned(),
        run: "a\" }\n    - { name: b, run: \"c # d\\".to_owned(),
    }];
    let text = write::spec(&look, "..");
    let errors = spec::read("x", &text, &known()).unwrap_err();
    assert_eq!(errors.len(), 1, "only the branch is wrong: {errors:?}");
    look.base = "main".to_owned();
    let spec = spec::read("x", &write::spec(&look, ".."), &known()).unwrap();
    assert_eq!(spec.checks.commands.len(), 1);
    assert_eq!(spec.checks.commands[0].run, look.checks[0].run);
}

#[test]
fn specs_behind_a_link_are_not_written() {
    let folder = repository(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".loops")).unwrap();
    let look = Look::at(folder.path()).unwrap();
    assert!(write_all(folder.path(), Path::new(".loops"), &look, &known()).is_err());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn the_settings_that_are_written_are_read() {
    let config = crate::config::Config::read(
        Path::new("loops.yaml"),
        write::SETTINGS,
        Some("s".into()),
        &|_| None,
    );
    assert!(config.is_ok());
    let shown: String = write::SETTINGS
        .lines()
        .skip(3)
        .map(|line| format!("{}\n", line.trim_start_matches("# ").trim_start_matches('#')))
        .collect();
    let config = crate::config::Config::read(Path::new("loops.yaml"), &shown, None, &|_| None);
    let config = config.unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert!(
        specs::known(&config.models)
            .models
            .contains(&"standard".to_owned()),
        "the example names a known model"
    );
}

#[test]
fn the_repository_is_named_as_the_folder_of_specs_sees_it() {
    let folder = repository(&[]);
    let top = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(repo_from(&top, &top.join(".loops")), "..");
    assert_eq!(repo_from(&top, &top.join("a/b")), "../..");
    assert_eq!(repo_from(&top, &top), ".");
    for elsewhere in [top.join("../specs"), PathBuf::from("/specs")] {
        assert_eq!(repo_from(&top, &elsewhere), top.display().to_string());
    }
}
