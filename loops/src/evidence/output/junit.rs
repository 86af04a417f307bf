//! JUnit XML, as most runners write it on demand. It was written by the code under test, so nothing in it is
//! resolved: no document types, no entities but those of XML itself.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{TestReport, TestStatus};

/// The largest report that is read.
const MAX_BYTES: usize = 16 << 20;

/// Deeper ones are no reports.
const MAX_DEPTH: usize = 64;

/// A test case that has begun.
struct Open {
    name: String,
    status: TestStatus,
    load_error: Option<String>,
}

/// Reads one JUnit XML report. Errors: not XML, a document type, or larger than 16 MiB.
pub fn read_junit(xml: &str) -> Result<TestReport, String> {
    if xml.len() > MAX_BYTES {
        return Err(format!(
            "the report has {} bytes, and at most {MAX_BYTES} are read",
            xml.len()
        ));
    }
    let mut reader = Reader::from_str(xml);
    let mut report = TestReport::of("junit");
    let mut open: Option<Open> = None;
    let (mut depth, mut is_junit) = (0_usize, false);
    loop {
        let at = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|why| format!("the report is no XML at byte {at}: {why}"))?;
        match event {
            Event::DocType(_) => return Err("the report has a document type, which is not read".to_owned()),
            Event::Start(tag) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("the report is more than {MAX_DEPTH} levels deep"));
                }
                is_junit |= matches!(tag.local_name().as_ref(), "testsuite" | "testsuites");
                begin(&tag, &mut open);
            }
            Event::Empty(tag) => {
                is_junit |= matches!(tag.local_name().as_ref(), "testsuite" | "testsuites");
                begin(&tag, &mut open);
                if tag.local_name().as_ref() == "testcase" {
                    finish(&mut open, &mut report);
                }
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                if tag.local_name().as_ref() == "testcase" {
                    finish(&mut open, &mut report);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if depth > 0 {
        return Err("the report ends before it is complete".to_owned());
    }
    if !is_junit {
        return Err("the report is XML, but no JUnit report: it has no `testsuite`".to_owned());
    }
    Ok(report)
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = tag.try_get_attribute(name).ok().flatten();
    found
        .and_then(|value| {
            value
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()
                .map(|text| text.into_owned())
        })
        .unwrap_or_default()
}

fn begin(tag: &BytesStart<'_>, open: &mut Option<Open>) {
    match (tag.local_name().as_ref(), open.as_mut()) {
        ("testcase", _) => {
            let (class, name) = (attribute(tag, "classname"), attribute(tag, "name"));
            let name = if class.is_empty() {
                name
            } else {
                format!("{class}.{name}")
            };
            *open = Some(Open {
                name,
                status: TestStatus::Passed,
                load_error: None,
            });
        }
        ("skipped", Some(test)) => test.status = TestStatus::Skipped,
        ("failure" | "error", Some(test)) => {
            test.status = TestStatus::Failed;
            let message = attribute(tag, "message");
            if message.contains("collection failure")
                || super::PYTHON_LOAD.is_match(&message)
                || super::SCRIPT_LOAD.is_match(&message)
            {
                test.load_error = Some(message);
            }
        }
        _ => {}
    }
}

fn finish(open: &mut Option<Open>, report: &mut TestReport) {
    let Some(test) = open.take() else { return };
    match test.load_error {
        Some(why) => report.load_error(format!("{}: {why}", test.name)),
        None => report.result(&test.name, test.status),
    }
}
