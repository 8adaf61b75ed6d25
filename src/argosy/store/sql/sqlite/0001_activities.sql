-- Activities, their descriptions, events, tags and keys; workers; the outbox. Times are seconds since the epoch.

CREATE TABLE activity (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    final INTEGER NOT NULL CHECK (final IN (0, 1)),
    version INTEGER NOT NULL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    name TEXT,
    resource TEXT,
    expires REAL,
    worker TEXT,
    tags TEXT,           -- JSON, as shown; table `tag` is what is searched
    rest TEXT NOT NULL   -- JSON of the fields that nobody searches by
) STRICT;

-- Listings walk one of these backwards; each ends with the id, which is the order of a listing.
CREATE INDEX activity_by_owner ON activity (owner, id);
CREATE INDEX activity_by_owner_state ON activity (owner, state, id);
CREATE INDEX activity_by_owner_name ON activity (owner, name, id) WHERE name IS NOT NULL;
CREATE INDEX activity_by_state ON activity (state, id);
CREATE INDEX activity_by_created ON activity (created, id);
CREATE INDEX activity_unfinished ON activity (worker, id) WHERE final = 0;
CREATE INDEX activity_expiring ON activity (expires) WHERE final = 1 AND expires IS NOT NULL;

-- The last line of defence; `change` answers before it comes to this.
CREATE TRIGGER activity_final_absorbs BEFORE UPDATE OF state ON activity
WHEN OLD.final = 1 AND NEW.state <> OLD.state
BEGIN
    SELECT raise(ABORT, 'a final state cannot be left');
END;

-- Apart from `activity`, so that a change of state does not write it again.
CREATE TABLE description (
    activity INTEGER PRIMARY KEY REFERENCES activity (pk) ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE tag (
    activity INTEGER NOT NULL REFERENCES activity (pk) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (activity, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_by_owner ON tag (owner, key, value, id);
CREATE INDEX tag_by_value ON tag (key, value, id);

-- AUTOINCREMENT: a number is never given twice, even after the newest events were purged.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    activity INTEGER NOT NULL REFERENCES activity (pk) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    by TEXT,
    detail TEXT
) STRICT;

CREATE INDEX event_by_activity ON event (activity, seq);
CREATE INDEX event_by_owner ON event (owner, seq);

-- `activity` is the id, not a reference: a key outlives its activity.
CREATE TABLE submission_key (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    activity TEXT NOT NULL,
    digest BLOB NOT NULL,
    expires REAL NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX submission_key_expiring ON submission_key (expires);

CREATE TABLE worker (
    name TEXT PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chore (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX chore_due ON chore (due, id);
