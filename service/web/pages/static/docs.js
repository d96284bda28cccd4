"use strict";

const SAFE = ["GET", "HEAD", "OPTIONS"];

/* One credential for each request: when one has been entered under Authorize, the browser's cookies stay at home.
   Without one, the cookies of a sign-in speak, and what changes something carries the field that proves the page is
   ours. */
function prepare(request) {
  const sent = Object.keys(request.headers).map((name) => name.toLowerCase());
  const inQuery = new URL(request.url, location.href).searchParams.has("api_key");
  if (sent.includes("authorization") || sent.includes("x-api-key") || inQuery) {
    request.credentials = "omit";
  } else {
    request.credentials = "same-origin";
    if (!SAFE.includes((request.method || "GET").toUpperCase())) {
      request.headers["X-Gatepost-CSRF"] = "1";
    }
  }
  return request;
}

const ui = SwaggerUIBundle({
  url: "/openapi.json",
  oauth2RedirectUrl: `${location.origin}/docs/oauth2-redirect`,
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  requestInterceptor: prepare,
});

ui.initOAuth({
  clientId: "gatepost-docs",
  scopes: "openid profile",
  usePkceWithAuthorizationCodeGrant: true,
});
