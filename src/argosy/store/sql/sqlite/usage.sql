-- The fixed queries of the ledger of usage. What is put together at run time is in store/sqlite/ledger.py.

-- name: insert_usage
INSERT OR REPLACE INTO usage (activity, run, owner, account, name, resource, queue, native_id, state, exit_code,
    created, submitted, started, ended, final_at, nodes, processes, cores, cpu_seconds, wall_seconds, core_seconds,
    max_rss, hosts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: delete_old_usage
DELETE FROM usage WHERE number IN (
    SELECT number FROM usage INDEXED BY usage_by_time WHERE final_at < ? ORDER BY final_at LIMIT ?
)
