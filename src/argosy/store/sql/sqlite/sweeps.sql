-- The fixed queries about sweeps, by name; see queries.sql.

-- name: insert_sweep
INSERT INTO sweep
(id, owner, state, final, version, created, changed, total, next, refused, finished, nonzero, failed, terminated,
 purging, expires, worker, rest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_sweep_document
INSERT INTO sweep_document (sweep, language, strict, body) VALUES (?, ?, ?, ?)

-- name: insert_sweep_event
INSERT INTO sweep_event (sweep, time, kind, state, message, by, job) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: select_sweep
SELECT pk, id, owner, state, final, version, created, changed, total, next, refused, finished, nonzero, failed,
terminated, purging, expires, worker, rest FROM sweep WHERE id = ?

-- name: select_sweep_document
SELECT language, strict, body FROM sweep JOIN sweep_document ON sweep_document.sweep = sweep.pk WHERE sweep.id = ?

-- name: sweeps_of_owner
SELECT pk, id, owner, state, final, version, created, changed, total, next, refused, finished, nonzero, failed,
terminated, purging, expires, worker, rest FROM sweep INDEXED BY sweep_by_owner
WHERE owner = ?1 AND id < ?2 AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3))) ORDER BY id DESC LIMIT ?4

-- name: sweeps_of_all
SELECT pk, id, owner, state, final, version, created, changed, total, next, refused, finished, nonzero, failed,
terminated, purging, expires, worker, rest FROM sweep
WHERE ?1 IS NULL AND id < ?2 AND (?3 IS NULL OR state IN (SELECT value FROM json_each(?3))) ORDER BY id DESC LIMIT ?4

-- name: states_of_sweep
SELECT state, count(*) FROM activity INDEXED BY activity_by_sweep
WHERE sweep = ? AND state IN (SELECT value FROM json_each(?)) GROUP BY state

-- name: expand_sweep
UPDATE sweep SET next = ?, refused = refused + ?, version = version + 1 WHERE pk = ?

-- name: count_ended
UPDATE sweep SET finished = finished + ?, nonzero = nonzero + ?, failed = failed + ?, terminated = terminated + ?
WHERE id = ?

-- name: update_sweep
UPDATE sweep SET state = ?, final = ?, version = ?, changed = ?, purging = ?, expires = ?, worker = ?, rest = ?
WHERE pk = ?

-- name: events_of_sweep
SELECT ?1, time, kind, state, message, by, job, seq FROM sweep_event INDEXED BY sweep_event_by_sweep
WHERE sweep = (SELECT pk FROM sweep WHERE id = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3

-- name: sweeps_to_take
SELECT id FROM sweep INDEXED BY sweep_unfinished
WHERE (final = 0 OR purging = 1)
AND (worker IS NULL OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.name = sweep.worker AND until >= ?)) ORDER BY id

-- name: take_sweep
UPDATE sweep SET worker = ?, version = version + 1 WHERE id = ?

-- name: expired_sweeps
SELECT id FROM sweep INDEXED BY sweep_expiring
WHERE final = 1 AND expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?

-- name: delete_sweep
DELETE FROM sweep WHERE id = ?
