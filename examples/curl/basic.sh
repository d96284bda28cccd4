#!/bin/sh
# HTTP Basic: by hand, and by curl itself.
#   GP_USERNAME=alice GP_PASSWORD=… sh basic.sh
set -eu
GP_URL=${GP_URL:-http://localhost:8000}

credentials=$(printf '%s:%s' "$GP_USERNAME" "$GP_PASSWORD" | base64 | tr -d '\n') # long ones are wrapped
printf 'Authorization: Basic %s' "$credentials" |
    curl --fail-with-body --silent --show-error --header @- "$GP_URL/users/me"
echo

curl --fail-with-body --silent --show-error --user "$GP_USERNAME:$GP_PASSWORD" "$GP_URL/users/me"
echo
