//! Two bugs in JavaScript, tested with the runner that comes with Node.

use harness::world::{LoopFile, Said, World, zipped};
use serde_json::json;

use super::{PROVEN, attempts, evidence, look_and_approve};
use crate::cast::{approves, lead, run};

const CHECK: &str = "node --test";

#[tokio::test]
async fn what_the_reviewer_refutes_goes_back_once_and_the_better_fix_is_merged() {
    const TITLE: &str = "Keep every part of a search";
    const TEST: &str = "const test = require(\"node:test\");\nconst assert = require(\"node:assert\");\nconst { parse } = \
                        require(\"../query.js\");\n\ntest(\"reads a pair\", () => {\n  \
                        assert.deepStrictEqual(parse(\"a=1\"), { a: \"1\" });\n});\n";
    let world = World::start().await;
    let origin = world.repository(&[
        ("package.json", "{ \"name\": \"search\", \"private\": true }\n"),
        (
            "query.js",
            "function parse(query) {\n  const found = {};\n  for (const pair of query.split(\"&\")) {\n    const [name, \
             value] = pair.split(\"=\");\n    found[name] = value;\n  }\n  return found;\n}\n\nmodule.exports = { parse \
             };\n",
        ),
        ("test/query.test.js", TEST),
    ]);
    let said = [
        Said::by(
            "hana",
            "Searching for \"a=b\" finds nothing, everything after the second equals sign is cut off",
        ),
        Said::by(
            "ivo",
            "search cuts everything after the second equals sign off, so searching for x=y=z finds nothing",
        ),
        Said::by("jo", "ok, thanks"),
    ];
    zipped(&world.path("export.zip"), "search-feedback", &said);
    world.define(&LoopFile::new("fix", CHECK).source("../export.zip"));
    world.lead(|s| lead(s, "query.js", TITLE, "parse(\"q=a=b\") is { q: \"a=b\" }"));

    let added = "\ntest(\"keeps an equals sign in a value\", () => {\n  assert.deepStrictEqual(parse(\"q=a=b\"), { q: \
                 \"a=b\" });\n});\n";
    let more = "\ntest(\"keeps every equals sign\", () => {\n  assert.deepStrictEqual(parse(\"q=a=b=c\"), { q: \
                \"a=b=c\" });\n});\n";
    let concern = "query.js:4: parse(\"q=a=b=c\") is still cut after the third equals sign";
    world.worker_told(TITLE, concern, |s| {
        s.calls([
            (
                "edit",
                json!({"path": "query.js", "old": "const [name, value, rest] = pair.split(\"=\");\n    found[name] = \
                       rest === undefined ? value : `${value}=${rest}`;", "new": "const [name, ...rest] = \
                       pair.split(\"=\");\n    found[name] = rest.join(\"=\");"}),
            ),
            ("write", json!({"path": "test/query.test.js", "content": format!("{TEST}{added}{more}")})),
        ])
        .call("run", json!({"command": CHECK}))
        .say("Everything after the first equals sign is the value now.")
    });
    world.worker(TITLE, |s| {
        s.calls([
            (
                "edit",
                json!({"path": "query.js", "old": "const [name, value] = pair.split(\"=\");\n    found[name] = value;",
                       "new": "const [name, value, rest] = pair.split(\"=\");\n    found[name] = rest === undefined ? \
                       value : `${value}=${rest}`;"}),
            ),
            ("write", json!({"path": "test/query.test.js", "content": format!("{TEST}{added}")})),
        ])
        .call("run", json!({"command": CHECK}))
        .say("A value keeps its equals sign.")
    });
    world.reviewer_of(TITLE, "rest.join", |s| approves(s, "query.js"));
    world.reviewer(TITLE, |s| {
        s.call("read", json!({"path": "query.js"})).call(
            "verdict",
            json!({"approve": false, "concerns": [concern], "summary": "Only the second equals sign is kept."}),
        )
    });

    let run = run(&world).await;
    assert_eq!(
        attempts(&run),
        ["work", "prove", "review", "work", "prove", "review"]
    );
    assert_eq!(evidence(&run), PROVEN, "of the change that is proposed");
    assert_eq!(run["findings"][0]["reporters"], 2, "{run:#}");
    look_and_approve(&world, &origin, &run, "query.js", "rest.join(\"=\")", CHECK).await;
    world.close().await;
}

#[tokio::test]
async fn a_change_beyond_its_boundaries_is_sent_back_and_the_right_file_is_mended() {
    const TITLE: &str = "Show the last page";
    const TEST: &str = "import test from \"node:test\";\nimport assert from \"node:assert\";\nimport { pages } from \
                        \"../src/pages.js\";\n\ntest(\"counts full pages\", () => {\n  assert.equal(pages(20, 10), \
                        2);\n});\n";
    let world = World::start().await;
    let origin = world.repository(&[
        (
            "package.json",
            "{ \"name\": \"list\", \"private\": true, \"type\": \"module\" }\n",
        ),
        (
            "src/pages.js",
            "export function pages(items, size) {\n  return Math.floor(items / size);\n}\n",
        ),
        ("settings/size.js", "export const SIZE = 10;\n"),
        ("test/pages.test.js", TEST),
    ]);
    world.define(&LoopFile::new("fix", CHECK).write(["src/**", "test/**"]));
    world.feedback(&[
        Said::by(
            "kim",
            "The last page of the order list is missing, my oldest five orders cannot be reached",
        ),
        Said::by(
            "lou",
            "I cannot reach my oldest orders: the last page of the order list is missing",
        ),
    ]);
    world.lead(|s| lead(s, "src/pages.js", TITLE, "pages(25, 10) is 3"));
    let test =
        format!("{TEST}\ntest(\"counts the last page\", () => {{\n  assert.equal(pages(25, 10), 3);\n}});\n");
    world.worker_told(TITLE, "settings/size.js", |s| {
        s.call(
            "write",
            json!({"path": "settings/size.js", "content": "export const SIZE = 10;\n"}),
        )
        .call(
            "edit",
            json!({"path": "src/pages.js", "old": "Math.floor", "new": "Math.ceil"}),
        )
        .call("run", json!({"command": CHECK}))
        .say("The page count is rounded up now; the page size is as it was.")
    });
    world.worker(TITLE, |s| {
        s.calls([
            (
                "write",
                json!({"path": "settings/size.js", "content": "export const SIZE = 1;\n"}),
            ),
            ("write", json!({"path": "test/pages.test.js", "content": test})),
        ])
        .call("run", json!({"command": "jest test"}))
        .say("With a size of 1 there is no last page that is missing.")
    });
    world.reviewer(TITLE, |s| approves(s, "src/pages.js"));

    let run = run(&world).await;
    assert_eq!(attempts(&run), ["work", "prove", "work", "prove", "review"]);
    assert_eq!(evidence(&run), PROVEN, "of the change that is proposed");
    let page = look_and_approve(&world, &origin, &run, "src/pages.js", "Math.ceil", CHECK).await;
    assert!(
        !page.stdout.contains("settings/size.js"),
        "what was taken back is no part of it: {page}"
    );
    world.close().await;
}
