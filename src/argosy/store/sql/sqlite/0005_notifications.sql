-- Who is to be told of what, and what has not been told yet. Times are seconds since the epoch.

CREATE TABLE subscription (
    pk INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    activity TEXT,        -- the only one it is about; no reference: what is not delivered yet outlives a purge
    host TEXT NOT NULL,   -- SCHEME://NAME:PORT
    secret TEXT NOT NULL,
    ended REAL,
    body TEXT NOT NULL    -- JSON of the rest
) STRICT;

CREATE INDEX subscription_by_owner ON subscription (owner, id);
CREATE INDEX subscription_telling ON subscription (owner, activity) WHERE ended IS NULL;
CREATE INDEX subscription_by_activity ON subscription (activity) WHERE activity IS NOT NULL;
CREATE INDEX subscription_ended ON subscription (ended) WHERE ended IS NOT NULL;

-- The outbox. What one subscription is told of one activity goes in order: only the first of them is `next`.
CREATE TABLE delivery (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription INTEGER NOT NULL REFERENCES subscription (pk) ON DELETE CASCADE,
    activity TEXT NOT NULL,
    seq INTEGER NOT NULL,  -- the event's
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('behind', 'next', 'dead')),
    created REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    words TEXT,            -- why the last attempt failed
    died REAL,
    payload TEXT NOT NULL
) STRICT;

CREATE INDEX delivery_in_line ON delivery (subscription, activity, pk);
CREATE INDEX delivery_next ON delivery (host, due) WHERE stage = 'next';
CREATE INDEX delivery_waiting ON delivery (subscription, stage) WHERE stage <> 'dead';
CREATE INDEX delivery_dead ON delivery (owner, pk, stage) WHERE stage = 'dead';
CREATE INDEX delivery_died ON delivery (died) WHERE stage = 'dead';
