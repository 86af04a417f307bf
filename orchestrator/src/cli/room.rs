//! How `status` and `doctor` say what takes how much of the disk.

use crate::engine::{Part, Usage, rough};

/// As it is printed: what is free, and each part that takes anything.
pub(super) fn lines(usage: &Usage) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(short) = &usage.short {
        lines.push(format!("nothing is started: {short}"));
    }
    let free = usage.free.map_or_else(|| "?".to_owned(), rough);
    let whole: u64 = usage
        .parts
        .iter()
        .filter(|part| part.within.is_none())
        .map(|part| part.bytes)
        .sum();
    let parts: Vec<String> = usage
        .parts
        .iter()
        .filter(|part| part.within.is_none() && part.bytes > 0)
        .map(|part| told(part, usage))
        .collect();
    lines.push(format!(
        "disk: {free} free; the state takes {}: {}",
        rough(whole),
        parts.join(", ")
    ));
    lines
}

fn told(part: &Part, usage: &Usage) -> String {
    let within: Vec<String> = usage
        .parts
        .iter()
        .filter(|inner| inner.within == Some(part.name) && inner.bytes > 0)
        .map(|inner| told(inner, usage))
        .collect();
    let more = if part.at_least { " or more" } else { "" };
    let text = format!("{} {}{more}", part.name, rough(part.bytes));
    if within.is_empty() {
        text
    } else {
        format!("{text} ({})", within.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_take_nothing_are_left_out_and_others_stand_where_they_are_a_part_of() {
        let part = |name, within, bytes, at_least| Part {
            name,
            within,
            bytes,
            at_least,
        };
        let mut usage = Usage {
            free: Some(5 << 30),
            keep_free: 1 << 30,
            short: None,
            parts: vec![
                part("database", None, 3 << 20, false),
                part("mirrors", None, 0, false),
                part("checkouts", None, 2 << 30, true),
                part("packs", Some("database"), 1 << 20, false),
            ],
        };
        assert_eq!(
            lines(&usage),
            ["disk: 5GiB free; the state takes 2GiB: database 3MiB (packs 1MiB), checkouts 2GiB or more"]
        );
        usage.short = Some("only 1B are free".to_owned());
        assert_eq!(lines(&usage)[0], "nothing is started: only 1B are free");
    }
}
