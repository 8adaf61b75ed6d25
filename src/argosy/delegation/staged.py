"""The credentials that a description names, as staging takes them."""

from __future__ import annotations

from collections.abc import Sequence

from argosy.staging.contract import Credentials, Password, S3Keys

from .kinds import Opened

_ANY = "*"


def for_staging(opened: Sequence[Opened]) -> Credentials | None:
    """All of them together; None where there is none. Of a proxy, a token and an ssh key there is one each."""
    if not opened:
        return None
    one = {each.kind: each for each in opened}
    proxy, token, key = one.get("proxy"), one.get("token"), one.get("ssh-key")
    passwords: dict[str, Password] = {}
    s3: dict[str, S3Keys] = {}
    for each in opened:
        secret = each.secret
        for host in each.hosts:
            if each.kind == "password":
                passwords[host] = Password(secret.user or "", secret.password or "")
            elif each.kind == "s3":
                s3[host] = S3Keys(secret.access_key or "", secret.secret_key or "", secret.session_token)
    return Credentials(
        certificate=None if proxy is None else proxy.secret.pem,
        token=None if token is None else token.secret.token,
        ssh_key=None if key is None else key.secret.private_key,
        ssh_user=None if key is None else key.secret.user,
        passwords=passwords,
        s3=s3,
        hosts=None if token is None or not token.hosts or _ANY in token.hosts else frozenset(token.hosts),
    )
