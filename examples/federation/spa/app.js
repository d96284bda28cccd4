// How to start it: index.html. The access token lives in this page's memory alone. What waits in the tab while the person
// is at the other service is of no use without the answer, and the answer is of no use without it.
const here = location.origin + location.pathname;
const { gatepost } = await (await fetch("config.json")).json();
const status = document.getElementById("status");

async function ask(path, body) {
  const asked = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(gatepost + path, asked);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return told;
}

/* A button for each service, and away. */
async function offer() {
  const { items } = await ask("/auth/federation");
  for (const { name, label } of items) {
    const button = document.createElement("button");
    button.textContent = `Login with ${label}`;
    button.addEventListener("click", () => leave(name).catch(report));
    document.getElementById("ways").append(button);
  }
  status.textContent = "Nobody is signed in.";
}

async function leave(provider) {
  const { authorization_url, transaction } = await ask(`/auth/federation/${provider}/start`, { redirect_uri: here });
  sessionStorage.setItem("left", JSON.stringify({ provider, transaction }));
  location.assign(authorization_url);
}

/* Back again: what came goes to Gatepost with what was kept, once, and is gone from the address at once. */
async function arrive(came) {
  const { provider, transaction } = JSON.parse(sessionStorage.getItem("left") ?? "{}");
  sessionStorage.removeItem("left");
  history.replaceState(null, "", here);
  if (!transaction) throw new Error("this was not begun here");
  const answer = { transaction };
  for (const name of ["state", "code", "iss", "error"]) if (came.has(name)) answer[name] = came.get(name);
  const tokens = await ask(`/auth/federation/${provider}/finish`, answer);
  const me = await fetch(`${gatepost}/users/me`, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  status.textContent = `Signed in as ${(await me.json()).username}.`;
}

function report(error) {
  status.textContent = `It did not work: ${error.message}`;
}

const came = new URLSearchParams(location.search);
(came.has("state") ? arrive(came) : offer()).catch(report);
