#!/bin/sh
# An API key: in a header, and in the query for callers that cannot set headers.
#   GP_API_KEY=gp_key_… sh api_key.sh
set -eu
GP_URL=${GP_URL:-http://localhost:8000}

# `--header @-` reads the header from standard input: other users of this machine see arguments, but not that.
printf 'X-API-Key: %s' "$GP_API_KEY" | curl --fail-with-body --silent --show-error --header @- "$GP_URL/users/me"
echo

# URLs end up in logs and histories. The server takes this only with GATEPOST_API_KEYS__ALLOW_IN_QUERY=true.
printf 'url = "%s/users/me?api_key=%s"' "$GP_URL" "$GP_API_KEY" | curl --fail-with-body --silent --show-error --config -
echo
