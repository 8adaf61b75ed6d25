-- A failed activity can be restarted, which its count of restarts tells; nothing else leaves a final state.

DROP TRIGGER activity_final_absorbs;

CREATE TRIGGER activity_final_absorbs BEFORE UPDATE OF state ON activity
WHEN OLD.final = 1 AND NEW.state <> OLD.state
AND NOT (
    OLD.state = 'failed'
    AND coalesce(NEW.rest ->> '$.restarts', 0) > coalesce(OLD.rest ->> '$.restarts', 0)
)
BEGIN
    SELECT raise(ABORT, 'a final state cannot be left');
END;
