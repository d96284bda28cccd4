import http from "node:http";

/** An application's callback on loopback: `next()` is the next request to `/callback`, with its fields. */
export async function listen() {
  const waiting = [];
  const come = [];
  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const piece of request) body.push(piece);
    const url = new URL(request.url, "http://127.0.0.1");
    response.writeHead(url.pathname === "/callback" ? 200 : 204, { "Content-Type": "text/html; charset=utf-8" });
    response.end(url.pathname === "/callback" ? "<!doctype html><title>arrived</title>" : undefined);
    if (url.pathname !== "/callback") return;
    const fields = (text) => Object.fromEntries(new URLSearchParams(text));
    const arrived = {
      method: request.method,
      query: fields(url.search),
      form: fields(Buffer.concat(body).toString()),
      referrer: request.headers.referer ?? null,
    };
    (waiting.shift() ?? ((one) => come.push(one)))(arrived);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    next: () => new Promise((resolve) => (come.length ? resolve(come.shift()) : waiting.push(resolve))),
    close: () => server.closeAllConnections() ?? server.close(),
  };
}
