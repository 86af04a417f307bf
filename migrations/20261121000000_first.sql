-- Times are Unix milliseconds, money is millionths of a US dollar, JSON is text, flags are 0 or 1.

CREATE TABLE loops (
    name TEXT PRIMARY KEY NOT NULL,
    version TEXT NOT NULL,                 -- hash of the resolved spec
    spec TEXT NOT NULL,                    -- the resolved spec, JSON
    path TEXT NOT NULL,                    -- the file that it came from
    paused_at BIGINT,
    updated_at BIGINT NOT NULL
);

CREATE TABLE runs (
    id TEXT PRIMARY KEY NOT NULL,
    loop TEXT NOT NULL,
    version TEXT NOT NULL,
    trigger_kind TEXT NOT NULL CHECK (trigger_kind IN ('person', 'schedule', 'webhook')),
    base TEXT,                             -- the base commit that it works from
    state TEXT NOT NULL,                   -- loops::run::RunState, JSON
    phase TEXT NOT NULL,                   -- its phase, for queries
    report TEXT,                           -- what the lead agent said at the end
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX runs_one_open ON runs (loop) WHERE ended_at IS NULL;
CREATE INDEX runs_by_loop ON runs (loop, started_at, id);
CREATE INDEX runs_by_time ON runs (started_at, id);

CREATE TABLE ticks (
    loop TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    receipt TEXT NOT NULL CHECK (receipt IN ('running', 'ran', 'skipped', 'failed')),
    why TEXT,
    run TEXT,
    PRIMARY KEY (loop, due_at)
);

CREATE TABLE cursors (
    loop TEXT NOT NULL,
    source TEXT NOT NULL,
    cursor TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (loop, source)
);

CREATE TABLE findings (
    id TEXT PRIMARY KEY NOT NULL,
    loop TEXT NOT NULL,
    title TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    cluster TEXT NOT NULL,                 -- what the clustering keeps of it, JSON
    state TEXT NOT NULL CHECK (state IN ('open', 'working', 'proposed', 'fixed', 'refused', 'merged')),
    score DOUBLE PRECISION NOT NULL,
    score_parts TEXT NOT NULL,             -- JSON
    signals BIGINT NOT NULL,
    reporters BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    merged_into TEXT,
    refused_why TEXT,
    never BIGINT NOT NULL DEFAULT 0,
    considered BIGINT NOT NULL DEFAULT 0,  -- how many signals it had when a run last looked at it in vain
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX findings_by_loop ON findings (loop, state, score);
CREATE INDEX findings_by_fingerprint ON findings (loop, fingerprint);

CREATE TABLE signals (
    loop TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    edition BIGINT NOT NULL,               -- 1, and one more for each edit
    at BIGINT NOT NULL,
    author TEXT,
    voice TEXT NOT NULL CHECK (voice IN ('person', 'machine')),
    text TEXT NOT NULL,
    url TEXT,
    reactions TEXT NOT NULL,               -- JSON
    labels TEXT NOT NULL,                  -- JSON
    thread TEXT,
    noise TEXT,                            -- why it is no evidence of a problem
    finding TEXT,
    salt TEXT NOT NULL,                    -- of the ledger's digest of the text
    read_at BIGINT NOT NULL,
    erased_at BIGINT,                      -- its words were taken away, and stay away
    PRIMARY KEY (loop, id)
);
CREATE INDEX signals_by_finding ON signals (finding);
CREATE INDEX signals_unassigned ON signals (loop, at) WHERE finding IS NULL AND noise IS NULL;

CREATE TABLE handed (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,                -- F1, F2 … within the run
    finding TEXT NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE TABLE tasks (
    id TEXT PRIMARY KEY NOT NULL,
    run TEXT NOT NULL,
    loop TEXT NOT NULL,
    number BIGINT NOT NULL,                -- T1, T2 … within the run
    call_id TEXT NOT NULL,                 -- what spawned it: the lead's tool call, or the finding
    worker TEXT NOT NULL,
    title TEXT NOT NULL,
    goal TEXT NOT NULL,
    acceptance TEXT NOT NULL,              -- JSON
    findings TEXT NOT NULL,                -- JSON
    write_globs TEXT NOT NULL,             -- JSON
    state TEXT NOT NULL,
    why TEXT,                              -- of a state that needs words
    words TEXT,                            -- what somebody wants different in the next attempt
    words_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (run, call_id),
    UNIQUE (run, number)
);

CREATE TABLE attempts (
    id TEXT PRIMARY KEY NOT NULL,
    task TEXT,                             -- none: the lead agent's session
    run TEXT NOT NULL,
    loop TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('lead', 'work', 'prove', 'review')),
    number BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'lost')),
    backend TEXT,
    model TEXT,
    effort TEXT,
    spec_version TEXT NOT NULL,
    prompt_version TEXT,
    rehearsed BIGINT NOT NULL DEFAULT 0,
    words TEXT,                            -- what it was sent back with
    summary TEXT,
    ending TEXT,
    base TEXT,
    tree TEXT,
    caveats TEXT NOT NULL DEFAULT '[]',    -- JSON
    todo TEXT NOT NULL DEFAULT '[]',       -- JSON
    doing TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX attempts_by_task ON attempts (task, number);
CREATE INDEX attempts_by_run ON attempts (run, started_at);

CREATE TABLE transcripts (
    attempt TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    entry TEXT NOT NULL,                   -- workers::order::Entry, JSON
    PRIMARY KEY (attempt, number)
);

CREATE TABLE turns (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    message TEXT NOT NULL,                 -- one message of the lead agent's conversation, JSON
    at BIGINT NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE TABLE evidence (
    attempt TEXT NOT NULL,                 -- the proving or reviewing attempt
    number BIGINT NOT NULL,
    task TEXT NOT NULL,
    of_attempt TEXT NOT NULL,              -- the working attempt that it is about
    evidence TEXT NOT NULL,                -- loops::evidence::Evidence, JSON
    PRIMARY KEY (attempt, number)
);
CREATE INDEX evidence_by_task ON evidence (task, of_attempt);

CREATE TABLE baselines (
    repository TEXT NOT NULL,
    base TEXT NOT NULL,
    checks TEXT NOT NULL,                  -- digest of what was run, and how
    baseline TEXT NOT NULL,                -- JSON
    at BIGINT NOT NULL,
    PRIMARY KEY (repository, base, checks)
);

CREATE TABLE proposals (
    id TEXT PRIMARY KEY NOT NULL,
    loop TEXT NOT NULL,
    run TEXT NOT NULL,
    task TEXT NOT NULL,
    attempt TEXT NOT NULL,
    finding TEXT NOT NULL,
    branch TEXT NOT NULL,
    base_branch TEXT NOT NULL,
    base TEXT NOT NULL,
    head TEXT NOT NULL,                    -- the proposed commit
    title TEXT NOT NULL,
    body TEXT NOT NULL,                    -- the page, Markdown
    state TEXT NOT NULL CHECK (state IN ('preparing', 'open', 'revising', 'approved', 'merged', 'rejected')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX proposals_one_open ON proposals (finding) WHERE state IN ('preparing', 'open', 'revising', 'approved');
CREATE UNIQUE INDEX proposals_by_task ON proposals (task);
CREATE INDEX proposals_by_loop ON proposals (loop, state);

CREATE TABLE decisions (
    id TEXT PRIMARY KEY NOT NULL,
    proposal TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'revise', 'reject', 'never')),
    words TEXT,
    who TEXT NOT NULL,
    head TEXT NOT NULL,                    -- the commit that they saw
    at BIGINT NOT NULL
);
CREATE INDEX decisions_by_proposal ON decisions (proposal, at);

CREATE TABLE outbox (
    key TEXT PRIMARY KEY NOT NULL,
    effect TEXT NOT NULL,                  -- JSON
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    tries BIGINT NOT NULL DEFAULT 0,
    why TEXT,
    decided_at BIGINT NOT NULL,
    done_at BIGINT
);
CREATE INDEX outbox_pending ON outbox (decided_at) WHERE state = 'pending';

CREATE TABLE calls (
    id TEXT PRIMARY KEY NOT NULL,
    attempt TEXT NOT NULL,
    task TEXT,
    run TEXT NOT NULL,
    loop TEXT NOT NULL,
    model TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'estimated', 'released')),
    reserved BIGINT NOT NULL,
    cost BIGINT NOT NULL,                  -- what counts: the reservation until it is settled
    input_tokens BIGINT NOT NULL DEFAULT 0,
    output_tokens BIGINT NOT NULL DEFAULT 0,
    cache_read_tokens BIGINT NOT NULL DEFAULT 0,
    cache_write_tokens BIGINT NOT NULL DEFAULT 0,
    rehearsed BIGINT NOT NULL DEFAULT 0,
    at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX calls_by_run ON calls (run);
CREATE INDEX calls_by_attempt ON calls (attempt);
CREATE INDEX calls_by_task ON calls (task);
CREATE INDEX calls_by_loop ON calls (loop, at);
CREATE INDEX calls_open ON calls (at) WHERE state = 'reserved';

