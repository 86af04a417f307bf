//! docs/security.md: what the red team tries, as its catalogue has it.

use super::fresh;
use crate::redteam::{catalogue, page::page};

#[test]
fn the_page_of_the_red_team_is_fresh_and_has_enough_attacks() {
    let all: usize = catalogue().iter().map(|family| family.rows.len()).sum();
    assert!(all >= 150, "{all}");
    fresh("docs/security.md", &page());
}
