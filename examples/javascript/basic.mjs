// HTTP Basic: by hand with fetch, and by Node's own client.
//   GP_USERNAME=alice GP_PASSWORD=… node basic.mjs
import http from "node:http";
import https from "node:https";

const url = process.env.GP_URL ?? "http://localhost:8000";
const pair = `${process.env.GP_USERNAME}:${process.env.GP_PASSWORD}`;

// btoa() fails on anything beyond Latin-1; Buffer writes UTF-8, as RFC 7617 asks.
const headers = { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
const byHand = await fetch(`${url}/users/me`, { headers });
if (!byHand.ok) throw new Error(await byHand.text());
console.log("by hand:", (await byHand.json()).username);

const client = url.startsWith("https:") ? https : http;
client.get(`${url}/users/me`, { auth: pair }, async (answer) => {
  const body = Buffer.concat(await answer.toArray()).toString();
  if (answer.statusCode !== 200) throw new Error(body);
  console.log("by library:", JSON.parse(body).username);
});
