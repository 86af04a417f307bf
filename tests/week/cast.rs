//! The twenty loops of the week, each with what its schedule means, said twice: as YAML for the service, and as minutes
//! for the almanac.

use chrono_tz::Tz;
use harness::world::{LoopFile, Repository, World};

use super::almanac::When;

const CHECK: &str = "python3 -m unittest -v";

/// One loop.
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// The schedule, as it is written.
    pub(crate) schedule: &'static str,
    /// What it means.
    pub(crate) when: When,
    /// The longest delay that it asks for, in minutes.
    pub(crate) jitter: i64,
    /// How many proposals it may have open; none: it has nothing to do all week.
    pub(crate) max_open: Option<u32>,
}

fn every(name: &'static str, schedule: &'static str, minutes: i64) -> Role {
    Role {
        name,
        schedule,
        when: When::Every(minutes),
        jitter: 0,
        max_open: None,
    }
}

fn cron<const N: usize>(
    name: &'static str,
    schedule: &'static str,
    zone: Tz,
    times: [(u32, u32); N],
    days: &[u32],
    often: bool,
) -> Role {
    Role {
        when: When::At {
            zone,
            times: times.to_vec(),
            days: days.to_vec(),
            often,
        },
        ..every(name, schedule, 0)
    }
}

/// All of them.
pub(crate) fn cast() -> Vec<Role> {
    let daily = &[0, 1, 2, 3, 4, 5, 6];
    let hours = |every: usize| (0..24).step_by(every).map(|hour| (hour, 0));
    let four: [(u32, u32); 6] = std::array::from_fn(|n| hours(4).nth(n).unwrap_or_default());
    let mut cast = vec![
        every("plain", "{ every: 6h }", 360),
        every("odd", "{ every: 7h }", 420),
        every("rare", "{ every: 3d }", 3 * 1_440),
        cron("noon", "{ cron: '0 12 * * *' }", Tz::UTC, [(12, 0)], daily, false),
        cron(
            "gap",
            "{ cron: '30 2 * * *', timezone: Europe/Berlin }",
            Tz::Europe__Berlin,
            [(2, 30)],
            daily,
            false,
        ),
        cron(
            "sundays",
            "{ cron: '15 2 * * 0', timezone: Europe/Berlin }",
            Tz::Europe__Berlin,
            [(2, 15)],
            &[0],
            false,
        ),
        cron(
            "office",
            "{ cron: '0 9 * * 1-5', timezone: Europe/Berlin }",
            Tz::Europe__Berlin,
            [(9, 0)],
            &[1, 2, 3, 4, 5],
            false,
        ),
        cron(
            "fine",
            "{ cron: '*/30 1-2 * * *', timezone: Europe/Berlin }",
            Tz::Europe__Berlin,
            [(1, 0), (1, 30), (2, 0), (2, 30)],
            daily,
            true,
        ),
        cron(
            "york",
            "{ cron: '30 1 * * *', timezone: America/New_York }",
            Tz::America__New_York,
            [(1, 30)],
            daily,
            false,
        ),
        cron(
            "often",
            "{ cron: '0 */4 * * *', timezone: America/New_York }",
            Tz::America__New_York,
            four,
            daily,
            true,
        ),
        cron(
            "india",
            "{ cron: '45 6 * * *', timezone: Asia/Kolkata }",
            Tz::Asia__Kolkata,
            [(6, 45)],
            daily,
            false,
        ),
        every("skip", "{ every: 4h, overlap: skip }", 240),
        every("queue", "{ every: 8h, overlap: queue }", 480),
        every("stop", "{ every: 8h, overlap: cancel_running }", 480),
        every("all", "{ every: 3h, catch_up: all }", 180),
        every("none", "{ every: 3h, catch_up: none }", 180),
        every("paused", "{ every: 5h }", 300),
        every("lost", "{ every: 2h }", 120),
    ];
    cast.push(Role {
        jitter: 120,
        ..every("late", "{ every: 9h, jitter: 2h }", 540)
    });
    for (name, most) in [("shop", 1), ("site", 2)] {
        cast.push(Role {
            max_open: Some(most),
            ..every(name, "{ every: 6h }", 360)
        });
    }
    cast
}

/// Writes the loops, their repositories and their empty sources. The repository of `lost` is not there.
pub(crate) fn lay_out(world: &World, cast: &[Role]) {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    for name in ["quiet", "shop", "site"] {
        Repository::create(&world.path(&format!("{name}.git")), &files);
    }
    for role in cast {
        let repository = match role.name {
            "shop" | "site" | "lost" => role.name,
            _ => "quiet",
        };
        world.write(&format!("{}.jsonl", role.name), "");
        write(world, role, role.schedule, repository);
    }
}

/// Writes one loop's spec with this schedule.
fn write(world: &World, role: &Role, schedule: &str, repository: &str) {
    let yaml = LoopFile::new(role.name, CHECK)
        .repository(&format!("../{repository}.git"))
        .source(&format!("../{}.jsonl", role.name))
        .max_open(role.max_open.unwrap_or(5))
        .yaml()
        .replace("{ every: 10m }", schedule);
    world.write(&format!(".loops/{}.yaml", role.name), &yaml);
}

/// The repository of `lost` comes after all.
pub(crate) fn find_what_was_lost(world: &World) {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    Repository::create(&world.path("lost.git"), &files);
}

/// Two small bugs, and tests that do not see them.
fn files() -> Vec<(&'static str, String)> {
    let test = |module: &str, word: &str| {
        format!(
            "import unittest\n\nfrom {module} import {module}\n\n\nclass Test(unittest.TestCase):\n    def \
             test_it(self):\n        self.assertIn(\"{word}\", {module}(\"Ada\"))\n"
        )
    };
    vec![
        (
            "greet.py",
            "def greet(name):\n    return f\"Hello {None}\"\n".to_owned(),
        ),
        (
            "part.py",
            "def part(name):\n    return f\"Goodbye {None}\"\n".to_owned(),
        ),
        ("test_greet.py", test("greet", "Hello")),
        ("test_part.py", test("part", "Goodbye")),
    ]
}
