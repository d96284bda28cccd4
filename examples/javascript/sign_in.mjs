// Sign in, call with the access token, sign out.
//   GP_USERNAME=alice GP_PASSWORD=… node sign_in.mjs
const url = process.env.GP_URL ?? "http://localhost:8000";

function post(path, body) {
  return fetch(url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

const signedIn = await post("/auth/login", { username: process.env.GP_USERNAME, password: process.env.GP_PASSWORD });
if (!signedIn.ok) {
  const problem = await signedIn.json(); // RFC 9457: branch on `code`, show `detail`
  console.error(`${problem.code}: ${problem.detail}`);
  process.exit(1);
}
const tokens = await signedIn.json();
console.log(`signed in for ${tokens.expires_in} seconds`);

const headers = { Authorization: `Bearer ${tokens.access_token}` };
const me = await (await fetch(`${url}/users/me`, { headers })).json();
console.log(`hello, ${me.username}`);

await post("/auth/logout", { refresh_token: tokens.refresh_token });
console.log(`after the sign-out: ${(await fetch(`${url}/users/me`, { headers })).status}`);
