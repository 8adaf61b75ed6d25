-- What activities have used: kept beyond their purge. One row for each job that an activity has had; times are seconds
-- since the epoch.

CREATE TABLE usage (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    activity TEXT NOT NULL,
    run INTEGER NOT NULL,   -- 0, and one more for each job after a restart
    owner TEXT NOT NULL,
    account TEXT,
    name TEXT,
    resource TEXT,
    queue TEXT,
    native_id TEXT,
    state TEXT NOT NULL,
    exit_code INTEGER,
    created REAL NOT NULL,
    submitted REAL,
    started REAL,
    ended REAL,
    final_at REAL NOT NULL, -- what a period is about
    nodes INTEGER,
    processes INTEGER,
    cores INTEGER,
    cpu_seconds REAL,
    wall_seconds REAL,
    core_seconds REAL,
    max_rss INTEGER,
    hosts TEXT,             -- JSON
    UNIQUE (activity, run)
) STRICT;

CREATE INDEX usage_by_time ON usage (final_at, number);
CREATE INDEX usage_by_owner ON usage (owner, final_at, number);

-- Of what has ended before there was this table.
INSERT INTO usage (activity, run, owner, name, resource, queue, native_id, state, exit_code, created, submitted, started,
    ended, final_at, cpu_seconds, wall_seconds, max_rss, hosts)
SELECT id, 0, owner, name, resource, rest ->> '$.queue', native_id, state, rest ->> '$.exit_code', created,
    rest ->> '$.submitted', rest ->> '$.started', rest ->> '$.ended', coalesce(rest ->> '$.final_at', changed),
    rest ->> '$.usage.cpu_seconds',
    coalesce(rest ->> '$.usage.wall_seconds', (rest ->> '$.ended') - (rest ->> '$.started')),
    rest ->> '$.usage.max_rss', rest -> '$.hosts'
FROM activity WHERE final = 1;
