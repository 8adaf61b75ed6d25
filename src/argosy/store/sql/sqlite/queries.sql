-- The fixed queries by name. What is put together at run time (listings, the columns of a change) is in listing.py
-- and operations.py.

-- name: any_key
SELECT 1 FROM submission_key WHERE owner = ? AND key IN (SELECT value FROM json_each(?)) LIMIT 1

-- name: insert_key
INSERT INTO submission_key (owner, key, activity, digest, expires) VALUES (?, ?, ?, ?, ?)

-- name: take_key
-- One that is over by then is free for another.
INSERT INTO submission_key (owner, key, activity, digest, expires) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET activity = excluded.activity, digest = excluded.digest, expires = excluded.expires
WHERE submission_key.expires <= ?

-- name: select_key
SELECT activity, digest FROM submission_key WHERE owner = ? AND key = ?

-- name: insert_activity
INSERT INTO activity
(id, owner, state, final, version, created, changed, name, resource, native_id, expires, worker, tags, rest, sweep)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_description
INSERT INTO description (activity, body) VALUES (?, ?)

-- name: insert_tag
INSERT INTO tag (activity, key, value, owner, id) VALUES (?, ?, ?, ?, ?)

-- name: delete_tags
DELETE FROM tag WHERE activity = ?

-- name: insert_event
INSERT INTO event (activity, owner, time, kind, state, message, by, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: select_for_change
SELECT pk, owner, state, version, created, name, resource, native_id, expires, worker, tags, sweep
FROM activity WHERE id = ?

-- name: select_activity
SELECT id, owner, state, version, created, changed, name, resource, expires, worker, tags, rest
FROM activity WHERE id = ?

-- name: select_activities
SELECT id, owner, state, version, created, changed, name, resource, expires, worker, tags, rest
FROM activity WHERE id IN (SELECT value FROM json_each(?))

-- name: select_description
SELECT body FROM activity JOIN description ON description.activity = activity.pk WHERE activity.id = ?

-- name: first_unfinished
SELECT id FROM activity WHERE id IN (SELECT value FROM json_each(?)) AND final = 0 LIMIT 1

-- name: delete_activities
DELETE FROM activity WHERE id IN (SELECT value FROM json_each(?))

-- name: select_expired
SELECT id FROM activity INDEXED BY activity_expiring
WHERE final = 1 AND expires IS NOT NULL AND expires <= ? ORDER BY expires LIMIT ?

-- name: any_expired_key
SELECT EXISTS (SELECT 1 FROM submission_key WHERE expires <= ?)

-- name: delete_expired_keys
DELETE FROM submission_key WHERE (owner, key) IN
(SELECT owner, key FROM submission_key WHERE expires <= ? ORDER BY expires LIMIT ?)

-- name: last_created_before
SELECT id FROM activity INDEXED BY activity_by_created WHERE created < ? ORDER BY created DESC, id DESC LIMIT 1

-- name: first_created_from
SELECT id FROM activity INDEXED BY activity_by_created WHERE created >= ? ORDER BY created, id LIMIT 1

-- name: count_all
SELECT count(*) FROM activity

-- name: count_states
SELECT count(*) FROM activity WHERE state IN (SELECT value FROM json_each(?))

-- name: tally
SELECT resource, state, count(*) FROM activity INDEXED BY activity_unfinished WHERE final = 0 GROUP BY resource, state

-- name: beat
INSERT INTO worker (name, until) VALUES (?, ?)
ON CONFLICT DO UPDATE SET until = max(until, excluded.until)

-- name: retire
DELETE FROM worker WHERE name = ?

-- name: retire_all
DELETE FROM worker

-- name: absent_workers
-- Each worker that has unfinished activities in hand is found by one step into the index, not by reading all of it.
WITH RECURSIVE busy (name) AS (
    SELECT min(worker) FROM activity INDEXED BY activity_unfinished WHERE final = 0
    UNION ALL
    SELECT (SELECT min(worker) FROM activity INDEXED BY activity_unfinished WHERE final = 0 AND worker > busy.name)
    FROM busy WHERE busy.name IS NOT NULL
)
SELECT name FROM busy
WHERE name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM worker WHERE worker.name = busy.name AND until >= ?)

-- name: select_in_hand
SELECT id FROM activity INDEXED BY activity_unfinished WHERE final = 0 AND worker IS ? ORDER BY id LIMIT ?

-- name: take
UPDATE activity SET worker = ?, version = version + 1 WHERE id = ?

-- name: events_of_activity
SELECT ?1, time, kind, state, message, by, detail, seq FROM event INDEXED BY event_by_activity
WHERE activity = (SELECT pk FROM activity WHERE id = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3

-- name: events_of_owner
SELECT activity.id, time, kind, event.state, message, by, detail, seq
FROM event INDEXED BY event_by_owner CROSS JOIN activity ON activity.pk = event.activity
WHERE event.owner = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: events_of_all
SELECT activity.id, time, kind, event.state, message, by, detail, seq
FROM event CROSS JOIN activity ON activity.pk = event.activity
WHERE seq > ? ORDER BY seq LIMIT ?

-- name: last_seq
SELECT coalesce((SELECT max(seq) FROM event), 0)

-- name: insert_chore
INSERT INTO chore (kind, payload) VALUES (?, ?)

-- name: select_chores
SELECT id, kind, payload, attempts, due FROM chore WHERE due <= ? ORDER BY due, id LIMIT ?

-- name: delete_chores
DELETE FROM chore WHERE id IN (SELECT value FROM json_each(?))

-- name: defer_chore
UPDATE chore SET due = ?, attempts = attempts + 1 WHERE id = ?

-- name: insert_credential
INSERT INTO credential (id, owner, kind, version, created, changed, expires, renew_at, sealed, rest)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE (SELECT count(*) FROM credential WHERE owner = ?2) < ?11

-- name: select_credential
SELECT id, owner, kind, version, created, changed, expires, renew_at, sealed, rest FROM credential WHERE id = ?

-- name: credentials_of_owner
SELECT id, owner, kind, version, created, changed, expires, renew_at, sealed, rest
FROM credential WHERE owner = ? ORDER BY created, id

-- name: update_credential
-- Its owner, kind and time of creation stay.
UPDATE credential SET version = ?4 + 1, changed = ?6, expires = ?7, renew_at = ?8, sealed = ?9, rest = ?10
WHERE id = ?1 AND owner = ?2 AND kind = ?3 AND version = ?4 AND created = ?5

-- name: delete_credential
DELETE FROM credential WHERE id = ?

-- name: due_credentials
SELECT id, owner, kind, version, created, changed, expires, renew_at, sealed, rest
FROM credential WHERE renew_at IS NOT NULL AND renew_at <= ? ORDER BY renew_at LIMIT ?

-- name: any_old_credential
SELECT EXISTS (SELECT 1 FROM credential WHERE expires IS NOT NULL AND expires < ?)

-- name: delete_old_credentials
DELETE FROM credential WHERE expires IS NOT NULL AND expires < ?
