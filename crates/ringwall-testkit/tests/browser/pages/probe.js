"use strict";

const collector = "https://collector.example.com";
// A frame without an address of its own is the step of that name.
const step = new URLSearchParams(location.search).get("step") ?? "null";

// What the page could read of one answer, or that it could read nothing.
async function attempt(name, host, path, options = {}) {
  const address = `https://${host}.example.com${path}?step=${step}.${name}`;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(10000), ...options });
    return {
      status: answer.status,
      text: await answer.text(),
      exposed: answer.headers.get("x-request-id"),
      hidden: answer.headers.get("x-hidden"),
    };
  } catch (error) {
    return error.name === "TypeError" ? "unreadable" : String(error);
  }
}

async function probe() {
  const token = { authorization: "Bearer probe" };
  const body = { ...token, "content-type": "application/json", "x-api-key": "k", "x-provider-key": "p" };
  return {
    origin: self.origin,
    sniffed: window.sniffed === true,
    plain: await attempt("plain", "api", "/cookie"),
    cookie: await attempt("cookie", "api", "/cookie", { credentials: "include" }),
    token: await attempt("token", "api", "/whoami", { headers: token }),
    refused: await attempt("refused", "api", "/whoami"),
    patch: await attempt("patch", "api", "/change", { method: "PATCH", headers: body, body: "{}" }),
    lowerCase: await attempt("lowerCase", "api", "/change", { method: "patch", headers: token }),
    foreignMethod: await attempt("foreignMethod", "api", "/change", { method: "PROPFIND", headers: token }),
    foreignHeader: await attempt("foreignHeader", "api", "/whoami", { headers: { ...token, "x-evil": "1" } }),
    form: await attempt("form", "api", "/plain", { method: "POST", body: "a=1" }),
    withoutCredentials: await attempt("withoutCredentials", "tokens", "/cookie"),
    withCredentials: await attempt("withCredentials", "tokens", "/cookie", { credentials: "include" }),
    everybody: await attempt("everybody", "public", "/cookie"),
    everybodyCredentials: await attempt("everybodyCredentials", "public", "/cookie", { credentials: "include" }),
  };
}

async function tell(step, seen) {
  const answer = await fetch(`${collector}/verdict?step=${step}`, {
    method: "POST",
    body: JSON.stringify(seen),
  });
  const next = await answer.text();
  if (next) {
    location.replace(next);
  }
}
