//! The token figures that are promised, on the committed trace of twenty turns.

use harness::{model::Model, trace::Trace};

#[tokio::test]
async fn system_and_tools_stay_under_three_thousand_tokens_and_ninety_percent_come_from_the_cache() {
    let model = Model::start().await;
    let figures = Trace::export().unwrap().drive(&model).await.unwrap();
    assert_eq!(figures.turns, 20);
    assert!(
        figures.system_and_tools < 3000 && figures.fixed < 3000,
        "{figures:?}"
    );
    assert!(figures.read_share() >= 0.9, "{figures:?}");
    assert_eq!(figures.first_read, 0, "nothing was warm before");
}

#[tokio::test]
async fn a_sibling_reads_the_shared_prefix_with_its_first_call() {
    let model = Model::start().await;
    let first = Trace::export().unwrap().drive(&model).await.unwrap();
    let second = Trace::export().unwrap().sibling().drive(&model).await.unwrap();
    assert!(
        second.first_read > first.system_and_tools,
        "tools, prompt and notes: {second:?}"
    );
    assert!(second.read_share() > first.read_share());
}

#[tokio::test]
async fn a_cache_that_expires_between_turns_is_seen_in_the_figures() {
    let model = Model::start().await;
    let warm = Trace::export().unwrap().drive(&model).await.unwrap();
    model.advance(std::time::Duration::from_secs(301));
    let cold = Trace::export().unwrap().sibling().drive(&model).await.unwrap();
    assert_eq!(cold.first_read, 0);
    assert!(cold.usage.cache_write_tokens >= warm.usage.cache_write_tokens);
}
