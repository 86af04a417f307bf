//! Requests against a small server of this test, which answers what it was told to.
