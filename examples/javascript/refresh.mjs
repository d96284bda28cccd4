// Call with stored tokens; on a 401 trade the refresh token in, store the new pair and repeat.
//   GP_TOKENS=tokens.json node refresh.mjs        (the answer of /auth/login, kept in a file)
import { readFile, rename, writeFile } from "node:fs/promises";

const url = process.env.GP_URL ?? "http://localhost:8000";
const file = process.env.GP_TOKENS ?? "tokens.json";

let tokens = JSON.parse(await readFile(file, "utf8"));
let refreshing; // one refresh for all calls that find their token expired at the same time

async function refresh() {
  const answer = await fetch(`${url}/auth/refresh`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refresh_token: tokens.refresh_token }),
  });
  if (!answer.ok) throw new Error(`sign in again: ${(await answer.json()).detail}`);
  tokens = await answer.json();
  await writeFile(`${file}.new`, JSON.stringify(tokens), { mode: 0o600 });
  await rename(`${file}.new`, file);
  console.log("refreshed");
}

export async function call(path, options = {}) {
  const send = () =>
    fetch(url + path, { ...options, headers: { ...options.headers, Authorization: `Bearer ${tokens.access_token}` } });
  const used = tokens.access_token;
  const answer = await send();
  if (answer.status !== 401) return answer;
  await answer.body?.cancel();
  if (used === tokens.access_token) {
    refreshing ??= refresh().finally(() => (refreshing = undefined));
    await refreshing;
  }
  return send();
}

const answers = await Promise.all([call("/users/me"), call("/users/me")]);
for (const answer of answers) console.log(`hello, ${(await answer.json()).username}`);
