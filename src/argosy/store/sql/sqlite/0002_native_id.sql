-- Who asks about a job of the batch system finds its activity. `rest` keeps the id too, for releases before this one.

ALTER TABLE activity ADD COLUMN native_id TEXT;

UPDATE activity SET native_id = json_extract(rest, '$.native_id');

CREATE INDEX activity_by_native_id ON activity (native_id, id) WHERE native_id IS NOT NULL;
