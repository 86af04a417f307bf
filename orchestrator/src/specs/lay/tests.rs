use std::path::PathBuf;

use super::*;

/// A repository that its people commit to.
struct There {
    folder: tempfile::TempDir,
}

impl There {
    fn new() -> Self {
        let there = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        there.git(&["init", "-q", "-b", "main"]);
        there
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, args: &[&str]) -> String {
        let out = std::process::Command::new("git")
            .args(["-c", "user.name=p", "-c", "user.email=p@x"])
            .args(args)
            .current_dir(self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "c"]);
        self.git(&["rev-parse", "HEAD"])
    }

    async fn lay(&self, state: &Path, commit: &str) -> Result<Laid, SpecsError> {
        lay_out(state, &Git::at(&self.path(".git")), &shop(), "main", commit).await
    }
}

fn shop() -> FullName {
    FullName::parse("acme/shop").unwrap()
}

/// The files of a layout.
fn files(state: &Path, laid: &Laid) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(laid.folder(state, &shop()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_was_committed_is_laid_out_and_not_what_lies_in_the_work_tree() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    there.write(".loops/a.yaml", "merged");
    there.write(".loops/fix.md", "Mend");
    there.write(".loops/deep/b.yaml", "deeper");
    there.write(".loops/.hidden.yaml", "hidden");
    there.write("other.yaml", "outside");
    let commit = there.commit();
    there.write(".loops/a.yaml", "dirty");
    there.write(".loops/c.yaml", "dirty");
    let laid = there.lay(state.path(), &commit).await.unwrap();
    assert_eq!(files(state.path(), &laid), ["a.yaml", "fix.md"]);
    let path = laid.folder(state.path(), &shop()).join("a.yaml");
    assert!(path.ends_with(format!("specs/acme/shop/{commit}/a.yaml")));
    assert_eq!(fs::read_to_string(path).unwrap(), "merged");
    assert_eq!(Laid::read(state.path(), &shop()), Some(laid));
}

#[tokio::test]
async fn links_are_never_followed() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    there.write(".loops/a.yaml", "a");
    std::os::unix::fs::symlink("/etc/hostname", there.path(".loops/b.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", there.path(".loops/p.md")).unwrap();
    let laid = there.lay(state.path(), &there.commit()).await.unwrap();
    assert_eq!(files(state.path(), &laid), ["a.yaml"]);
    assert!(laid.notes[0].contains("symbolic link"), "{:?}", laid.notes);

    fs::remove_dir_all(there.path(".loops")).unwrap();
    std::os::unix::fs::symlink("/etc", there.path(".loops")).unwrap();
    let laid = there.lay(state.path(), &there.commit()).await.unwrap();
    assert_eq!(files(state.path(), &laid), [""; 0]);
}

#[tokio::test]
async fn a_commit_that_leaves_the_loops_alone_leaves_the_layout_alone() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    there.write(".loops/a.yaml", "1");
    let first = there.commit();
    there.lay(state.path(), &first).await.unwrap();
    there.write("code", "x");
    let second = there.commit();
    let laid = there.lay(state.path(), &second).await.unwrap();
    assert_eq!((&laid.commit, &laid.head), (&first, &second));
    there.write(".loops/a.yaml", "2");
    let third = there.commit();
    let laid = there.lay(state.path(), &third).await.unwrap();
    assert_eq!((&laid.commit, &laid.head), (&third, &third));
}

#[tokio::test]
async fn too_much_is_refused_and_what_was_there_stays() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    there.write(".loops/a.yaml", "a");
    there.write(".loops/picture.png", &"x".repeat(300 * 1024));
    let good = there.lay(state.path(), &there.commit()).await.unwrap();
    assert_eq!(
        files(state.path(), &good),
        ["a.yaml"],
        "a large file that is no loop is passed over"
    );

    there.write(".loops/b.yaml", &"#".repeat(300 * 1024));
    let error = there.lay(state.path(), &there.commit()).await.unwrap_err();
    assert!(
        error.to_string().contains("`.loops/b.yaml` of `acme/shop`"),
        "{error}"
    );
    fs::remove_file(there.path(".loops/b.yaml")).unwrap();
    for number in 0..MAX_FILES {
        there.write(&format!(".loops/{number}.md"), "x");
    }
    let error = there.lay(state.path(), &there.commit()).await.unwrap_err();
    assert!(error.to_string().contains("129 files"), "{error}");
    assert_eq!(Laid::read(state.path(), &shop()), Some(good));
}

#[tokio::test]
async fn old_layouts_are_removed_but_not_the_one_that_counts() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    let root = root(state.path(), &shop());
    for number in 0..KEPT + 5 {
        fs::create_dir_all(root.join(format!("{number:040}"))).unwrap();
    }
    there.write(".loops/a.yaml", "a");
    let laid = there.lay(state.path(), &there.commit()).await.unwrap();
    assert_eq!(files(state.path(), &laid), ["a.yaml"]);
    let folders = fs::read_dir(&root)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), KEPT + 1);
}

#[tokio::test]
async fn a_repository_without_loops_is_an_empty_folder() {
    let (there, state) = (There::new(), tempfile::tempdir().unwrap());
    let laid = there.lay(state.path(), &there.commit()).await.unwrap();
    assert_eq!((files(state.path(), &laid).len(), laid.notes.len()), (0, 0));
}
