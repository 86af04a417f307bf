//! JUnit XML, as most runners write it on demand. It was written by the code under test, so nothing in it is
//! resolved: no document types, no entities but those of XML itself.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
};

use super::{TestReport, TestStatus};

/// The largest report that is read.
const MAX_BYTES: usize = 16 << 20;

/// Deeper ones are no reports.
const MAX_DEPTH: usize = 64;

/// Of what a failure says, so much is kept, in bytes.
const MAX_WORDS: usize = 16 << 10;

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTest {
    /// Its class, if one is written, a dot and its name.
    pub name: String,
    /// What its failure says: the message, then the text below it; at most 16 KiB.
    pub words: String,
}

/// A test case that has begun.
struct Case {
    name: String,
    status: TestStatus,
    words: String,
    load_error: Option<String>,
}

/// Reads one JUnit XML report. Errors: not XML, a document type, or larger than 16 MiB.
pub fn read_junit(xml: &str) -> Result<TestReport, String> {
    let mut report = TestReport::of("junit");
    cases(xml, |case| match case.load_error {
        Some(why) => report.load_error(format!("{}: {why}", case.name)),
        None => report.result(&case.name, case.status),
    })?;
    Ok(report)
}

/// The failed tests of a JUnit XML report, with what they say. Errors: as of [`read_junit`].
pub fn junit_failures(xml: &str) -> Result<Vec<FailedTest>, String> {
    let mut failed = Vec::new();
    cases(xml, |case| {
        if case.status == TestStatus::Failed && failed.len() < super::MAX_RESULTS {
            failed.push(FailedTest {
                name: case.name,
                words: case.words,
            });
        }
    })?;
    Ok(failed)
}

/// Gives `each` the test cases of a report, in order.
fn cases(xml: &str, mut each: impl FnMut(Case)) -> Result<(), String> {
    if xml.len() > MAX_BYTES {
        return Err(format!(
            "the report has {} bytes, and at most {MAX_BYTES} are read",
            xml.len()
        ));
    }
    let mut reader = Reader::from_str(xml);
    let mut open: Option<Case> = None;
    let (mut depth, mut is_junit, mut in_failure) = (0_usize, false, false);
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
                in_failure = matches!(tag.local_name().as_ref(), "failure" | "error");
                begin(&tag, &mut open);
            }
            Event::Empty(tag) => {
                is_junit |= matches!(tag.local_name().as_ref(), "testsuite" | "testsuites");
                begin(&tag, &mut open);
                if tag.local_name().as_ref() == "testcase"
                    && let Some(case) = open.take()
                {
                    each(case);
                }
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                in_failure = false;
                if tag.local_name().as_ref() == "testcase"
                    && let Some(case) = open.take()
                {
                    each(case);
                }
            }
            Event::Text(text) if in_failure => says(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
            Event::CData(text) if in_failure => says(&mut open, &text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(name) if in_failure => says(&mut open, &meant(&name)),
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
    Ok(())
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let found = tag.try_get_attribute(name).ok().flatten();
    found
        .and_then(|value| {
            value
                .normalized_value(XmlVersion::Implicit1_0)
                .ok()
                .map(|text| text.into_owned())
        })
        .unwrap_or_default()
}

/// What a reference stands for; other entities than those of XML itself stand for nothing.
fn meant(name: &BytesRef<'_>) -> String {
    match name.resolve_char_ref() {
        Ok(Some(letter)) => letter.to_string(),
        _ => resolve_predefined_entity(name).unwrap_or_default().to_owned(),
    }
}

/// Adds to what the open case's failure says, as far as there is room.
fn says(open: &mut Option<Case>, more: &str) {
    if let Some(case) = open {
        let room = MAX_WORDS.saturating_sub(case.words.len());
        case.words.push_str(&more[..more.floor_char_boundary(room)]);
    }
}

fn begin(tag: &BytesStart<'_>, open: &mut Option<Case>) {
    match (tag.local_name().as_ref(), open.as_mut()) {
        ("testcase", _) => {
            let (class, name) = (attribute(tag, "classname"), attribute(tag, "name"));
            let name = if class.is_empty() {
                name
            } else {
                format!("{class}.{name}")
            };
            *open = Some(Case {
                name,
                status: TestStatus::Passed,
                words: String::new(),
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
                test.load_error = Some(message.clone());
            }
            if !message.is_empty() {
                says(open, &format!("{}\n", message.trim_end()));
            }
        }
        _ => {}
    }
}
