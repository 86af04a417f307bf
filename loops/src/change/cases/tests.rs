use super::*;

fn shown(source: &str, language: Language) -> Vec<String> {
    let cases = read(source, language).unwrap();
    cases
        .cases
        .iter()
        .map(|case| {
            let marks: Vec<String> = case
                .marks
                .iter()
                .map(|mark| format!(" {:?}@{}", mark.kind, mark.line))
                .collect();
            let texts: Vec<&str> = case
                .assertions
                .iter()
                .map(|assertion| assertion.text.as_str())
                .collect();
            format!(
                "{}{} {}{} {texts:?}",
                if case.is_test { "" } else { "~" },
                case.line,
                case.name,
                marks.concat()
            )
        })
        .collect()
}

#[test]
fn python_is_read_by_its_indentation() {
    let source = "
class A(TestCase):
    '''def test_not(self): pass'''
    @skip('x')
    def test_a(self):
        text = \"\"\"
def test_neither():
    assert False
\"\"\"
        assert f(
            1,
        ) == [2,
3]  # note
        with self.assertRaises(E):
            g()

    def helper(self): return 1

async def test_b(x):
    assert x
";
    assert_eq!(
        shown(source, Language::Python),
        [
            "5 A.test_a Skip@4 [\"assert f( 1, ) == [2, 3]\", \"self.assertRaises(E):\"]",
            "~17 A.helper []",
            "19 test_b [\"assert x\"]",
        ]
    );
}

#[test]
fn javascript_is_read_by_its_calls() {
    let source = "
describe(`cart ${x}`, function () {
  it('a', async () => {
    // expect(0).toBe(1)
    expect(f('}'))
      .toBe(1);
    if (/\\/[)]/.test(s)) { expect(s).toMatch(/a/) }
  });
  it.each([[1], [2]])('b %i', (n) => expect(n).toBe(n));
  it('pending');
});
";
    assert_eq!(
        shown(source, Language::JavaScript),
        [
            "3 cart ${x} > a [\"expect(f('}')) .toBe(1)\", \"expect(s).toMatch(/a/)\"]",
            "9 cart ${x} > b %i [\"expect(n).toBe(n)\"]",
            "10 cart ${x} > pending Skip@10 []",
        ]
    );
}

#[test]
fn rust_is_read_by_its_attributes() {
    let source = "
fn source() { assert!(true) }
#[cfg(test)]
mod tests {
    const S: &str = r#\"#[test] fn no() {}\"#;
    fn helper<'a>(c: char) -> bool { c == '{' }
    #[tokio::test(flavor = \"multi_thread\")]
    #[ignore = \"slow\"]
    async fn a() -> Result<(), E> {
        /* assert!(x) /* nested */ */
        assert_eq!(
            f(\"a // b\"),
            1,
        );
    }
}
";
    assert_eq!(
        shown(source, Language::Rust),
        [
            "~2 source [\"assert!(true)\"]",
            "~6 tests::helper []",
            "7 tests::a Skip@8 [\"assert_eq!( f(\\\"a // b\\\"), 1, )\"]",
        ]
    );
}

#[test]
fn nothing_after_a_return_is_asserted() {
    let cases = read(
        "def test_a():\n    assert a\n    return\n    assert b\n",
        Language::Python,
    )
    .unwrap();
    assert_eq!(cases.cases[0].assertions.len(), 1);
    let cases = read(
        "test('a', () => {\n  return expect(a).resolves.toBe(1);\n});\n",
        Language::JavaScript,
    )
    .unwrap();
    assert_eq!(cases.cases[0].assertions.len(), 1);
}

#[test]
fn a_file_that_is_too_tangled_is_not_judged() {
    assert!(read(&"test('a', () => {".repeat(2_000), Language::JavaScript).is_some());
    let nested = format!("{}{}", "test('a', () => {".repeat(2_000), "});".repeat(2_000));
    assert!(read(&nested, Language::JavaScript).is_none());
}
