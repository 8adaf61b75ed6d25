# A runtime environment for jobs that move their data themselves (GES 3.6.5). In the service's configuration:
#
#     [environments."staging-1.0"]
#     description = "curl, and a credential for the storage"
#     script = "/etc/argosy/environments/staging.sh"
#     variables = { STAGING_CREDENTIAL = "/etc/argosy/credentials/storage" }   # a file that holds a bearer token
#
# A job that asks for it has curl, and in STAGING_CURL a configuration for it:
#
#     curl -K "$STAGING_CURL" -o input.dat https://storage.example.org/input.dat
#
# The token is in no command line, and its copy is readable for the job alone and removed when the job has ended.

staging_directory=${TMPDIR:-/tmp}/staging.$ARGOSY_JOB_TAG

case $1 in
before)
    command -v curl >/dev/null || { echo "curl is not installed here"; return 1; }
    [ -r "$STAGING_CREDENTIAL" ] || { echo "the credential $STAGING_CREDENTIAL cannot be read here"; return 1; }
    mkdir -m 700 -- "$staging_directory" || return
    export STAGING_CURL=$staging_directory/curlrc
    (
        umask 077
        {
            printf 'fail\nshow-error\nsilent\nlocation\nretry = 3\n'
            printf 'header = "Authorization: Bearer %s"\n' "$(cat -- "$STAGING_CREDENTIAL")"
        } >"$STAGING_CURL"
    )
    ;;
after)
    rm -rf -- "$staging_directory"
    ;;
esac
