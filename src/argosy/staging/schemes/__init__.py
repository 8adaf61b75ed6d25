"""One file a protocol; `argosy.staging.scheme` is the contract of all of them."""
