"use strict";
// This runs before the page is drawn, so that it does not appear in the wrong colours first.
try {
  document.documentElement.dataset.theme = localStorage.getItem("cachelab:theme") || "auto";
} catch {
  document.documentElement.dataset.theme = "auto";
}
