-- What those who run the service ask the store.

-- name: count_sealed_credentials_out
-- A sealed secret begins with the name of its key.
SELECT count(*) FROM credential WHERE lower(hex(substr(sealed, 1, 4))) NOT IN (SELECT value FROM json_each(?))

-- name: select_setting
SELECT value FROM setting WHERE name = ?

-- name: set_setting
INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value

-- name: delete_setting
DELETE FROM setting WHERE name = ?

-- name: count_owned
SELECT count(*) FROM (SELECT 1 FROM activity INDEXED BY activity_by_owner WHERE owner = ? LIMIT ?)

-- name: count_unfinished
SELECT count(*) FROM (
    SELECT 1 FROM activity INDEXED BY activity_by_owner_state
    WHERE owner = ? AND state IN (SELECT value FROM json_each(?)) LIMIT ?
)

-- name: count_by_state
-- Each state is counted by walking its part of the index alone.
SELECT state, count(*) FROM activity INDEXED BY activity_by_state GROUP BY state

-- name: count_by_state_of_owner
SELECT state, count(*) FROM activity INDEXED BY activity_by_owner_state WHERE owner = ? GROUP BY state

-- name: known_keys
SELECT key FROM submission_key WHERE owner = ? AND key IN (SELECT value FROM json_each(?)) AND expires > ?

-- name: select_workers
SELECT name, until FROM worker ORDER BY name

-- name: count_chores
SELECT count(*) FROM chore
