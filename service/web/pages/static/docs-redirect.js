"use strict";

/* Hands the authorization response to the documentation that opened this window, then closes it. The documentation
   redeems the code; only a response to what it asked for, and from this issuer, is handed over. */
(function () {
  const asked = window.opener && window.opener.swaggerUIRedirectOauth2;
  if (!asked) {
    return;
  }
  const answered = new URLSearchParams(location.search);
  const tell = (message) =>
    asked.errCb({ authId: asked.auth.name, source: "auth", level: "error", message: message });
  if (answered.get("state") !== asked.state || answered.get("iss") !== location.origin) {
    tell("This answer belongs to another question.");
  } else if (answered.has("error")) {
    tell(`${answered.get("error")}: ${answered.get("error_description") || "the request was refused"}`);
  } else {
    delete asked.auth.state;
    asked.auth.code = answered.get("code");
    asked.callback({ auth: asked.auth, redirectUrl: asked.redirectUrl });
  }
  window.close();
})();
