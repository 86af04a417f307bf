//! What an attempt left: a git tree against the base commit, read as a diff.
