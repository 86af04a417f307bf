//! What services told us, what we said there, and which stretch of a source is known.

use ::loops::id::SignalId;

use super::*;
use crate::{
    source::Stretch,
    store::{
        heard::{self, Heard, News},
        outbox,
        said::{self, Said},
    },
};

#[tokio::test]
async fn an_event_is_kept_once_and_for_a_week() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let event = |millis| Heard {
            kind: "message".to_owned(),
            place: "C1".to_owned(),
            at: at(millis),
        };
        assert!(heard::put(&mut tx, "slack:Ev1", &event(1)).await.unwrap());
        assert!(!heard::put(&mut tx, "slack:Ev1", &event(2)).await.unwrap());
        let news = |first, last, count| News {
            kind: "message".to_owned(),
            place: "C1".to_owned(),
            count,
            first: at(first),
            last: at(last),
        };
        assert_eq!(heard::news(&mut tx, at(0)).await.unwrap(), [news(1, 1, 1)]);
        assert!(heard::put(&mut tx, "slack:Ev3", &event(7)).await.unwrap());
        // What is only there to be known again is no news.
        let known = Heard {
            kind: String::new(),
            ..event(8)
        };
        assert!(heard::put(&mut tx, "github:body:1", &known).await.unwrap());
        assert_eq!(heard::news(&mut tx, at(0)).await.unwrap(), [news(1, 7, 2)]);
        assert_eq!(heard::news(&mut tx, at(1)).await.unwrap(), [news(7, 7, 1)]);
        assert_eq!(heard::news(&mut tx, at(7)).await.unwrap(), []);
        let later = 8 * 86_400_000;
        assert!(heard::put(&mut tx, "slack:Ev2", &event(later)).await.unwrap());
        assert_eq!(
            heard::news(&mut tx, at(0)).await.unwrap(),
            [news(later, later, 1)]
        );
        assert_eq!(heard::latest(&mut tx, "slack:").await.unwrap(), Some(at(later)));
        assert_eq!(
            heard::latest(&mut tx, "github:").await.unwrap(),
            None,
            "another service's"
        );
    })
    .await;
}

#[tokio::test]
async fn what_was_said_is_known_by_its_key_and_an_answer_counts_once() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let message = Said {
            key: "slack:proposal:P1".to_owned(),
            channel: "C1".to_owned(),
            ts: "1.000100".to_owned(),
            words: "it waits".to_owned(),
            at: at(1),
        };
        said::put(&mut tx, &message).await.unwrap();
        let anew = Said {
            words: "it is merged".to_owned(),
            ..message.clone()
        };
        said::put(&mut tx, &anew).await.unwrap();
        assert_eq!(said::get(&mut tx, &message.key).await.unwrap(), Some(anew));
        for first in [true, false] {
            let heard = said::answer(&mut tx, &message, "2.0", "words", "nothing", at(2)).await;
            assert_eq!(heard.unwrap(), first);
        }
        let known = said::answered(&mut tx, &message).await.unwrap();
        assert_eq!(known, [("2.0".to_owned(), "words".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn of_effects_whose_keys_begin_alike_the_latest_is_found() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        for (key, millis) in [
            ("slack:failing:a_b:x", 1),
            ("slack:failing:a_b:x:over", 2),
            ("slack:failing:axb:y", 3),
        ] {
            outbox::put(&mut tx, key, &"words", at(millis)).await.unwrap();
        }
        let last = outbox::latest(&mut tx, "slack:failing:a_b:").await.unwrap();
        assert_eq!(last.unwrap().key, "slack:failing:a_b:x:over");
        assert_eq!(outbox::latest(&mut tx, "slack:failing:b:").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_stretch_knows_what_stands_in_it_and_what_answers_that() {
    each_engine(async |scratch| {
        let mut tx = scratch.begin().await;
        let source = "slack:#shop";
        let message = |ts: &str, thread: Option<&str>| Signal {
            id: Signal::id_of(source, ts),
            source: source.to_owned(),
            thread: thread.map(str::to_owned),
            ..signal(ts, &format!("said at {ts}"))
        };
        let (a, b, c) = ("1700000001.000100", "1700000002.000100", "1700000003.000100");
        let (late, erased) = ("1700000009.000100", "1700000002.500000");
        for one in [
            message(a, None),
            message(b, None),
            message(c, None),
            message(late, Some(b)),
            message(erased, None),
        ] {
            signals::upsert(&mut tx, "loop-1", &one, [1; 16], at(1))
                .await
                .unwrap();
        }
        let gone = Signal::id_of(source, erased);
        signals::erase(&mut tx, "loop-1", gone, at(2)).await.unwrap();
        let roots = |here: &[&str], childless: &[&str]| Stretch::Roots {
            source: source.to_owned(),
            after: a.to_owned(),
            before: c.to_owned(),
            here: here.iter().map(|ts| (*ts).to_owned()).collect(),
            childless: childless.iter().map(|ts| (*ts).to_owned()).collect(),
        };
        let answers = |here: &[&str]| Stretch::Answers {
            source: source.to_owned(),
            root: b.to_owned(),
            after: b.to_owned(),
            before: "z".to_owned(),
            here: here.iter().map(|ts| (*ts).to_owned()).collect(),
        };
        for (stretch, missing) in [
            (roots(&[b], &[]), vec![]),
            (roots(&[b], &[b]), vec![late]),
            (roots(&[], &[]), vec![b, late]),
            (answers(&[late]), vec![]),
            (answers(&[]), vec![late]),
        ] {
            let known = signals::in_stretch(&mut tx, "loop-1", &stretch).await.unwrap();
            let missed: std::collections::BTreeSet<SignalId> = known
                .iter()
                .filter(|one| stretch.misses(&one.external_id, one.thread.as_deref()))
                .map(|one| one.id)
                .collect();
            let wanted = missing.iter().map(|ts| Signal::id_of(source, ts)).collect();
            assert_eq!(missed, wanted, "{stretch:?}");
        }
    })
    .await;
}
