//! A Postgres of our own: made by `initdb` in a temporary folder, reached by a Unix socket there, and stopped when
//! the program that runs the tests ends. Nothing here touches a server that was there before.
//!
//! One server serves all tests that one runner starts, in however many processes; each test has a schema of its own.
//! The store's own tests include this file, so it needs nothing but the standard library.

use std::{
    fs,
    io::Write as _,
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _},
        process::{CommandExt as _, parent_id},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Longer than a server takes to come up on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address of a fresh and empty schema.
///
/// # Panics
/// If Postgres is not installed, or does not start.
pub fn database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTER.get_or_init(Cluster::of_our_runner);
    let schema = format!(
        "t{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    cluster.sql(&format!("CREATE SCHEMA {schema}"));
    address(cluster, &schema)
}

fn address(cluster: &Cluster, schema: &str) -> String {
    format!(
        "postgres://postgres@localhost/postgres?host={}&options=-csearch_path%3D{schema}",
        cluster.data.display()
    )
}

/// Runs SQL at such an address, as somebody with `psql` at hand could; what it prints.
///
/// # Panics
/// If the SQL is refused.
pub fn sql(address: &str, sql: &str) -> String {
    let (host, schema) = address
        .split_once("?host=")
        .and_then(|(_, rest)| rest.split_once("&options=-csearch_path%3D"))
        .expect("an address that `database` gave");
    let cluster = Cluster {
        data: PathBuf::from(host),
        bin: binaries(),
    };
    cluster.sql(&format!("SET search_path = {schema}; {sql}"))
}

/// A server of one test's own, which it may stop, cut and start again. It ends with this, or with the test's process.
#[derive(Debug)]
pub struct Own {
    folder: PathBuf,
}

impl Own {
    /// Starts one.
    ///
    /// # Panics
    /// If Postgres is not installed, or does not start.
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, n) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("loops-postgres-of-{process}-{n}"));
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&folder)
            .expect("a folder can be made");
        let own = Self { folder };
        own.cluster().init(unprivileged());
        let log = own.folder.join("log");
        if let Some((uid, gid)) = unprivileged() {
            fs::File::create(&log).expect("a file can be made");
            std::os::unix::fs::chown(&log, Some(uid), Some(gid)).expect("root may do that");
        }
        own.control("start", "fast");
        own.ends_with_us();
        own
    }

    /// The address of a fresh and empty schema.
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let cluster = self.cluster();
        cluster.sql(&format!("CREATE SCHEMA {schema}"));
        address(&cluster, &schema)
    }

    /// Falls as it would with its machine, and is started again: nothing is said to anybody, nothing is written down.
    pub fn falls_and_comes_back(&self) {
        self.control("restart", "immediate");
    }

    /// Breaks all connections; it stays.
    pub fn cuts_all(&self) {
        self.cluster().sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
        );
    }

    fn cluster(&self) -> Cluster {
        Cluster {
            data: self.folder.join("data"),
            bin: binaries(),
        }
    }

    fn control(&self, what: &str, mode: &str) {
        let Cluster { data, bin } = self.cluster();
        let socket = data.display().to_string();
        let options =
            format!("-k '{socket}' -c listen_addresses= -c max_connections=100 -c shared_buffers=32MB");
        let mut command = Command::new(bin.join("pg_ctl"));
        command.args([what, "--silent", "--wait", "--pgdata"]).arg(&data);
        if what != "start" {
            command.args(["--mode", mode]);
        }
        if what != "stop" {
            command.arg("--log").arg(self.folder.join("log"));
            command.arg("--options").arg(options);
        }
        if let Some((uid, gid)) = unprivileged() {
            command.uid(uid).gid(gid);
        }
        let status = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("pg_ctl can be started");
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(status.success(), "pg_ctl {what}: {log}");
    }

    #[expect(
        clippy::zombie_processes,
        reason = "it outlives us, for it looks whether we have ended"
    )]
    fn ends_with_us(&self) {
        let Cluster { data, bin } = self.cluster();
        let drop_rights = unprivileged().map_or(String::new(), |(uid, gid)| {
            format!("setpriv --reuid={uid} --regid={gid} --clear-groups")
        });
        let script = format!(
            "while kill -0 {us} && [ -d '{data}' ]; do sleep 0.5; done
             {drop_rights} '{bin}/pg_ctl' stop --silent --mode immediate --pgdata '{data}'; rm -rf '{folder}'",
            us = std::process::id(),
            bin = bin.display(),
            data = data.display(),
            folder = self.folder.display(),
        );
        Command::new("sh")
            .args(["-c", &script])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // After a panic, who looks whether we have ended stops it.
        if !std::thread::panicking() {
            self.control("stop", "immediate");
            let _ = fs::remove_dir_all(self.folder.join("data"));
        }
    }
}

/// A running server.
struct Cluster {
    /// Its data and its socket.
    data: PathBuf,
    /// Where its programs are.
    bin: PathBuf,
}

impl Cluster {
    /// The server of the program that runs us; the first that asks starts it.
    fn of_our_runner() -> Self {
        let folder = std::env::temp_dir().join(format!("loops-postgres-{}", parent_id()));
        match fs::DirBuilder::new().mode(0o711).create(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                panic!("`{}`: {error}", folder.display())
            }
            _ => {}
        }
        let owner = fs::symlink_metadata(&folder).expect("it is there").uid();
        assert_eq!(owner, us(), "`{}` is somebody else's", folder.display());
        let lock = fs::File::create(folder.join("lock")).expect("a file can be made");
        lock.lock().expect("a lock can be waited for");
        let cluster = Self {
            data: folder.join("data"),
            bin: binaries(),
        };
        if !folder.join("ready").exists() {
            cluster.start(&folder);
            fs::write(folder.join("ready"), "").expect("a file can be written");
        }
        cluster
    }

    /// Lays out an empty one.
    fn init(&self, who: Option<(u32, u32)>) {
        fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&self.data)
            .expect("a folder can be made");
        let mut initdb = Command::new(self.bin.join("initdb"));
        // A locale that sorts otherwise than bytes do: nothing of ours may lean on the database's.
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
        ]);
        initdb.args([
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
            "--pgdata",
        ]);
        initdb.arg(&self.data).current_dir("/").stdin(Stdio::null());
        if let Some((uid, gid)) = who {
            std::os::unix::fs::chown(&self.data, Some(uid), Some(gid)).expect("root may do that");
            initdb.uid(uid).gid(gid);
        }
        let made = initdb.output().expect("initdb can be started");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    #[expect(
        clippy::zombie_processes,
        reason = "it outlives us, for the tests that come after"
    )]
    fn start(&self, folder: &Path) {
        let who = unprivileged();
        self.init(who);

        let drop_rights = who.map_or(String::new(), |(uid, gid)| {
            format!("setpriv --reuid={uid} --regid={gid} --clear-groups")
        });
        // Ends with whoever runs the tests, however that ends.
        let script = format!(
            "{drop_rights} '{bin}/postgres' -D '{data}' -k '{data}' -c listen_addresses= -c fsync=off \
                -c max_connections=200 -c shared_buffers=32MB &
             server=$!
             while kill -0 {runner} && kill -0 $server; do sleep 0.5; done
             kill -INT $server; wait $server; rm -rf '{folder}'",
            bin = self.bin.display(),
            data = self.data.display(),
            runner = parent_id(),
            folder = folder.display(),
        );
        let log = fs::File::create(folder.join("log")).expect("a file can be made");
        Command::new("sh")
            .args(["-c", &script])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sh can be started");
        let since = Instant::now();
        while !self.psql("SELECT 1").is_ok_and(|ran| ran.status.success()) {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(since.elapsed() < PATIENCE, "Postgres does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn sql(&self, sql: &str) -> String {
        let ran = self.psql(sql).expect("psql can be started");
        assert!(
            ran.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    fn psql(&self, sql: &str) -> std::io::Result<std::process::Output> {
        let mut psql = Command::new(self.bin.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--username=postgres",
            ])
            .args(["--set=ON_ERROR_STOP=1", "--dbname=postgres", "--file=-", "--host"])
            .arg(&self.data)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = psql.stdin.take() {
            input.write_all(sql.as_bytes())?;
        }
        psql.wait_with_output()
    }
}

/// The newest Postgres of this machine, where Debian puts it or on the path.
fn binaries() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let newest = versions
        .pop()
        .filter(|(version, _)| *version >= 15)
        .map(|(_, bin)| bin);
    newest
        .or_else(|| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path)
                .find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        })
        .expect("these tests start a Postgres of their own, 15 or later: `apt-get install postgresql`")
}

fn us() -> u32 {
    fs::metadata("/proc/self").expect("Linux has it").uid()
}

/// Postgres does not run as root: whom it runs as there, by user and group.
fn unprivileged() -> Option<(u32, u32)> {
    if us() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("Linux has it");
    let user = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut parts = line.split(':').skip(2);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    Some(
        user("postgres")
            .or_else(|| user("nobody"))
            .expect("there is a user without rights"),
    )
}
