-- Sweeps: many activities of one request. `next` is the number of the first job that is not made yet; it moves in the
-- transaction that makes activities. The counts of ended activities move in the transactions that end them.

CREATE TABLE sweep (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    final INTEGER NOT NULL CHECK (final IN (0, 1)),
    version INTEGER NOT NULL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    total INTEGER NOT NULL,
    next INTEGER NOT NULL CHECK (next <= total),
    refused INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    nonzero INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    terminated INTEGER NOT NULL DEFAULT 0,
    purging INTEGER NOT NULL DEFAULT 0,
    expires REAL,
    worker TEXT,
    rest TEXT NOT NULL   -- JSON of the fields that nobody searches by
) STRICT;

CREATE INDEX sweep_by_owner ON sweep (owner, id);
CREATE INDEX sweep_unfinished ON sweep (worker, id) WHERE final = 0 OR purging = 1;
CREATE INDEX sweep_expiring ON sweep (expires) WHERE final = 1 AND expires IS NOT NULL;

CREATE TABLE sweep_document (
    sweep INTEGER PRIMARY KEY REFERENCES sweep (pk) ON DELETE CASCADE,
    language TEXT NOT NULL,
    strict INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE sweep_event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep INTEGER NOT NULL REFERENCES sweep (pk) ON DELETE CASCADE,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    by TEXT,
    job INTEGER          -- the number of the job that it is about
) STRICT;

CREATE INDEX sweep_event_by_sweep ON sweep_event (sweep, seq);

-- The id of the sweep, not a reference: an activity outlives its sweep's record where somebody removes only that.
ALTER TABLE activity ADD COLUMN sweep TEXT;
CREATE INDEX activity_by_sweep ON activity (sweep, state, id) WHERE sweep IS NOT NULL;
