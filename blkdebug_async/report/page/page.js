// The page itself: what does not change, going to a step, keys, and the address.

const last = steps.length - 1;

function goTo(number) {
  const step = Math.min(Math.max(number, 0), last);
  if (Number.isNaN(step) || last < 0) return;
  picture.show(step);
  byId("slider").value = step;
  byId("where").textContent = `${step} of ${last}`;
  byId("previous").disabled = byId("first").disabled = step === 0;
  byId("next").disabled = byId("last").disabled = step === last;
  showDeviationCount(step);
  showPanels(steps[step]);
  showChange(step);
  keepInAddress(step);
}

function showDeviationCount(step) {
  const before = countUpTo(deviations, step);
  const at = steps[step].deviates ? `${before} of ` : "";
  byId("deviation-count").textContent = `${at}${plural(deviations.length, "deviation")}`;
  byId("previous-deviation").disabled = countUpTo(deviations, step - 1) === 0;
  byId("next-deviation").disabled = before === deviations.length;
}

function showPanels(step) {
  byId("summary").replaceChildren(
    element("b", {}, `Step ${step.number}`), ` ${whose(step)}: ${step.what}`,
    step.deviates ? element("b", { class: "flag" }, " ▼ deviates") : "");
  byId("step-body").replaceChildren(...stepPanel(step));
  byId("source-body").replaceChildren(...sourcePanel(step));
  byId("everybody-body").replaceChildren(...everybodyPanel(step.number));
}

function goToDeviation(way) {
  const at = picture.current;
  const found = way > 0 ? firstAbove(deviations, at) : lastUpTo(deviations, at - 1);
  if (found !== undefined) goTo(found);
}

// --- the address ---

function keepInAddress(step) {
  const hash = `#step=${step}`;
  if (location.hash === hash) return;
  try {
    history.replaceState(null, "", hash);
  } catch {
    location.replace(hash);
  }
}

function stepInAddress() {
  const found = /^#step=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : undefined;
}

// --- what does not change ---

function fillHeader() {
  byId("title").textContent = run.title;
  byId("facts").textContent = run.facts.join(" · ");
  byId("error").append(...run.errors.map(errorBlock));
  byId("token").value = run.token;
  byId("replay").value = run.again;
  byId("changes").hidden = !run.errors.length;
  byId("legend").append(...legend());
}

function errorBlock(error, number) {
  const heading = element("p", { class: "error-type" }, number ? "from " : null, element("b", {}, error.type));
  const message = error.message ? element("pre", { class: "message", tabindex: 0 }, error.message) : null;
  const frames = error.stack.map((place) => {
    const [file, line, name] = run.places[place];
    return element("li", {}, element("span", { class: "place" }, `${run.files[file].path}:${line}`), ` in ${name} `, element("code", {}, placeLine(place)));
  });
  const trace = frames.length ? element("details", {}, element("summary", {}, "Raised ", ...raisedAt(error)), element("ol", { class: "trace" }, ...frames)) : null;
  return element("div", { class: "error" }, heading, message, trace);
}

function raisedAt(error) {
  const [file, line, name] = run.places[error.stack[error.stack.length - 1]];
  return ["at ", element("span", { class: "place" }, `${run.files[file].path}:${line}`), ` in ${name}`];
}

function legend() {
  const sample = (...drawn) => shape("svg", { width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" }, ...drawn);
  const mark = (kind, drawn) => shape("g", { class: `mark ${kind}` }, drawn);
  const bar = (word) => shape("rect", { class: `span ${word}`, x: 1, y: 2, width: 20, height: 12, rx: 3 });
  const signs = [
    [mark("task", shape("rect", { x: 5, y: 2, width: 12, height: 12, rx: 2 })), "step of a task"],
    [mark("task raised", shape("path", { d: "M5 2h12v12h-12zM8 5l6 6m0-6l-6 6", class: "crossed" })), "ends by raising"],
    [mark("request", shape("circle", { cx: 11, cy: 8, r: 6 })), "completion"],
    [mark("call", shape("circle", { cx: 11, cy: 8, r: 3.6 })), "callback"],
    [mark("timer", shape("path", { d: "M11 2l6 6l-6 6l-6-6z" })), "timer"],
    [bar("read"), "read in flight"], [bar("write"), "write"], [bar("flush"), "flush"], [bar("other"), "other"],
    [shape("path", { class: "flag", d: "M5 3h12l-6 10z" }), "deviation"],
    [shape("rect", { class: "instead", x: 4, y: 1, width: 14, height: 14, rx: 2 }), "who would have been next"],
  ];
  return signs.map(([drawn, words]) => element("span", {}, sample(drawn), ` ${words}`));
}

/** Mark the deviations along the slider. */
function markSlider() {
  const width = Math.max(last, 1);
  const marks = shape("svg", { viewBox: "0 0 1000 8", preserveAspectRatio: "none" });
  const path = deviations.map((number) => `M${(number / width) * 1000} 0v8`).join("");
  marks.append(shape("path", { class: "tick-mark", d: path || "M0 0", "vector-effect": "non-scaling-stroke" }));
  byId("marks").append(marks);
}

// --- what people press ---

const KEYS = {
  ArrowRight: () => goTo(picture.current + 1),
  ArrowLeft: () => goTo(picture.current - 1),
  Home: () => goTo(0),
  End: () => goTo(last),
  n: () => goToDeviation(1),
  N: () => goToDeviation(-1),
  "+": () => picture.zoomBy(1),
  "=": () => picture.zoomBy(1),
  "-": () => picture.zoomBy(-1),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const scrolls = event.target.closest("pre") && event.key.startsWith("Arrow");
  // Arrows move the slider, which goes to its step, and the cursor in a field.
  if (scrolls || (event.target.closest("input") && event.key.length > 1)) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function listen() {
  const press = (id, action) => byId(id).addEventListener("click", action);
  press("first", KEYS.Home);
  press("last", KEYS.End);
  press("previous", KEYS.ArrowLeft);
  press("next", KEYS.ArrowRight);
  press("previous-deviation", KEYS.N);
  press("next-deviation", KEYS.n);
  press("zoom-in", KEYS["+"]);
  press("zoom-out", KEYS["-"]);
  byId("slider").addEventListener("input", (event) => goTo(Number(event.target.value)));
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", () => goTo(stepInAddress() ?? picture.current));
  byId("timeline").addEventListener("click", (event) => {
    const number = picture.stepAt(event.clientX);
    if (number !== undefined) goTo(number);
  });
  for (const button of document.querySelectorAll("[data-copies]")) {
    button.addEventListener("click", async () => {
      const copied = await copyText(byId(button.dataset.copies));
      byId("copied").textContent = copied ? "Copied" : "Press Ctrl+C to copy";
    });
  }
}

fillHeader();
byId("slider").max = Math.max(last, 0);
byId("deviations").hidden = !deviations.length;
byId("changes-body").append(...changesPanel());
picture.begin();
markSlider();
listen();
goTo(stepInAddress() ?? deviations[0] ?? run.raised ?? 0);
