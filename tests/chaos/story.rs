//! What happens: two problems are reported, both are proposed; one is sent back by a review, the other refused; then the
//! first is merged. Between two acts of people the service is run until nothing is left to be done.

use harness::{
    github::{GitHub, Role},
    model::Turn,
    postgres::Own,
    world::{BOT, LEAD, LoopFile, Ran, SHOP, World},
};
use serde_json::{Value, json};

use super::{
    deeds::run,
    disk::SmallDisk,
    outcome::Outcome,
    seeded::{Deed, Disturbances, Reach},
};

const CHECK: &str = "python3 -m unittest -v";
const WORDS: &str = "say why";
/// No kill makes the run dearer than this.
pub(super) const BUDGET_USD: u32 = 40;

/// Where the state is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keeps<'a> {
    File,
    /// In a file, on a disk that can be made full.
    SmallDisk,
    Postgres(&'a Own),
}

/// One thing that is wrong: what is said, the task's title, the function, what it prints.
pub(super) struct Bug {
    said: &'static str,
    pub(super) title: &'static str,
    does: &'static str,
    word: &'static str,
}

pub(super) const BUGS: [Bug; 2] = [
    Bug {
        said: "The greeting shows Hello None where my name belongs",
        title: "Greet by name",
        does: "greet",
        word: "Hello",
    },
    Bug {
        said: "On logout the page prints Goodbye None to every customer",
        title: "Part by name",
        does: "part",
        word: "Goodbye",
    },
];

impl Bug {
    pub(super) fn path(&self) -> String {
        format!("{}.py", self.does)
    }

    fn asserts(&self) -> String {
        format!(
            "        self.assertIn(\"{}\", {}(\"Ada\"))\n",
            self.word, self.does
        )
    }

    fn files(&self) -> [(String, String); 2] {
        let Self { does, word, .. } = self;
        let test = format!(
            "import unittest\n\nfrom {does} import {does}\n\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n{}",
            self.asserts()
        );
        let code = format!("def {does}(name):\n    return f\"{word} {{None}}\"\n");
        [(self.path(), code), (format!("test_{does}.py"), test)]
    }
}

/// A world in which it happens.
pub(super) struct Story<'a> {
    pub(super) world: World,
    pub(super) hub: GitHub,
    keeps: Keeps<'a>,
    disk: Option<SmallDisk>,
    /// Whether each run notes the named lines that it comes to.
    pub(super) listens: bool,
}

/// Sandboxes end where less is free; what is more counts as room.
const ROOM: &str = "disk: { keep_free: 300MiB }\n";

impl<'a> Story<'a> {
    pub(super) async fn begin(keeps: Keeps<'a>) -> Self {
        Self::begin_with(keeps, "", "10m").await
    }

    /// The same, with more settings and another schedule.
    pub(super) async fn begin_with(keeps: Keeps<'a>, settings: &str, every: &'static str) -> Self {
        let world = World::start().await;
        let mut more = format!("{ROOM}{settings}");
        let disk = match keeps {
            Keeps::File => None,
            Keeps::SmallDisk => SmallDisk::at(&world.state()),
            Keeps::Postgres(own) => {
                world.database_at(&own.database());
                more += "database: ${DATABASE_URL}\n";
                None
            }
        };
        let files: Vec<(String, String)> = BUGS.iter().flat_map(Bug::files).collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let hub = world.github(&files, &more).await;
        hub.world().grant(SHOP, BOT, Role::Write);
        let budget = format!("budget: {{ run: {BUDGET_USD} USD, day: {BUDGET_USD} USD }}\n");
        let yaml = LoopFile::new("fix", CHECK)
            .on_github(SHOP)
            .every(every)
            .more(&budget)
            .yaml();
        world.write(
            ".loops/fix.yaml",
            &yaml.replace("proposal: {", "proposal: { reviewers: ['@carol'],"),
        );
        write_scripts(&world);
        world.write("points/deadly", "");
        Self {
            world,
            hub,
            keeps,
            disk,
            listens: false,
        }
    }

    /// What can be done to it.
    pub(super) fn reach(&self) -> Reach {
        match (self.keeps, &self.disk) {
            (Keeps::Postgres(_), _) => Reach::Server,
            (_, Some(_)) => Reach::SmallDisk,
            (_, None) => Reach::File,
        }
    }

    /// Does what is not done to the process itself.
    pub(super) fn do_it(&self, deed: Deed) {
        match (deed, self.keeps, &self.disk) {
            (Deed::Cut, Keeps::Postgres(own), _) => own.cuts_all(),
            (Deed::Fall, Keeps::Postgres(own), _) => own.falls_and_comes_back(),
            (Deed::Fill, _, Some(disk)) => disk.fill(),
            (Deed::Turn(minutes), _, _) => self.world.write("clock", &(minutes * 60_000).to_string()),
            _ => panic!("{deed:?} cannot be done to {:?}", self.keeps),
        }
    }

    /// What people do, one act after the other.
    pub(super) const ACTS: [fn(&Self); 3] = [Self::report, Self::answer, Self::merge];

    fn report(&self) {
        for bug in &BUGS {
            self.hub.world().open_issue(SHOP, "carol", bug.said, bug.title);
        }
    }

    fn answer(&self) {
        let [greet, part] = [0, 1].map(|at| self.pull(BUGS[at].title));
        let mut there = self.hub.world();
        let words = format!("Please {WORDS}");
        there.review_comment(SHOP, greet, "carol", ("greet.py", 2), &words);
        there.comment(SHOP, greet, "carol", "/loops explain");
        there.comment(SHOP, part, "carol", "They know who they are");
        there.close(SHOP, part, "carol");
    }

    fn merge(&self) {
        let greet = self.pull(BUGS[0].title);
        self.hub.world().set_draft(SHOP, greet, "carol", false);
        self.hub.world().merge(SHOP, greet, "carol");
    }

    /// Tells it to its end, and gives what is there after each act.
    pub(super) async fn tell(self, disturbances: &mut Disturbances) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for act in Self::ACTS {
            act(&self);
            self.quiet(disturbances).await;
            outcomes.push(Outcome::of(&self).await);
        }
        self.end().await;
        outcomes
    }

    /// The ledger is whole, and nothing is left behind.
    pub(super) async fn end(self) {
        self.hub.check();
        self.world.close().await;
        drop(self.disk);
    }

    /// Runs the loop until two runs in a row have nothing to do and nothing waits to be sent.
    async fn quiet(&self, disturbances: &mut Disturbances) {
        let mut idle = 0;
        for _ in 0..120 {
            let next = disturbances.next();
            let (hit, ran) = run(self, next).await;
            if let (true, Some(disturbance)) = (hit, next) {
                disturbances.hit(disturbance);
                idle = 0;
                match disturbance.deed {
                    Deed::Kill => continue,
                    Deed::Fill => {
                        self.is_full(&ran).await;
                        continue;
                    }
                    // Who cannot write says so and ends; what was under way goes on the next time.
                    Deed::Cut | Deed::Fall if ran.code == 1 => continue,
                    Deed::Cut | Deed::Fall | Deed::Turn(_) => {}
                }
            }
            assert_eq!(ran.code, 0, "{ran}\n{:#?}", disturbances.done);
            let done = ran.json()["run"]["state"] == "nothing_to_do" && !ran.stderr.contains("waits  ");
            idle = if done { idle + 1 } else { 0 };
            if idle == 2 {
                return;
            }
        }
        panic!("it never came to rest: {:#?}", disturbances.done)
    }

    /// A run that met a full disk says so, unless it had come to its end; the next one begins nothing, and says so, too.
    async fn is_full(&self, met: &Ran) {
        let clear = |ran: &Ran| {
            let words = ["nothing new is begun", "is full", "No space left on device"];
            words.iter().any(|words| ran.stderr.contains(words))
        };
        assert!(met.code == 0 || (met.code == 1 && clear(met)), "{met}");
        let next = self.world.loops(["run", "fix", "--format", "json"]).await;
        assert!(next.code == 1 && clear(&next), "{next}");
        if let Some(disk) = &self.disk {
            disk.make_room();
        }
    }

    /// The number of the first pull request of this title.
    fn pull(&self, title: &str) -> u64 {
        let mut there = self.hub.world();
        let issues = there.repo(SHOP).issues.values();
        let mut pulls = issues.filter(|issue| issue.pull.is_some() && issue.title == title);
        pulls
            .next()
            .unwrap_or_else(|| panic!("`{title}` was not proposed"))
            .number
    }
}

fn write_scripts(world: &World) {
    world.model().session_of_role(LEAD, |s| {
        s.reply(spawn)
            .call("wait", json!({}))
            .call("finish", json!({"report": "Done."}))
    });
    for bug in &BUGS {
        let (
            asserts,
            Bug {
                does, word, title, ..
            },
        ) = (bug.asserts(), bug);
        let again = format!("# A name is there\ndef {does}(name):\n    return f\"{word} {{name}}\"\n");
        world.worker_told(title, WORDS, |s| {
            s.call("write", json!({"path": bug.path(), "content": again}))
                .say("It says why.")
        });
        let test = format!(
            "{asserts}\n    def test_name(self):\n        self.assertEqual({does}(\"Ada\"), \"{word} Ada\")\n"
        );
        world.worker(title, |s| {
            s.call(
                "edit",
                json!({"path": format!("test_{does}.py"), "old": asserts, "new": test}),
            )
            .call(
                "edit",
                json!({"path": bug.path(), "old": "{None}", "new": "{name}"}),
            )
            .say("It prints the name now.")
        });
    }
    for bug in &BUGS {
        world.reviewer(bug.title, |s| {
            s.call(
                "verdict",
                json!({"approve": true, "concerns": [], "summary": "It holds."}),
            )
        });
    }
}

/// One task for each finding that stands in a lead agent's brief.
fn spawn(request: &Value) -> Turn {
    let brief = request["messages"][0].to_string();
    let mut turn = Turn::new();
    for part in brief.split("\\nF").skip(1) {
        let Some((number, words)) = part.split_once(':') else {
            continue;
        };
        let Some(bug) = BUGS.iter().find(|bug| words.contains(bug.said)) else {
            continue;
        };
        let task = json!({"findings": [format!("F{number}")], "worker": "fix", "title": bug.title, "goal": "The name is printed", "acceptance": ["it is"]});
        turn = turn.call("spawn", task);
    }
    turn
}
