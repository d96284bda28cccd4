#!/bin/sh
# Sign in, call with the access token, sign out.
#   GP_USERNAME=alice GP_PASSWORD=… sh sign_in.sh
set -eu
GP_URL=${GP_URL:-http://localhost:8000}

escaped() { printf %s "$1" | sed 's/[\\"]/\\&/g'; } # for a JSON string; enough for text without line ends
member() { sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\).*/\1/p"; } # with jq at hand: jq -r .name

# `@-` is standard input: other users of this machine see arguments, but not that.
tokens=$(printf '{"username": "%s", "password": "%s"}' "$(escaped "$GP_USERNAME")" "$(escaped "$GP_PASSWORD")" |
    curl --fail-with-body --silent --show-error --json @- "$GP_URL/auth/login") || { echo "$tokens"; exit 1; }
echo "signed in for $(printf %s "$tokens" | member expires_in) seconds"

authorization="Authorization: Bearer $(printf %s "$tokens" | member access_token)"
me=$(printf %s "$authorization" | curl --fail-with-body --silent --show-error --header @- "$GP_URL/users/me")
echo "hello, $(printf %s "$me" | member username)"

printf %s "$authorization" | curl --fail-with-body --silent --show-error --header @- --request POST "$GP_URL/auth/logout"
printf %s "$authorization" |
    curl --silent --output /dev/null --write-out 'after the sign-out: %{http_code}\n' --header @- "$GP_URL/users/me"
