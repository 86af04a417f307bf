//! The one updating comment: what has happened since the pull request was opened, and what it waits for.

use loops::{
    screen::{
        clean::{self, Allowed},
        secrets,
    },
    spec::Rounds,
};
use sha2::{Digest as _, Sha256};

use super::Talk;
use crate::{
    engine::outbox::{Outward, key},
    store::proposals::Proposal,
};

/// What stands, unseen, in the updating comment, so that we know it again.
pub(crate) fn marker(proposal: &Proposal) -> String {
    format!("<!-- loops:news:{} -->", proposal.id)
}

/// The comment as an effect, if it says something else than the last time. Nothing, before anything has happened.
pub(super) fn update(
    proposal: &Proposal,
    talk: &mut Talk,
    alone: Option<&str>,
    limits: Rounds,
) -> Option<(String, Outward)> {
    if talk.told.is_empty()
        && talk.round.is_none()
        && talk.stuck.is_none()
        && stays(talk).is_none()
        && alone.is_none()
    {
        return None;
    }
    let body = page(proposal, talk, alone, limits);
    let digest = hex::encode(Sha256::digest(body.as_bytes()))[..16].to_owned();
    if digest == talk.said_digest {
        return None;
    }
    talk.said += 1;
    talk.said_digest = digest;
    let effect = Outward::News {
        number: talk.said,
        body,
    };
    Some((key("news", proposal.id, &talk.said), effect))
}

/// Why it is not merged by itself, if that is for a person to do something about. What passes is no news.
fn stays(talk: &Talk) -> Option<&str> {
    let unmerged = talk.unmerged.as_ref().filter(|unmerged| !unmerged.for_now)?;
    Some(&unmerged.why)
}

fn page(proposal: &Proposal, talk: &Talk, alone: Option<&str>, limits: Rounds) -> String {
    let inline = |text: &str| clean::inline(text, &Allowed::default());
    let mut page = String::new();
    if !talk.told.is_empty() {
        page.push_str("**Since this was opened**\n\n");
        for line in &talk.told {
            page.push_str(&format!("- {}\n", inline(line)));
        }
        page.push('\n');
    }
    if let Some(ci) = &talk.ci {
        page.push_str(&format!(
            "Checks on `{}`: {}.\n\n",
            short(&proposal.head),
            inline(ci)
        ));
    }
    let now = match (alone, &talk.round, &talk.stuck) {
        (Some(why), ..) => format!("It is left alone: {}.", inline(why)),
        (None, Some(round), _) => format!("A worker is on it, because {}.", inline(&round.why)),
        (None, None, Some(why)) => format!(
            "It waits for a person: {}. Merge it, take the branch over, or close it.",
            inline(why)
        ),
        (None, None, None) => match stays(talk) {
            Some(why) => format!("It is not merged by itself: {}.", inline(why)),
            None => "It waits for a review.".to_owned(),
        },
    };
    page.push_str(&now);
    if talk.people_rounds + talk.ci_rounds > 0 {
        page.push_str(&format!(
            " Rounds so far: {} of {} that people asked for, {} of {} for failing checks.",
            talk.people_rounds, limits.people, talk.ci_rounds, limits.ci
        ));
    }
    format!("{}\n\n{}\n", secrets::mask(&page), marker(proposal))
}

/// A commit as people write it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use loops::{
        id::{AttemptId, FindingId, ProposalId, RunId, TaskId},
        time::Timestamp,
    };

    use super::*;
    use crate::{engine::talk::Round, store::proposals::ProposalState};

    fn proposal() -> Proposal {
        Proposal {
            id: ProposalId::new(0, [1; 10]),
            loop_name: "fix".into(),
            run: RunId::new(0, [2; 10]),
            task: TaskId::new(0, [3; 10]),
            attempt: AttemptId::new(0, [4; 10]),
            finding: FindingId::named("f"),
            branch: "loops/fix/x".into(),
            base_branch: "main".into(),
            base: "b".repeat(40),
            head: "a".repeat(40),
            title: "x".into(),
            body: String::new(),
            state: ProposalState::Open,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn the_comment_is_decided_again_only_when_it_says_something_else() {
        let (proposal, limits) = (proposal(), Rounds::default());
        let mut talk = Talk::default();
        assert_eq!(
            update(&proposal, &mut talk, None, limits),
            None,
            "nothing has happened"
        );
        talk.round = Some(Round {
            why: "checks failed".into(),
            ..Round::default()
        });
        let (first, _) = update(&proposal, &mut talk, None, limits).unwrap();
        assert_eq!(
            update(&proposal, &mut talk, None, limits),
            None,
            "it says the same"
        );
        (talk.round, talk.ci_rounds) = (None, 1);
        talk.tell("done".into());
        let (second, _) = update(&proposal, &mut talk, None, limits).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn words_of_agents_name_nobody_and_hide_nothing() {
        let mut talk = Talk {
            ci: Some("all 3 checks passed".into()),
            people_rounds: 2,
            ..Talk::default()
        };
        talk.tell("carol asked; done in `abc`: thanks @dave, fixes #4 <!-- loops:proposal:x --> ghp_abcdefghijklmnopqrstuvwxyz0123456789".into());
        let page = page(&proposal(), &talk, None, Rounds::default());
        assert!(
            !page.contains("@dave") && !page.contains("#4") && !page.contains("ghp_abc"),
            "{page}"
        );
        assert_eq!(page.matches("<!--").count(), 1, "{page}");
        assert!(
            page.contains("Checks on `aaaaaaa`: all 3 checks passed."),
            "{page}"
        );
        assert!(page.contains("2 of 10 that people asked for, 0 of 3"), "{page}");
    }
}
