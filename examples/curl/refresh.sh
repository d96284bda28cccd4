#!/bin/sh
# Call with stored tokens; on a 401 trade the refresh token in, store the new pair and repeat.
#   GP_TOKENS=tokens.json sh refresh.sh        (the answer of /auth/login, kept in a file)
set -eu
umask 077
GP_URL=${GP_URL:-http://localhost:8000}
GP_TOKENS=${GP_TOKENS:-tokens.json}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

member() { sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\).*/\1/p"; } # with jq at hand: jq -r .name

call() { # $1 = path; prints the status, leaves the body in $answer
    printf 'Authorization: Bearer %s' "$(member access_token <"$GP_TOKENS")" |
        curl --silent --show-error --output "$answer" --write-out '%{http_code}' --header @- "$GP_URL$1"
}

refresh() { # the old pair stays until the new one is safely on disk
    printf '{"refresh_token": "%s"}' "$(member refresh_token <"$GP_TOKENS")" |
        curl --fail-with-body --silent --show-error --json @- --output "$GP_TOKENS.new" "$GP_URL/auth/refresh" ||
        { echo "sign in again: $(cat "$GP_TOKENS.new")"; rm -f "$GP_TOKENS.new"; exit 1; }
    mv "$GP_TOKENS.new" "$GP_TOKENS"
    echo "refreshed"
}

status=$(call /users/me)
if [ "$status" = 401 ]; then
    refresh
    status=$(call /users/me)
fi
[ "$status" = 200 ] || { echo "$status: $(cat "$answer")"; exit 1; }
echo "hello, $(member username <"$answer")"
