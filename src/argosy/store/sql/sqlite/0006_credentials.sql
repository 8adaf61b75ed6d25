-- Credentials that users have put into the service's hands. The secret is sealed; `rest` is what may be shown.

CREATE TABLE credential (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    expires REAL,
    renew_at REAL,
    sealed BLOB NOT NULL,
    rest TEXT NOT NULL
) STRICT;

CREATE INDEX credential_by_owner ON credential (owner, created, id);

CREATE INDEX credential_to_renew ON credential (renew_at) WHERE renew_at IS NOT NULL;

CREATE INDEX credential_expiring ON credential (expires) WHERE expires IS NOT NULL;
