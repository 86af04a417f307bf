//! What stands on a repository's dashboard, from the state: nothing is asked of GitHub.

use std::collections::BTreeMap;

use loops::{
    board::{Line, Section, words},
    capacity::age,
    finding::FindingState,
    id::FindingId,
    schedule::{day_start, month_start},
    spec::{LoopSpec, PrivateWords},
    time::Timestamp,
};

use super::{
    Known,
    ticks::{Act, Offer},
};
use crate::{
    clock,
    engine::{
        EngineError, Home, Place, capacity,
        outbox::{Outward, key, not_sent},
        private::Private,
        trouble::troubles,
    },
    store::{
        calls, findings, outbox,
        plans::{self, PlanState},
        proposals::{self, Proposal, ProposalState},
        pulls, runs, signals, tasks,
    },
};

/// What stands on a dashboard.
pub(super) struct Facts {
    pub(super) sections: Vec<Section>,
    /// The boxes, by id.
    pub(super) offers: BTreeMap<String, Offer>,
    /// Whether there is anything for people to see.
    pub(super) worth_telling: bool,
}

struct Gather<'a> {
    home: &'a Home,
    repository: &'a str,
    loops: &'a [Known],
    now: Timestamp,
    /// How often each subject was ticked.
    ticked: BTreeMap<String, u32>,
    offers: BTreeMap<String, Offer>,
    /// What was said in private of what stands here, and is not to be repeated.
    private: Private,
}

impl Facts {
    pub(super) async fn gather(home: &Home, repository: &str, loops: &[Known]) -> Result<Self, EngineError> {
        let mut gather = Gather {
            home,
            repository,
            loops,
            now: clock::now(),
            ticked: crate::store::boards::ticked(&home.store, repository).await?,
            offers: BTreeMap::new(),
            private: Private::default(),
        };
        let mut sections = vec![
            section("Open", gather.open().await?),
            section("Waits for you", gather.waits().await?),
            section("Tried in vain", gather.in_vain().await?),
            section("Refused", gather.refused().await?),
            section("What does not work", gather.broken().await?),
        ];
        for line in sections.iter_mut().flat_map(|section| &mut section.lines) {
            line.text = gather.private.hold(&line.text);
        }
        let paused = loops.iter().any(|known| known.paused_at.is_some());
        let worth_telling = paused || sections.iter().any(|section| !section.lines.is_empty());
        sections.push(section("Loops", gather.loops().await?));
        Ok(Self {
            sections,
            offers: gather.offers,
            worth_telling,
        })
    }
}

fn section(title: &'static str, lines: Vec<Line>) -> Section {
    Section { title, lines }
}

impl Gather<'_> {
    /// The line with a box for this.
    fn offer(&mut self, line: Line, words: &str, act: Act) -> Line {
        let serial = self.ticked.get(&act.subject()).copied().unwrap_or_default();
        let offer = Offer { act, serial };
        let id = offer.id();
        self.offers.insert(id.clone(), offer);
        line.with(words, id)
    }

    fn ours(&self, name: &str) -> bool {
        self.loops.iter().any(|known| known.spec.name == name)
    }

    /// These findings of a loop are spoken of: what was said of them in private is held back, as the loop wants it.
    async fn speaks_of(&mut self, name: &str, findings: &[FindingId]) -> Result<(), EngineError> {
        let known = self.loops.iter().find(|known| known.spec.name == name);
        let withhold = known.map_or(PrivateWords::Withhold, |known| known.spec.proposal.private);
        self.private
            .and(Private::of(&self.home.store, withhold, findings).await?);
        Ok(())
    }

    /// How long ago; in days, so that the text does not change at every look.
    fn for_days(&self, since: Timestamp) -> String {
        let days = self.now.since(since).as_secs() / 86_400;
        if days == 0 {
            "since today".to_owned()
        } else {
            format!("for {}", age(self.now.since(since)))
        }
    }

    async fn open(&mut self) -> Result<Vec<Line>, EngineError> {
        let mut lines = Vec::new();
        use ProposalState::{Approved, Open, Preparing, Revising};
        for state in [Open, Approved, Revising, Preparing] {
            for proposal in proposals::list(&self.home.store, None, Some(state)).await? {
                if self.ours(&proposal.loop_name) {
                    lines.push(self.proposal(&proposal).await?);
                }
            }
        }
        Ok(lines)
    }

    async fn proposal(&mut self, proposal: &Proposal) -> Result<Line, EngineError> {
        let store = &self.home.store;
        self.private
            .and(Private::of_proposal(&self.home.store, proposal).await?);
        let title = words(&proposal.title, 120);
        let pull = pulls::get(store, proposal.id).await?;
        let mut text = match &pull {
            Some(pull) => format!("[{title}](<{}>)", pull.url),
            None => format!("{title} (not sent yet)"),
        };
        let state = match proposal.state {
            ProposalState::Open => "open",
            ProposalState::Approved => "approved, to be merged,",
            ProposalState::Revising => "being revised",
            _ => "on its way",
        };
        text += &format!(", {state} {}", self.for_days(proposal.created_at));
        let status = outbox::get(store, &key("status", proposal.id, &proposal.attempt)).await?;
        if let Some(Outward::Status { description, .. }) = status.and_then(|effect| effect.effect().ok()) {
            text += &format!("; {}", words(&description, 140));
        }
        if let Some(why) = pull.and_then(|pull| pull.hands_off) {
            text += &format!("; left alone: {}", words(&why, 200));
        }
        Ok(Line::plain(text))
    }

    async fn waits(&mut self) -> Result<Vec<Line>, EngineError> {
        let mut lines = Vec::new();
        for plan in plans::list(&self.home.store, None, Some(PlanState::Waiting)).await? {
            if !self.ours(&plan.loop_name) {
                continue;
            }
            self.speaks_of(&plan.loop_name, &plan.findings).await?;
            let (title, since) = (words(&plan.title, 120), self.for_days(plan.created_at));
            let name = plan.task.short();
            let (text, offer) = match &plan.asked {
                Some(asked) => (
                    format!(
                        "Other dependencies, `{name}`: {title}, {since}: {}",
                        words(&asked.lines.join("; "), 600)
                    ),
                    "approve these dependencies",
                ),
                None => (
                    format!("A plan, `{name}`: {title}, {since}, at most {}", plan.cost_cap),
                    "approve this plan",
                ),
            };
            lines.push(self.offer(Line::plain(text), offer, Act::Approve(plan.task)));
        }
        for known in self.loops {
            if let Some((waiting, why)) = self.held(known).await? {
                let noun = if waiting == 1 {
                    "finding waits"
                } else {
                    "findings wait"
                };
                lines.push(Line::plain(format!(
                    "{waiting} {noun} for `{}`: {why}",
                    known.spec.name
                )));
            }
        }
        Ok(lines)
    }

    /// How many findings of a loop could be started and are not, and why.
    async fn held(&self, known: &Known) -> Result<Option<(usize, String)>, EngineError> {
        let (store, spec) = (&self.home.store, &known.spec);
        let mut waiting = 0;
        for kept in self.findings(&spec.name, FindingState::Open).await? {
            let enough = kept.finding.signals >= spec.triage.min_signals
                && kept.finding.reporters >= spec.triage.min_reporters;
            let news = kept.finding.signals > kept.considered;
            if enough && news && findings::suppression(store, kept.finding.id).await?.is_none() {
                waiting += 1;
            }
        }
        if waiting == 0 {
            return Ok(None);
        }
        let open = proposals::open_count(store, &spec.name)
            .await?
            .saturating_add(plans::open_count(store, &spec.name).await?);
        if open >= spec.proposal.max_open {
            return Ok(Some((
                waiting,
                format!("{open} are open and `max_open` is {}", spec.proposal.max_open),
            )));
        }
        let last = runs::list(store, Some(&spec.name), None, 1).await?;
        let commit = last.into_iter().find_map(|run| run.base);
        let mirror = self.home.mirror(self.repository);
        let base = commit.as_deref().map(|commit| (mirror.as_path(), commit));
        // A mirror that is not there says nothing about reviewers.
        let Ok(Some(room)) = capacity::room(self.home, spec, &Place::parse(self.repository), base).await
        else {
            return Ok(None);
        };
        Ok((room.start == 0).then(|| (waiting, room.load.words(&self.home.review.limits))))
    }

    async fn findings(&self, name: &str, state: FindingState) -> Result<Vec<findings::Kept>, EngineError> {
        let filter = findings::Filter {
            loop_name: Some(name),
            state: Some(state),
            ..Default::default()
        };
        Ok(findings::list(&self.home.store, &filter).await?)
    }

    async fn in_vain(&mut self) -> Result<Vec<Line>, EngineError> {
        let mut lines = Vec::new();
        for known in self.loops {
            for kept in self.findings(&known.spec.name, FindingState::Open).await? {
                if kept.considered == 0 || kept.finding.signals > kept.considered {
                    continue;
                }
                self.speaks_of(&known.spec.name, &[kept.finding.id]).await?;
                let why = self.why_in_vain(kept.finding.id).await?;
                let text = format!("{}: {why}", self.title(&known.spec, &kept).await?);
                lines.push(self.offer(Line::plain(text), "try it again", Act::Again(kept.finding.id)));
            }
        }
        Ok(lines)
    }

    /// A finding's title, unless somebody said it in private and the loop does not let that out.
    async fn title(&self, spec: &LoopSpec, kept: &findings::Kept) -> Result<String, EngineError> {
        if spec.proposal.private == PrivateWords::Withhold
            && signals::in_private(&self.home.store, kept.finding.id).await? > 0
        {
            return Ok(format!("{}, reported in private", kept.finding.id.short()));
        }
        Ok(words(&kept.finding.title, 120))
    }

    async fn why_in_vain(&self, finding: FindingId) -> Result<String, EngineError> {
        let last = tasks::last_of_finding(&self.home.store, finding).await?;
        let Some(task) = last else {
            return Ok("left alone until there is news".to_owned());
        };
        let proposal = proposals::of_task(&self.home.store, task.task.id).await?;
        if let Some(proposal) = &proposal
            && let Some(why) = not_sent(&self.home.store, proposal).await?
        {
            return Ok(format!("proven, but it could not be sent: {}", words(&why, 200)));
        }
        let expired = proposal.is_some_and(|proposal| proposal.state == ProposalState::Expired);
        Ok(if expired {
            "proposed, and closed without an answer".to_owned()
        } else {
            words(
                task.why.as_deref().unwrap_or("left alone until there is news"),
                200,
            )
        })
    }

    async fn refused(&mut self) -> Result<Vec<Line>, EngineError> {
        let mut all = Vec::new();
        for known in self.loops {
            let refused = self.findings(&known.spec.name, FindingState::Refused).await?;
            all.extend(refused.into_iter().map(|kept| (&known.spec, kept)));
        }
        all.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.updated_at));
        let mut lines = Vec::new();
        for (spec, kept) in all {
            self.speaks_of(&spec.name, &[kept.finding.id]).await?;
            let why = words(kept.refused_why.as_deref().unwrap_or_default(), 200);
            let never = if kept.never { " (nothing of its kind)" } else { "" };
            let text = format!("{}: {why}{never}", self.title(spec, &kept).await?);
            lines.push(self.offer(Line::plain(text), "open it again", Act::Reopen(kept.finding.id)));
        }
        Ok(lines)
    }

    /// What waits to be sent to this repository, and failures of its loops, by their causes.
    async fn broken(&self) -> Result<Vec<Line>, EngineError> {
        let names: Vec<String> = self.loops.iter().map(|known| known.spec.name.clone()).collect();
        let mut lines = Vec::new();
        for trouble in troubles(&self.home.store, Some((&names, self.repository))).await? {
            let times = if trouble.count == 1 {
                "once".to_owned()
            } else {
                format!("{} times", trouble.count)
            };
            let mut text = format!(
                "{}: {times}, {}",
                trouble.cause.words(),
                self.for_days(trouble.since)
            );
            if !trouble.loops.is_empty() {
                text += &format!(", in `{}`", trouble.loops.join("`, `"));
            }
            if !trouble.words.is_empty() {
                text += &format!("; the last time: {}", words(&trouble.words, 200));
            }
            lines.push(Line::plain(text));
        }
        Ok(lines)
    }

    async fn loops(&mut self) -> Result<Vec<Line>, EngineError> {
        let mut lines = Vec::new();
        for known in self.loops {
            let spec = &known.spec;
            let zone = spec
                .schedule
                .as_ref()
                .map_or("UTC", |schedule| schedule.timezone.as_str());
            let store = &self.home.store;
            let today = calls::spend_since(store, &spec.name, day_start(zone, self.now)).await?;
            let month = calls::spend_since(store, &spec.name, month_start(zone, self.now)).await?;
            let spent = format!("{today} of {} spent today, {month} this month", spec.budget.day.0);
            let name = spec.name.clone();
            lines.push(match known.paused_at {
                Some(since) => {
                    let text = format!("`{name}` is paused {}; {spent}", self.for_days(since));
                    self.offer(Line::plain(text), "let it go on", Act::Resume(name))
                }
                None => {
                    let text = format!("`{name}`: {spent}");
                    self.offer(Line::plain(text), "pause it", Act::Pause(name))
                }
            });
        }
        Ok(lines)
    }
}
