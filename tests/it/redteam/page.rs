//! docs/security.md, written from the catalogue: `./x docs`.

use std::fmt::Write as _;

use super::{Family, catalogue};

const HEAD: &str = "\
# What is tried against the walls

This page is made from the red team in `tests/it/redteam`: each row is an attack that the tests play, and each has its control,
which is played as well: the same attack with the one wall off, where the harm is seen. An attack whose control shows no harm fails
the tests, and is not counted. What is promised, and what is not, stands in [SECURITY.md](../SECURITY.md).

";

/// What one machine gave; the test `whoever_uses_the_machine_up_leaves_others_answering` prints its own.
const FIGURES: &str = include_str!("figures.md");

const MORE: &str = "\
## Played elsewhere

Attacks whose control cannot be had by leaving one wall out, or that are stories of another kind, have tests of their own and are not
counted above: links that are swapped in while a change is read, forged marks of an overlay, changes that begin with a tree of odd names
(`tests/it/sandbox_layers.rs`); lists of calls that the kernel must refuse (`tests/it/sandbox_attacks.rs`); a thousand callers at
once, crashes between two steps, cut streams (`orchestrator/src/gateway/tests`); models that fail, lie and wander
(`tests/it/bad_models.rs`); secrets and reports as a whole story (`tests/it/screens.rs`).

## Who plays them

The tests play every attack as whoever starts them. Started by root, they play those on the sandbox once more as an ordinary user, and
`./x redteam --user` plays all of them so. Where less is allowed than it seems, the sandbox comes up and holds, or does not and says why:

| who starts it | what becomes of it |
|---|---|
| root | holds |
| an ordinary user | holds |
| root in a container, without the right to mount (what Docker leaves to root) | holds; a tool in a folder that only root may enter is refused by name |
| a user in another sandbox (bubblewrap) | holds |
| a user in another sandbox that forbids more of them | does not start: no namespaces |
| root of a user namespace that has no other user | does not start: the sandbox would be root as well |

## The scan of reports

A cheap scan flags known forms of injection in reports, for people to see and for a loop to hold back (`triage`). It is not a wall: what it
does not see reaches a model as marked data, like everything else. How much it sees is counted over texts that were frozen before it was
changed (`loops/src/signal/injection/held_out`), attacks in the forms of public sets (InjecAgent, AgentDojo, BIPIA, PromptInject,
HackAPrompt, Tensor Trust, garak, deepset, LLMail-Inject, published cases) beside ordinary reports, some of which talk of keys, rules and agents:

| | attacks flagged | ordinary reports flagged |
|---|---|---|
| first pair, the scan as it was | 44 of 97 | 9 of 80 |
| first pair, after it was extended by somebody who knew the pair | 96 of 97 | 0 of 80 |
| second pair, written after that and judged once | 21 of 50 | 1 of 50 |
| second pair, after the scan was extended again | 47 of 50 | 1 of 50 |

The third row is the one to believe for what nobody has written a pattern for yet: about four in ten. Plain orders without any sign of an
injection (reset the password to 123456) are mostly what is missed.

## Fuzzing

What reads bytes from outside (diffs, specs, streams of models, text that is marked and cleaned, names of trees, reports of tests, what Slack sends) is fed
with the files of `fuzz/corpus`, each of their beginnings, and thousands of turns of them, in the ordinary tests. `./x fuzz TARGET` goes
on with cargo-fuzz, where that and a nightly compiler are installed; where they are not, `./x fuzz` says so and turns the corpus for three
minutes a target.

Played once so, three minutes a target, in a debug build beside a machine at a load of 20: turns of diff 30,170, spec 165,200, streams 50,330,
words 120, tree 37,520, reports 1,260, slack 613,270; none did harm. `words` looks for every form of injection in each turn, which is slow in a debug
build. cargo-fuzz itself has not been run.
";

/// The whole page.
pub(crate) fn page() -> String {
    let families = catalogue();
    let count = |family: &Family| family.rows.len();
    let all: usize = families.iter().map(count).sum();
    let mut text = HEAD.to_owned();
    // Writing into a `String` cannot fail.
    let _ = writeln!(
        text,
        "**{all} attacks**, each stopped, each with a control that showed the harm:\n"
    );
    let _ = writeln!(text, "| family | attacks |\n|---|---|");
    for family in &families {
        let _ = writeln!(text, "| {} | {} |", family.name, count(family));
    }
    for family in &families {
        let _ = writeln!(text, "\n## {}\n\n{}\n", family.name, family.how);
        let _ = writeln!(text, "| tried | stopped by | control |\n|---|---|---|");
        for row in &family.rows {
            let cells = [&row.tried, &row.by, &row.control].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    format!("{text}\n{FIGURES}\n{MORE}")
}
