-- The queries of subscriptions and of the outbox.

-- name: subscribed_owners
-- Each owner is found by one step into the index, not by reading all of it.
WITH RECURSIVE telling (owner) AS (
    SELECT min(owner) FROM subscription INDEXED BY subscription_telling WHERE ended IS NULL
    UNION ALL
    SELECT (SELECT min(owner) FROM subscription INDEXED BY subscription_telling
            WHERE ended IS NULL AND owner > telling.owner)
    FROM telling WHERE telling.owner IS NOT NULL
)
SELECT owner FROM telling WHERE owner IS NOT NULL

-- name: insert_subscription
INSERT INTO subscription (id, owner, activity, host, secret, ended, body) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: count_subscriptions
SELECT count(*) FROM subscription INDEXED BY subscription_telling
WHERE owner = ? AND activity IS ? AND ended IS NULL

-- name: subscriptions_to
SELECT pk, id, owner, activity, host, secret, ended, body FROM subscription INDEXED BY subscription_telling
WHERE owner = ?1 AND activity IS NULL AND ended IS NULL
UNION ALL
SELECT pk, id, owner, activity, host, secret, ended, body FROM subscription INDEXED BY subscription_telling
WHERE owner = ?1 AND activity = ?2 AND ended IS NULL

-- name: subscriptions_of_owner
SELECT id, owner, activity, host, secret, ended, body FROM subscription INDEXED BY subscription_by_owner
WHERE owner = ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: subscriptions_of_activity
SELECT id, owner, activity, host, secret, ended, body FROM subscription INDEXED BY subscription_by_activity
WHERE activity = ? AND owner = ? AND id < ? ORDER BY id DESC LIMIT ?

-- name: subscription_of
SELECT pk, id, owner, activity, host, secret, ended, body FROM subscription WHERE id = ? AND owner = ? AND ended IS NULL

-- name: update_secret
UPDATE subscription SET secret = ?2 WHERE pk = ?1 AND secret = ?3

-- name: update_subscription_body
UPDATE subscription SET body = ?2 WHERE pk = ?1

-- name: secrets_to_seal
SELECT pk, id, owner, secret FROM subscription WHERE pk > ?1 AND substr(secret, 1, length(?2)) <> ?2 ORDER BY pk LIMIT ?3

-- name: subscriptions_aside
CREATE TEMPORARY TABLE aside AS SELECT * FROM subscription

-- name: subscriptions_away
DELETE FROM main.subscription

-- name: subscriptions_back
INSERT INTO main.subscription SELECT * FROM aside

-- name: nothing_aside
DROP TABLE temp.aside

-- name: count_sealed_out
-- Sealed with a key that is none of those named.
SELECT count(*) FROM subscription WHERE ended IS NULL AND secret GLOB 'sealed:*' AND NOT EXISTS (
    SELECT 1 FROM json_each(?1) AS known WHERE substr(subscription.secret, 1, length(known.value)) = known.value
)

-- name: delete_subscription
DELETE FROM subscription WHERE id = ? AND owner = ?

-- name: end_subscription
UPDATE subscription SET ended = ?2, body = json_set(body, '$.why', ?3) WHERE id = ?1 AND ended IS NULL

-- name: drop_waiting
DELETE FROM delivery WHERE subscription = (SELECT pk FROM subscription WHERE id = ?) AND stage <> 'dead'

-- name: delete_told_subscriptions
-- Of activities that are purged: those that everything has been told to.
DELETE FROM subscription WHERE activity IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.subscription = subscription.pk)

-- name: end_subscriptions_of
UPDATE subscription SET ended = ?2, body = json_set(body, '$.why', 'its activity was purged')
WHERE activity IN (SELECT value FROM json_each(?1)) AND ended IS NULL

-- name: insert_delivery
INSERT INTO delivery (subscription, activity, seq, owner, host, stage, created, due, payload)
VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN EXISTS (
    SELECT 1 FROM delivery INDEXED BY delivery_in_line
    WHERE subscription = ?1 AND activity = ?2 AND stage <> 'dead'
) THEN 'behind' ELSE 'next' END, ?6, ?6, ?7)

-- name: hosts_waiting
WITH RECURSIVE busy (host) AS (
    SELECT min(host) FROM delivery INDEXED BY delivery_next WHERE stage = 'next'
    UNION ALL
    SELECT (SELECT min(host) FROM delivery INDEXED BY delivery_next WHERE stage = 'next' AND host > busy.host)
    FROM busy WHERE busy.host IS NOT NULL
)
SELECT host FROM busy WHERE host IS NOT NULL

-- name: next_due
SELECT min(due) FROM delivery INDEXED BY delivery_next WHERE stage = 'next' AND host = ? AND due > ?

-- name: deliveries_due
SELECT d.pk, s.id, json_extract(s.body, '$.url'), s.secret, d.owner, d.host, d.created, d.due, d.attempts, d.words,
    d.died, d.seq, d.payload
FROM delivery d INDEXED BY delivery_next CROSS JOIN subscription s ON s.pk = d.subscription
WHERE d.stage = 'next' AND d.host = ? AND d.due <= ? ORDER BY d.due LIMIT ?

-- name: shift_due
UPDATE delivery SET due = due + ? WHERE stage = 'next'

-- name: line_of
SELECT subscription, activity FROM delivery WHERE pk = ? AND stage = 'next'

-- name: delete_delivery
DELETE FROM delivery WHERE pk = ?

-- name: put_off_delivery
UPDATE delivery SET due = ?2, words = ?3, attempts = attempts + 1 WHERE pk = ?1 AND stage = 'next'

-- name: bury_delivery
UPDATE delivery SET stage = 'dead', died = ?2, words = ?3, attempts = attempts + 1 WHERE pk = ?1 AND stage <> 'dead'

-- name: next_in_line
UPDATE delivery SET stage = 'next' WHERE pk = (
    SELECT min(pk) FROM delivery INDEXED BY delivery_in_line
    WHERE subscription = ?1 AND activity = ?2 AND stage <> 'dead'
) AND stage = 'behind' RETURNING host

-- name: dead_letters
SELECT d.pk, s.id, json_extract(s.body, '$.url'), s.secret, d.owner, d.host, d.created, d.due, d.attempts, d.words,
    d.died, d.seq, d.payload
FROM delivery d INDEXED BY delivery_dead CROSS JOIN subscription s ON s.pk = d.subscription
WHERE d.stage = 'dead' AND d.owner = ? AND d.pk > ? ORDER BY d.pk LIMIT ?

-- name: revive_delivery
UPDATE delivery SET stage = CASE WHEN EXISTS (
    SELECT 1 FROM delivery other INDEXED BY delivery_in_line
    WHERE other.subscription = delivery.subscription AND other.activity = delivery.activity AND other.stage = 'next'
) THEN 'behind' ELSE 'next' END, created = ?3, due = ?3, attempts = 0, died = NULL
WHERE pk = ?1 AND owner = ?2 AND stage = 'dead' RETURNING host

-- name: delete_old_dead
DELETE FROM delivery WHERE pk IN (
    SELECT pk FROM delivery INDEXED BY delivery_died WHERE stage = 'dead' AND died < ? ORDER BY died LIMIT ?
)

-- name: delete_ended_subscriptions
DELETE FROM subscription WHERE pk IN (
    SELECT pk FROM subscription INDEXED BY subscription_ended
    WHERE ended IS NOT NULL AND ended < ?1
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.subscription = subscription.pk) LIMIT ?2
)

-- name: owners_with_many_dead
SELECT owner, count(*) FROM delivery INDEXED BY delivery_dead WHERE stage = 'dead' GROUP BY owner HAVING count(*) > ?

-- name: delete_oldest_dead
DELETE FROM delivery WHERE pk IN (
    SELECT pk FROM delivery INDEXED BY delivery_dead WHERE stage = 'dead' AND owner = ? ORDER BY pk LIMIT ?
)

-- name: subscriptions_with_many_waiting
SELECT subscription, count(*) FROM delivery INDEXED BY delivery_waiting WHERE stage <> 'dead'
GROUP BY subscription HAVING count(*) > ?

-- name: oldest_waiting
SELECT pk, activity FROM delivery WHERE subscription = ? AND stage <> 'dead' ORDER BY pk LIMIT ?
