//! The turn loop: ask, keep, do what was called, keep, ask again, until it is done or may not go on.
//!
//! What is to be done next follows from the last message alone, so a conversation that was kept and loaded goes on
//! where it was: calls that nobody answered are carried out, an answer without calls is weighed. Every message is
//! kept before it is acted on. The loop decides nothing about the work; it only keeps a model from going astray.

use std::ops::ControlFlow::{self, Break, Continue};

use loops::budget::Usage;
use tokio::time::Instant;

use super::{
    calls::{Answered, Desk},
    client::Client,
    conversation::{Cause, Conversation, Ended, Keeper, Settings, Tools},
    cut::{self, cut_middle},
    layout::lay_out,
    messages::{Block, Message, Reply, Role, StopReason, ToolUse},
    watch::{Judgement, Watch},
    window::{self, Window},
};
use crate::order::Entry;

/// How many of the newest messages stay whole when the conversation is trimmed; fewer if that does not suffice.
const KEPT_WHOLE: [usize; 2] = [6, 2];
/// How often in a row the model is told that it may not stop yet.
const NUDGES: u32 = 3;
/// How often in a row it may answer nothing, be cut off at the token limit, or be paused.
const FALSE_STARTS: u32 = 4;
/// With so many turns left it is told.
const FEW_TURNS: u32 = 3;

const LAST_TURN: &str = "This is your last turn: there are no more after it. Do not start anything new. Say in a few \
                         sentences what you did and what is left undone.";

const REPEATS: &str = "You have made these same calls before and got these same answers. Try another way, or stop \
                       and say what is in the way.";

/// Drives a conversation until it ends. It may be dropped or cancelled at any instant: what was kept can go on later.
pub async fn converse(
    client: &Client,
    settings: &Settings,
    conversation: Conversation,
    tools: &impl Tools,
    keeper: &impl Keeper,
) -> Ended {
    let mut session = Session::new(client, settings, conversation, tools, keeper);
    let cause = tokio::select! {
        biased;
        () = settings.cancel.cancelled() => Cause::Cancelled,
        () = until(settings.deadline) => Cause::OutOfTime,
        cause = session.run() => cause,
    };
    session.end(cause)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

type Step = ControlFlow<Cause>;

struct Session<'a, T, K> {
    client: &'a Client,
    settings: &'a Settings,
    conversation: Conversation,
    tools: &'a T,
    keeper: &'a K,
    window: Window,
    usage: Usage,
    turns: u32,
    /// Why the newest answer stopped; none after a restart.
    stop: Option<StopReason>,
    /// When this stretch began, until it was told that its time comes to an end.
    began: Option<Instant>,
    nudges: u32,
    false_starts: u32,
    watch: Watch,
}

impl<'a, T: Tools, K: Keeper> Session<'a, T, K> {
    fn new(
        client: &'a Client,
        settings: &'a Settings,
        mut conversation: Conversation,
        tools: &'a T,
        keeper: &'a K,
    ) -> Self {
        if conversation.tools.is_empty() {
            conversation.tools = tools.definitions();
        }
        let turns = conversation
            .messages
            .iter()
            .filter(|message| message.role == Role::Assistant)
            .count();
        Self {
            client,
            settings,
            tools,
            keeper,
            window: Window::new(settings.window, settings.max_tokens),
            usage: Usage::default(),
            turns: u32::try_from(turns).unwrap_or(u32::MAX),
            conversation,
            stop: None,
            began: Some(Instant::now()),
            nudges: 0,
            false_starts: 0,
            watch: Watch::default(),
        }
    }

    async fn run(&mut self) -> Cause {
        loop {
            if let Break(cause) = self.step().await {
                return cause;
            }
        }
    }

    fn end(self, cause: Cause) -> Ended {
        if cause != Cause::Finished {
            self.keeper.entry(Entry::Note {
                text: format!("The session ended: {cause}."),
            });
        }
        let said = self
            .conversation
            .messages
            .iter()
            .rev()
            .filter(|message| message.role == Role::Assistant);
        let last_words = said
            .map(Message::words)
            .find(|words| !words.is_empty())
            .unwrap_or_default();
        Ended {
            cause,
            last_words,
            usage: self.usage,
            turns: self.turns,
            conversation: self.conversation,
        }
    }

    async fn step(&mut self) -> Step {
        match self.conversation.messages.last() {
            _ if self.tools.finished() => Break(Cause::Finished),
            Some(last) if last.role == Role::User => self.ask().await,
            Some(last) if last.calls().next().is_some() => {
                let calls = last.calls().cloned().collect();
                self.carry_out(calls).await
            }
            Some(_) => self.weigh_stop().await,
            None => Break(Cause::NoSense(
                "the conversation is empty, nothing was asked".to_owned(),
            )),
        }
    }

    fn note(&self, text: impl Into<String>) {
        self.keeper.entry(Entry::Note { text: text.into() });
    }

    async fn keep(&mut self, message: Message, usage: Option<&Usage>) -> Step {
        match self.keeper.keep(&message, usage).await {
            Ok(()) => {
                self.conversation.messages.push(message);
                Continue(())
            }
            Err(why) => Break(Cause::NotKept(why)),
        }
    }

    /// Asks for the next answer and keeps it.
    async fn ask(&mut self) -> Step {
        if self.turns > self.settings.max_turns {
            return Break(Cause::OutOfTurns);
        }
        let body = self.fitting_request()?;
        let size = body.len();
        let keeper = self.keeper;
        let note = move |text: String| keeper.entry(Entry::Note { text });
        let asking = self.client.ask(body, &mut self.usage, &note);
        let (reply, ()) = tokio::join!(asking, keeper.meanwhile(&self.conversation));
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Break(Cause::Model(error)),
        };
        self.window.observe(size, reply.usage.all_input());
        self.keeper.entry(Entry::Used {
            usage: reply.usage,
            rehearsed: reply.rehearsed,
        });
        self.take(reply).await
    }

    /// The request, after trimming if it would be too large.
    fn fitting_request(&mut self) -> ControlFlow<Cause, bytes::Bytes> {
        let mut kept = KEPT_WHOLE.iter();
        loop {
            let body = match lay_out(&self.conversation, self.settings) {
                Ok(body) => body,
                Err(error) => {
                    return Break(Cause::NoSense(format!("the request cannot be written: {error}")));
                }
            };
            let Some(excess) = self.window.excess(body.len()) else {
                return Continue(body);
            };
            let Some(kept) = kept.next() else {
                return Break(Cause::WindowFull);
            };
            let freed = window::trim(&mut self.conversation.messages, excess, *kept);
            self.note(format!(
                "The conversation grew too long; {freed} bytes of old tool results were cut from it."
            ));
        }
    }

    async fn take(&mut self, reply: Reply) -> Step {
        self.turns = self.turns.saturating_add(1);
        if reply.stop == StopReason::Refusal {
            return Break(Cause::Refused);
        }
        let mut content: Vec<Block> = reply
            .content
            .into_iter()
            .filter(|block| !block.is_blank())
            .collect();
        let says_nothing = content.is_empty();
        if says_nothing {
            // The provider takes no empty message back.
            content.push(Block::text("(nothing)"));
        }
        let message = Message::assistant(content);
        let words = message.words();
        if !words.is_empty() && !says_nothing {
            self.keeper.entry(Entry::Said {
                text: cut_middle(&words, cut::ENTRY),
            });
        }
        self.stop = Some(if says_nothing {
            StopReason::Other("nothing".to_owned())
        } else {
            reply.stop
        });
        self.keep(message, Some(&reply.usage)).await
    }

    /// The model stopped without calling a tool: is it done?
    async fn weigh_stop(&mut self) -> Step {
        let left = self.turns <= self.settings.max_turns;
        let again = match self.stop.take() {
            // Pauses belong to tools that the provider runs, which are never offered: words take it further.
            Some(StopReason::Pause) if left => Some("Go on.".to_owned()),
            Some(StopReason::MaxTokens) if left => Some(format!(
                "Your answer was cut off at {} tokens. Go on from there, in smaller pieces.",
                self.settings.max_tokens
            )),
            Some(StopReason::WindowFull) => {
                if window::trim(&mut self.conversation.messages, usize::MAX, KEPT_WHOLE[1]) == 0 {
                    return Break(Cause::WindowFull);
                }
                Some("The conversation was too long and old tool results were cut from it. Go on.".to_owned())
            }
            Some(StopReason::Other(why)) if why == "nothing" && left => Some(
                "Your answer was empty. Go on with your work, or say that you are done and what you did."
                    .to_owned(),
            ),
            _ => None,
        };
        if let Some(words) = again {
            self.false_start("its answers stayed empty, cut off or paused")?;
            return self.say(words).await;
        }
        self.false_starts = 0;
        match self.tools.may_stop().await {
            None => Break(Cause::Finished),
            Some(_) if !left => Break(Cause::OutOfTurns),
            Some(open) if self.nudges >= NUDGES => Break(Cause::StoppedEarly(open)),
            Some(open) => {
                self.nudges += 1;
                self.say(open).await
            }
        }
    }

    fn false_start(&mut self, why: &str) -> Step {
        self.false_starts += 1;
        if self.false_starts > FALSE_STARTS {
            Break(Cause::NoSense(why.to_owned()))
        } else {
            Continue(())
        }
    }

    async fn say(&mut self, words: String) -> Step {
        self.keeper.entry(Entry::Told { text: words.clone() });
        let content = [Some(words), self.turns_left()]
            .into_iter()
            .flatten()
            .map(Block::text)
            .collect();
        self.keep(Message::user(content), None).await
    }

    /// What the model is told when its turns come to their end.
    fn turns_left(&self) -> Option<String> {
        match self.settings.max_turns.saturating_sub(self.turns) {
            0 => Some(LAST_TURN.to_owned()),
            FEW_TURNS if self.settings.max_turns > 2 * FEW_TURNS => Some(format!(
                "You have {FEW_TURNS} turns left. Bring your work to an end."
            )),
            _ => None,
        }
    }

    /// What the model is told, once, when most of its time is over.
    fn time_left(&mut self) -> Option<String> {
        let left = self.settings.deadline?.saturating_duration_since(Instant::now());
        if left > self.began?.elapsed() / 4 {
            return None;
        }
        self.began = None;
        let minutes = left.as_secs() / 60;
        Some(format!(
            "Most of your time is over, about {minutes} minutes are left. Bring your work to an end."
        ))
    }

    /// Carries out the calls of the last message, at the same time, and keeps their answers, in order.
    async fn carry_out(&mut self, calls: Vec<ToolUse>) -> Step {
        let cut_off = self.stop.take() == Some(StopReason::MaxTokens);
        let desk = Desk {
            tools: self.tools,
            keeper: self.keeper,
            known: &self.conversation.tools,
            max_tokens: self.settings.max_tokens,
            most: self.window.turn_bytes() / calls.len().max(1),
        };
        let answers = desk.answer_all(&calls, cut_off).await;

        self.nudges = 0;
        self.false_starts = 0;
        let repeats = self.watch_for_loops(&calls, &answers)?;
        let told = [repeats, self.turns_left(), self.time_left()];
        let results = calls
            .iter()
            .zip(answers)
            .map(|(call, answered)| Block::tool_result(&call.id, answered.text, answered.ok));
        let content = results
            .chain(told.into_iter().flatten().map(Block::text))
            .collect();
        let no_turns_left = self.turns > self.settings.max_turns;
        self.keep(Message::user(content), None).await?;
        if no_turns_left && !self.tools.finished() {
            Break(Cause::OutOfTurns)
        } else {
            Continue(())
        }
    }

    /// Ends a session that goes nowhere; gives the words that a model hears before it comes to that.
    fn watch_for_loops(
        &mut self,
        calls: &[ToolUse],
        answers: &[Answered],
    ) -> ControlFlow<Cause, Option<String>> {
        let expected = calls.iter().all(|call| self.tools.may_repeat(&call.name));
        match self.watch.judge(calls, answers, expected) {
            Judgement::Fine => Continue(None),
            Judgement::Repeats => {
                self.note("The model repeats itself; it was told so.");
                Continue(Some(REPEATS.to_owned()))
            }
            Judgement::Loops => Break(Cause::Looping),
            Judgement::NoSense => Break(Cause::NoSense(
                "its calls named no tool, or were not JSON".to_owned(),
            )),
        }
    }
}
