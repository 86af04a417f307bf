//! What no story may leave behind, whatever it is about.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::World;

/// For how long what was started may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

impl World {
    /// Ends the world: the ledger is whole, the model had nothing to complain of and saw the real key alone, no process
    /// and no attempt's folder is left, and the key stands nowhere that the service wrote.
    pub async fn close(mut self) {
        let complaints = self.model().complaints();
        assert!(
            complaints.is_empty(),
            "the model complained:\n{}",
            complaints.join("\n")
        );
        self.check().await;
        self.closed = true;
    }

    /// The same, in a story whose model has reason to complain.
    pub async fn close_in_spite_of_complaints(mut self) {
        assert!(
            !self.model().complaints().is_empty(),
            "there is nothing to forgive"
        );
        self.check().await;
        self.closed = true;
    }

    async fn check(&self) {
        let settings = fs::read_to_string(self.path("loops.yaml")).unwrap_or_default();
        if self.state().join("loops.db").exists() || settings.contains("database:") {
            let audit = self.loops(["audit", "verify"]).await;
            assert_eq!(audit.code, 0, "the ledger is not whole: {audit}");
        }
        for request in self.model().requests() {
            assert_eq!(request.key, self.key(), "the provider is asked with the real key");
        }
        let attempts = self.state().join("attempts");
        assert_eq!(
            entries(&attempts),
            Vec::<PathBuf>::new(),
            "an attempt's folder is left"
        );
        self.no_process_is_left(PATIENCE).await;
        let token = self.token().clone();
        let others = self.secrets().clone();
        let mut secrets = vec![self.key(), &token];
        secrets.extend(others.iter().map(|(_, secret)| secret.as_str()));
        let secrets = || secrets.iter().filter(|secret| !secret.is_empty());
        let holding: Vec<_> = files(&self.state())
            .into_iter()
            .filter(|file| secrets().any(|secret| holds(file, secret)))
            .collect();
        assert_eq!(holding, Vec::<PathBuf>::new(), "a key was written down");
        let printed = self
            .printed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for ran in printed.iter() {
            assert!(
                !secrets().any(|secret| ran.all().contains(*secret)),
                "a key was printed by `loops {}`",
                ran.args
            );
        }
    }

    /// Processes that know of this world's folder, by their arguments or their environment.
    async fn no_process_is_left(&self, patience: Duration) {
        let folder = self.folder().display().to_string();
        let end = Instant::now() + patience;
        loop {
            let left = processes(&folder);
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < end, "processes are left: {left:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn processes(folder: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    entries(Path::new("/proc"))
        .into_iter()
        .filter(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name != own && name.chars().all(|c| c.is_ascii_digit())
        })
        .filter(|path| {
            ["cmdline", "environ"]
                .iter()
                .any(|file| holds(&path.join(file), folder))
        })
        .map(|path| {
            let words = fs::read(path.join("cmdline")).unwrap_or_default();
            format!(
                "{} {}",
                path.display(),
                String::from_utf8_lossy(&words).replace('\0', " ")
            )
        })
        .collect()
}

fn holds(file: &Path, words: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    bytes
        .windows(words.len())
        .any(|window| window == words.as_bytes())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(folder) else {
        return Vec::new();
    };
    found.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    entries(folder)
        .into_iter()
        .flat_map(|path| {
            // Sockets and links are no files that somebody could read the key from.
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_dir() => files(&path),
                Ok(meta) if meta.is_file() => vec![path],
                _ => Vec::new(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Ran;

    #[tokio::test]
    #[should_panic(expected = "a key was written down")]
    async fn a_key_that_was_written_down_is_found() {
        let world = World::start().await;
        world.write("state/deep/log.txt", &format!("asked with {}", world.key()));
        world.close().await;
    }

    #[tokio::test]
    #[should_panic(expected = "a key was printed")]
    async fn a_key_that_was_printed_is_found() {
        let world = World::start().await;
        let ran = Ran {
            args: "run".into(),
            code: 0,
            stdout: String::new(),
            stderr: world.key().into(),
        };
        world.note(&ran);
        world.close().await;
    }

    #[tokio::test]
    #[should_panic(expected = "an attempt's folder is left")]
    async fn a_folder_that_is_left_is_found() {
        let world = World::start().await;
        world.write("state/attempts/attempt-1/file", "");
        world.close().await;
    }

    #[tokio::test]
    #[should_panic(expected = "processes are left")]
    async fn a_process_that_is_left_is_found() {
        let world = World::start().await;
        let _left = tokio::process::Command::new("sleep")
            .arg("60")
            .env("HOME", world.path("home"))
            .kill_on_drop(true)
            .spawn();
        world.no_process_is_left(Duration::ZERO).await;
    }

    #[tokio::test]
    #[should_panic(expected = "never closed")]
    async fn a_world_that_was_not_closed_says_so() {
        drop(World::start().await);
    }

    #[tokio::test]
    async fn a_world_in_which_nothing_happened_closes() {
        World::start().await.close().await;
    }
}
