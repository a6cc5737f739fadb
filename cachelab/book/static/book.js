"use strict";
// Everything here is extra: without it, a page shows all of its text, and the first frame of each slider. The ids of the
// page's own parts begin with "cachelab-", since a heading may have any other one.

const all = (selector, where = document) => [...where.querySelectorAll(selector)];

// What the reader's browser keeps: the theme and the guesses. Where it keeps nothing, they last as long as the page.
const forgetful = new Map();
function keep(name, value) {
  forgetful.set(name, value);
  try { localStorage.setItem(`cachelab:${name}`, value); } catch { /* as said above */ }
}
function kept(name) {
  try { return localStorage.getItem(`cachelab:${name}`) ?? forgetful.get(name); } catch { return forgetful.get(name); }
}

function setUpTheme() {
  const button = document.getElementById("cachelab-theme");
  const themes = ["auto", "light", "dark"];
  const current = () => document.documentElement.dataset.theme || "auto";
  const paint = theme => {
    document.documentElement.dataset.theme = theme;
    button.lastChild.textContent = theme;
  };
  button.addEventListener("click", () => {
    paint(themes[(themes.indexOf(current()) + 1) % themes.length]);
    keep("theme", current());
  });
  paint(current());
  button.hidden = false;
}

// The menus are open where they stand beside the text, and the contents of the page mark the part that is read.
function setUpMenus() {
  for (const [selector, query] of [[".menu", "(min-width: 60rem)"], [".outline", "(min-width: 86rem)"]]) {
    const details = document.querySelector(`${selector} details`), beside = matchMedia(query);
    if (!details) continue;
    const fold = () => { details.open = beside.matches; };
    beside.addEventListener("change", fold);
    fold();
  }
  const links = new Map(all(".outline a").map(link => [decodeURIComponent(link.hash.slice(1)), link]));
  const headings = [...links.keys()].map(name => document.getElementById(name));
  let drawn = true, marked;
  const mark = () => {
    drawn = true;
    const visible = headings.filter(one => one.checkVisibility()), page = document.documentElement;
    const atEnd = scrollY > 0 && scrollY + innerHeight >= page.scrollHeight - 2;
    const read = atEnd ? visible.at(-1) : visible.filter(one => one.getBoundingClientRect().top < 96).at(-1);
    if (read === marked) return;
    links.get(marked?.id)?.removeAttribute("aria-current");
    marked = read;
    const link = links.get(read?.id), list = document.querySelector(".outline");
    link?.setAttribute("aria-current", "true");
    if (list) list.scrollTop = link ? link.offsetTop - list.clientHeight / 2 : 0; // a long list keeps the mark in sight
  };
  addEventListener("scroll", () => {
    if (drawn) requestAnimationFrame(mark);
    drawn = false;
  }, { passive: true });
  mark();
}

// A link into a folded part opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  let folded = false;
  for (let part = target; part; part = part.parentElement) {
    if (part.localName === "details" && !part.open) part.open = folded = true;
  }
  if (folded) target.scrollIntoView();
}

// What can be scrolled can be reached with the keyboard.
function setUpScrolling() {
  const observer = new ResizeObserver(entries => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) {
        target.tabIndex = 0;
        if (target.localName !== "pre") {
          target.setAttribute("role", "group");
          target.setAttribute("aria-label", target.matches(".table") ? "Table" : "Figure");
        }
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
      }
    }
  });
  for (const box of all(".scroll")) observer.observe(box);
}

function setUpCopying() {
  for (const box of all(".code")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const code = box.querySelector("pre");
      try {
        await navigator.clipboard.writeText(code.textContent.trimEnd());
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  }
}

function setUpSlider(figure) {
  const range = figure.querySelector("[type=range]"), value = figure.querySelector("output");
  const status = figure.querySelector("[role=status]");
  const images = all(".frames img", figure), words = all("li", figure);
  const room = words.map(({ dataset }) => Object.assign(document.createElement("span"), { textContent: dataset.label }));
  for (const one of room) one.setAttribute("aria-hidden", "true");
  value.after(...room);
  let soon;
  const show = () => {
    const number = Number(range.value), label = words[number].dataset.label;
    for (const row of [images, words]) row.forEach((one, i) => one.classList.toggle("now", i === number));
    range.setAttribute("aria-valuetext", label);
    value.textContent = label;
  };
  const move = () => {
    show();
    clearTimeout(soon); // a screen reader says the words of the frame at which the slider stops
    soon = setTimeout(() => { status.textContent = words[range.value].textContent; }, 500);
  };
  range.addEventListener("input", move);
  for (const button of all("[data-step]", figure)) {
    button.addEventListener("click", () => {
      range.value = Number(range.value) + Number(button.dataset.step);
      move();
    });
  }
  show();
  figure.querySelector(".control").hidden = false;
}

// A guess is a number; a unit after it is allowed, and so are separators: 1,000 and 1 000 are a thousand, 0,5 is a half.
function numberIn(text) {
  const digits = text.replace(/[\s_]/g, "").replace(/(?<!^[-+−]?0),(?=\d{3}(?!\d))/g, "").replace(",", ".");
  const found = /^[-+−]?\d*\.?\d+(?=\D*$)/.exec(digits);
  return found ? Number(found[0].replace("−", "-")) : NaN;
}

function compare(box, asked) {
  const { key, truth, low, high } = box.dataset, guess = kept(`guess:${key}`), shown = asked || guess !== undefined;
  box.querySelector(".truth").hidden = !shown;
  box.querySelector(".veil").hidden = shown;
  if (!shown) return;
  const apart = Math.abs(guess - truth) > 0.1 * Math.abs(truth);
  box.querySelector(".reply").textContent = guess === undefined ? "You made no guess. You can still make one above."
    : apart ? `You said ${guess}. ${Number(guess) < Number(truth) ? low : high}` : `You said ${guess}: within a tenth.`;
}

function setUpPredictions() {
  const boxes = all(".measurement");
  for (const form of all(".prediction")) {
    const field = form.querySelector("input"), reply = form.querySelector(".reply"), name = `guess:${form.dataset.key}`;
    const tell = () => {
      const guess = kept(name);
      reply.textContent = guess === undefined ? "You may read on without a guess, but a guess makes you look closely." : `Your guess is ${guess}. It is compared below, where the number is measured.`;
      if (guess !== undefined) field.value = guess;
    };
    form.addEventListener("submit", event => {
      event.preventDefault();
      const guess = numberIn(field.value);
      if (Number.isNaN(guess)) {
        reply.textContent = "A guess is a plain number, for example 10.";
        return;
      }
      keep(name, String(guess));
      tell();
      for (const box of boxes) compare(box, false);
    });
    form.querySelector(".answer").hidden = false;
    tell();
  }
  for (const box of boxes) {
    box.querySelector("button").addEventListener("click", () => compare(box, true));
    box.querySelector(".reply").setAttribute("role", "status");
    compare(box, false);
  }
}

function passagesWith(terms) {
  const found = [];
  for (const passage of window.cachelabPassages ?? []) {
    const heading = passage.heading.toLowerCase(), text = passage.text.toLowerCase();
    let score = 0;
    for (const term of terms) {
      const here = (heading.includes(term) ? 20 : 0) + Math.min(9, text.split(term).length - 1);
      if (!here) { score = 0; break; }
      score += here;
    }
    if (score) found.push({ score, passage, at: text.indexOf(terms[0]) });
  }
  return found.sort((a, b) => b.score - a.score);
}

// Whole words around a place in a text.
function excerpt(text, place) {
  const from = place > 40 ? text.lastIndexOf(" ", place - 40) + 1 : 0, to = text.indexOf(" ", from + 130);
  return `${from ? "…" : ""}${to < 0 ? text.slice(from) : `${text.slice(from, to)}…`}`;
}

function setUpSearch() {
  const query = document.getElementById("cachelab-query"), list = document.getElementById("cachelab-found");
  const count = document.getElementById("cachelab-count"), box = document.querySelector(".search");
  const element = (name, text, more = {}) => Object.assign(document.createElement(name), { textContent: text, ...more });
  const show = () => {
    const terms = query.value.toLowerCase().split(/[\s-]+/).filter(Boolean);
    list.hidden = !terms.length || !window.cachelabPassages;
    if (list.hidden) return;
    const found = passagesWith(terms);
    count.textContent = found.length > 1 ? `${found.length} places` : found.length ? "1 place" : "Nothing found";
    list.replaceChildren(element("p", count.textContent), ...found.slice(0, 15).map(({ passage, at }) => {
      const link = element("a", "", { href: passage.link });
      const page = passage.heading.startsWith(passage.page) ? "" : ` (${passage.page})`;
      link.append(element("b", passage.heading), page, element("span", excerpt(passage.text, at)));
      return link;
    }));
  };
  // The index loads when it is first needed. It is a script, since a page that is opened as a file may not fetch data.
  query.addEventListener("focus", () => {
    document.head.append(Object.assign(document.createElement("script"), { src: "search.js", onload: show }));
  }, { once: true });
  query.addEventListener("focus", show);
  query.addEventListener("input", show);
  box.addEventListener("focusout", event => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) list.hidden = true;
  });
  box.addEventListener("keydown", event => {
    if (event.key === "Escape") { query.focus(); list.hidden = true; }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || list.hidden) return;
    event.preventDefault();
    const stops = [query, ...all("a", list)];
    stops[stops.indexOf(document.activeElement) + step]?.focus();
  });
  addEventListener("keydown", event => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.activeElement.matches("input, textarea")) return;
    event.preventDefault();
    query.focus();
  });
  addEventListener("click", event => {
    if (!event.target.closest(".search") || event.target.closest("#cachelab-found a")) list.hidden = true;
  });
  box.hidden = false;
}

setUpTheme();
setUpMenus();
setUpScrolling();
setUpCopying();
all(".slider").forEach(setUpSlider);
setUpPredictions();
setUpSearch();
addEventListener("hashchange", unfold);
unfold();
