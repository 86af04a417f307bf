//! Repositories that are no repositories, odd or hostile: clear words, nothing of the person's touched, nothing run.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use harness::world::{LEAD, Ran, Repository, World};
use serde_json::json;

use crate::small_story::{
    CHECK, FILES, RUN, TITLE, came_to_nothing, came_to_the_fix, lead, proposed, reviewer, spec, told, well,
};

/// It was refused in one to three lines that say all this, and no model was asked.
fn refused(world: &World, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 1, "{ran}");
    for words in words {
        assert!(ran.stderr.contains(words), "`{words}` is not in {ran}");
    }
    assert!((1..=3).contains(&ran.stderr.lines().count()), "{ran}");
    assert!(world.model().requests().is_empty());
}

#[tokio::test]
async fn what_is_no_repository_or_empty_or_lacks_the_base_is_said_in_words() {
    let (world, origin) = well().await;
    fs::create_dir_all(world.path("plain")).unwrap();
    world.write("file", "text");
    Repository::at(world.folder()).git(&["init", "-q", "--bare", "empty.git"]);
    let cases = [
        ("../plain", "is not a git repository"),
        ("../file", "file"),
        ("../nowhere", "cannot be read"),
        ("../empty.git", "has no commits yet"),
    ];
    for (repository, words) in cases {
        world.define(&spec().repository(repository));
        refused(
            &world,
            &world.loops(RUN).await,
            &[words, repository.trim_start_matches("../")],
        );
    }
    world.define(&spec());
    origin.git(&["branch", "-m", "main", "trunk"]);
    refused(
        &world,
        &world.loops(RUN).await,
        &["has no branch `main`", "trunk"],
    );
    origin.git(&["branch", "-m", "trunk", "main"]);
    came_to_the_fix(&origin, &world.loops(RUN).await);
    world.close().await;
}

/// All files of a folder with their contents and times, but for git's own objects, refs and logs of ours.
fn seen(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let ours =
                name.starts_with(".git/objects") || name.contains("refs/heads/loops") || name == ".git/logs";
            if ours {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() {
                let time = format!("{:?}", meta.modified().unwrap()).into_bytes();
                all.push((name, [fs::read(&path).unwrap(), time].concat()));
            }
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_dirty_checkout_gets_a_branch_and_is_otherwise_untouched() {
    let (world, origin) = well().await;
    let work = origin.checkout(&world.path("work"));
    let write = |path: &str, text: &str| fs::write(work.path().join(path), text).unwrap();
    write("stats.py", "half written\n");
    write("new.py", "untracked\n");
    write("staged.py", "staged\n");
    work.git(&["add", "staged.py"]);
    work.git(&["rm", "-q", "--cached", "test_stats.py"]);
    world.define(&spec().repository("../work"));
    let (status, before) = (work.git(&["status", "--porcelain"]), seen(work.path()));

    let ran = world.loops(RUN).await;
    came_to_the_fix(&work, &ran);
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let approved = world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    assert!(
        approved.stdout.contains("merge loops/fix/"),
        "it says which command to type: {approved}"
    );

    assert_eq!(seen(work.path()), before, "not a byte of it has changed");
    assert_eq!(work.git(&["status", "--porcelain"]), status);
    world.close().await;
}

#[tokio::test]
async fn a_shallow_clone_is_worked_on_as_it_is() {
    let (world, origin) = well().await;
    origin.commit("Say what it is", &[("README.md", "ratings\n")]);
    let from = format!("file://{}", origin.path().display());
    Repository::at(world.folder()).git(&["clone", "-q", "--bare", "--depth", "1", &from, "shallow.git"]);
    let shallow = Repository::at(&world.path("shallow.git"));
    assert_eq!(shallow.git(&["rev-parse", "--is-shallow-repository"]), "true");
    world.define(&spec().repository("../shallow.git"));
    came_to_the_fix(&shallow, &world.loops(RUN).await);
    world.close().await;
}

#[tokio::test]
async fn submodules_stay_where_they_are_and_are_not_fetched() {
    let (world, origin) = well().await;
    let inner = Repository::create(&world.path("inner.git"), &[("inner.py", "x = 1\n")]);
    let work = origin.checkout(&world.path("work"));
    let url = inner.path().display().to_string();
    work.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &url,
        "vendored",
    ]);
    work.git(&["commit", "-q", "-m", "Vendor"]);
    work.git(&["push", "-q", "origin", "HEAD:main"]);
    let link = origin.git(&["ls-tree", "main", "vendored"]);
    assert!(link.starts_with("160000"), "{link}");
    fs::rename(inner.path(), world.path("gone.git")).unwrap();

    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let branch = ran.json()["run"]["tasks"][0]["proposal"]["branch"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(origin.git(&["ls-tree", &branch, "vendored"]), link);
    assert_eq!(
        origin.git(&["diff", "--name-only", "main", &branch]),
        "stats.py\ntest_stats.py"
    );
    world.close().await;
}

#[tokio::test]
async fn without_a_test_nothing_is_proven_and_that_is_said() {
    let (world, _) = told().await;
    fs::remove_dir_all(world.path("origin.git")).unwrap();
    let origin = world.repository(&FILES[..1]);
    let spec = spec().write(["**"]);
    world.write(
        ".loops/fix.yaml",
        &spec.yaml().replace(CHECK, "python3 -m compileall -q ."),
    );
    world.lead(lead).reviewer(TITLE, reviewer);
    world.worker(TITLE, |s| {
        let fixed = "def mean(ratings):\n    return sum(ratings) / len(ratings) if ratings else 0\n";
        s.call("write", json!({"path": "stats.py", "content": fixed}))
            .say("It is 0 now. I saw no tests.")
    });
    let ran = world.loops(RUN).await;
    assert_eq!(ran.code, 4, "{ran}");
    assert!(ran.stderr.contains("not proven: reproduction"), "{ran}");
    let task = &ran.json()["run"]["tasks"][0];
    assert_eq!(task["why"], "no attempt passed its checks", "{ran}");
    let found = task["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["kind"] == "reproduction")
        .unwrap();
    assert!(found["words"].as_str().unwrap().contains("no test"), "{found:#}");
    came_to_nothing(&world, &origin).await;
    world.close().await;
}

#[tokio::test]
async fn hooks_filters_and_settings_of_a_hostile_repository_never_run() {
    let (world, origin) = well().await;
    let mark = world.path("pwned");
    let run = format!("/bin/sh -c 'echo pwned >> {}; cat'", mark.display());
    origin.commit(
        "Filter",
        &[(".gitattributes", "* filter=evil diff=evil merge=evil\n")],
    );
    let work = origin.checkout(&world.path("work"));
    let arm = |repository: &Repository, git: &Path| {
        for (key, value) in [
            ("filter.evil.smudge", run.as_str()),
            ("filter.evil.clean", &run),
            ("filter.evil.process", &run),
            ("diff.evil.textconv", &run),
            ("diff.evil.command", &run),
            ("diff.external", &run),
            ("merge.evil.driver", &run),
            ("core.fsmonitor", &run),
            ("core.sshCommand", &run),
            ("core.pager", &run),
            ("core.editor", &run),
            ("core.askPass", &run),
            ("uploadpack.packObjectsHook", &run),
            ("gpg.program", &run),
            ("commit.gpgSign", "true"),
        ] {
            repository.git(&["config", key, value]);
        }
        fs::create_dir_all(git.join("hooks")).unwrap();
        for hook in [
            "reference-transaction",
            "post-checkout",
            "pre-commit",
            "post-commit",
            "pre-receive",
            "update",
            "post-update",
            "post-receive",
            "post-merge",
            "post-index-change",
            "pre-auto-gc",
        ] {
            let path = git.join("hooks").join(hook);
            fs::write(&path, format!("#!/bin/sh\necho {hook} >> {}\n", mark.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    };
    arm(&work, &work.path().join(".git"));
    arm(&origin, origin.path());
    world.define(&spec().repository("../work"));
    let ran = world.loops(RUN).await;
    came_to_the_fix(&work, &ran);
    world.define(&spec());
    world.loops(RUN).await;
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.loops(["review", &id]).await;
    let approved = world.loops(["approve", &id]).await;
    assert_eq!(approved.code, 0, "{approved}");
    assert!(!mark.exists(), "{:?} ran", fs::read_to_string(&mark));

    // The control: with git as people use it these traps do spring.
    work.git(&["update-ref", "refs/heads/other", "HEAD"]);
    assert!(mark.exists(), "the traps were never armed");
    world.close().await;
}

#[tokio::test]
async fn links_and_odd_file_names_are_carried_along_as_data() {
    const ODD: [&str; 4] = ["new\nline.txt", "\u{202e}txt.exe", "quote\"and\ttab", "-rf"];
    let (world, origin) = well().await;
    let secret = world.path("secret.txt");
    fs::write(&secret, "nobody may read this").unwrap();
    let work = origin.checkout(&world.path("work"));
    for name in ODD {
        fs::write(work.path().join(name), "odd\n").unwrap();
    }
    symlink(&secret, work.path().join("link")).unwrap();
    symlink("/", work.path().join("root")).unwrap();
    symlink("link", work.path().join("loop")).unwrap();
    work.git(&["add", "--all"]);
    work.git(&["commit", "-q", "-m", "Odd"]);
    work.git(&["push", "-q", "origin", "HEAD:main"]);

    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    let branch = ran.json()["run"]["tasks"][0]["proposal"]["branch"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        origin.git(&["diff", "--name-only", "main", &branch]),
        "stats.py\ntest_stats.py"
    );
    assert_eq!(fs::read_to_string(secret).unwrap(), "nobody may read this");
    world.close().await;
}

#[tokio::test]
async fn a_path_with_spaces_quotes_and_other_scripts_is_a_path() {
    let (world, _) = well().await;
    let name = "Käse & 牛奶 'n \"stuff\".git";
    fs::rename(world.path("origin.git"), world.path(name)).unwrap();
    let origin = Repository::at(&world.path(name));
    world.define(&spec().repository(&format!("'../{}'", name.replace('\'', "''"))));
    let ran = world.loops(RUN).await;
    came_to_the_fix(&origin, &ran);
    assert_eq!(proposed(&origin, &ran)[0].0, TITLE);
    let id = ran.json()["run"]["tasks"][0]["proposal"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let approved = world.loops(["approve", &id]).await;
    assert!(approved.stdout.contains("is merged"), "{approved}");
    world.close().await;
}

#[tokio::test]
async fn a_repository_that_goes_away_during_the_run_gets_no_proposal_and_the_reason_is_said() {
    let (world, origin) = well().await;
    let moved = world.path("moved.git");
    world.model().hold(LEAD);
    let child = world.spawn(RUN);
    world.model().is_asked(LEAD).await;
    fs::rename(origin.path(), &moved).unwrap();
    world.model().release(LEAD);
    let ran = world.end(child).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.stderr.contains("there is no repository at"), "{ran}");
    assert!(
        ran.stderr
            .contains("because the change could not be put before people"),
        "{ran}"
    );
    fs::rename(&moved, origin.path()).unwrap();
    came_to_nothing(&world, &origin).await;
    world.close().await;
}
