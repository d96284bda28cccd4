// An API key: in a header, and in the query for callers that cannot set headers.
//   GP_API_KEY=gp_key_… node api_key.mjs
const url = process.env.GP_URL ?? "http://localhost:8000";
const apiKey = process.env.GP_API_KEY;

const byHeader = await fetch(`${url}/users/me`, { headers: { "X-API-Key": apiKey } });
if (!byHeader.ok) throw new Error(await byHeader.text());
console.log("header:", (await byHeader.json()).username);

// URLs end up in logs and histories. The server takes this only with GATEPOST_API_KEYS__ALLOW_IN_QUERY=true.
const byQuery = await fetch(`${url}/users/me?${new URLSearchParams({ api_key: apiKey })}`);
if (!byQuery.ok) throw new Error(await byQuery.text());
console.log("query:", (await byQuery.json()).username);
