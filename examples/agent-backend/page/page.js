"use strict";

// The policy of the page permits no inline script and no other origin, so everything is here.
const form = document.getElementById("ask");
const answer = document.getElementById("answer");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = document.getElementById("token").value.trim();
  answer.textContent = "asking";
  try {
    const response = await fetch("/api/whoami", {
      headers: { authorization: `Bearer ${token}` },
      credentials: "omit",
      redirect: "error",
    });
    // Text, never markup: the answer holds what others chose.
    answer.textContent = `${response.status}\n${await response.text()}`;
  } catch (error) {
    answer.textContent = "the service did not answer";
  }
});
