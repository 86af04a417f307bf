//! Figures of the twenty-turn trace: `cargo bench -p tests --bench trace`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use harness::{
    model::Model,
    trace::{Figures, Trace},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let model = Model::start().await;
    let alone = Trace::export()?.drive(&model).await?;
    let sibling = Trace::export()?.sibling().drive(&model).await?;
    println!(
        "prompt and tools of our own: {} tokens (3.5 bytes each)",
        alone.fixed
    );
    println!(
        "| session | turns | system and tools | input | read from cache | share | written | fresh | output |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    row("alone", &alone);
    row("second of its run", &sibling);
    Ok(())
}

fn row(name: &str, figures: &Figures) {
    let usage = &figures.usage;
    println!(
        "| {name} | {} | {} | {} | {} | {:.1} % | {} | {} | {} |",
        figures.turns,
        figures.system_and_tools,
        usage.all_input(),
        usage.cache_read_tokens,
        figures.read_share() * 100.0,
        usage.cache_write_tokens,
        usage.input_tokens,
        usage.output_tokens,
    );
}
