// The run beside the nearest one that passes: what only one of them does, and what they do elsewhere.

const MARKS = {
  same: ["", ""],
  failing: ["+", "only here"],
  passing: ["−", "only there"],
  "moved here": ["⇢", "moved here"],
  "moved away": ["⇠", "moved away"],
};
/** Of steps that are the same, so many are shown before and after what differs. */
const NEAR = 2;

/** Where a step of the failing run stands among the changes. */
const changeRows = new Map();

function changesPanel() {
  if (!run.passing) {
    return [element("p", { class: "quiet" }, "No run that passes was found by leaving out a deviation.")];
  }
  const legend = element("p", { class: "quiet" }, ...Object.entries({
    failing: "in this run only", passing: "in the passing run only",
    "moved here": "earlier or later in the passing run", "moved away": "where the passing run has it",
  }).flatMap(([kind, words]) => [element("span", { class: "meaning" }, element("b", { class: `sign ${kindClass(kind)}` }, MARKS[kind][0]), ` ${words}`)," "]));
  const list = element("div", { class: "changes", role: "list" });
  const ends = run.changes.length - 1;
  run.changes.forEach(([kind, failing, passing, elsewhere], at) => {
    if (kind === "same") list.append(...sameLines(failing, passing, at > 0, at < ends));
    else if (failing.length) failing.forEach((number, i) => list.append(failingLine(kind, number, elsewhere[i])));
    else passing.forEach((number, i) => list.append(passingLine(kind, number, elsewhere[i])));
  });
  return [legend, list];
}

const kindClass = (kind) => kind.replace(" ", "-");

/** What is the same, without its middle, which can be unfolded. */
function sameLines(failing, passing, after, before) {
  const [head, tail] = [after ? NEAR : 0, before ? NEAR : 0];
  const line = (i) => failingLine("same", failing[i], passing[i]);
  const all = failing.map((_, i) => i);
  if (failing.length <= head + tail + 1) return all.map(line);
  const middle = all.slice(head, failing.length - tail);
  const fold = element("button", { type: "button", class: "fold" }, `⋯ ${plural(middle.length, "step")} in both`);
  const unfold = () => fold.replaceWith(...middle.map(line));
  fold.addEventListener("click", () => {
    unfold();
    showChange(picture.current, false);
  });
  for (const i of middle) changeRows.set(failing[i], { unfold: fold });
  return [...all.slice(0, head).map(line), fold, ...all.slice(failing.length - tail).map(line)];
}

function failingLine(kind, number, other) {
  const step = steps[number];
  const note = kind === "moved here" ? `step ${other} in the passing run` : "";
  const made = changeLine(kind, number, kind === "same" ? other : "", [whose(step), step.what], step.after.length ? step.after[tellingOf(step.after)] : null, note);
  if (step.deviates) made.querySelector(".words").prepend(element("b", { class: "flag", title: "deviates" }, "▼ "));
  made.addEventListener("click", () => goTo(number));
  changeRows.set(number, made);
  return made;
}

function passingLine(kind, number, other) {
  const [who, what, place] = run.passing[number];
  const note = kind === "moved away" ? `step ${other} in this run` : "";
  const made = changeLine(kind, "", number, [who, what], place, note);
  if (kind === "moved away") made.addEventListener("click", () => goTo(other));
  else made.disabled = true;
  return made;
}

function changeLine(kind, failing, passing, [who, what], place, note) {
  return element("button", { type: "button", class: `change ${kindClass(kind)}`, role: "listitem" },
    element("span", { class: `sign ${kindClass(kind)}`, title: MARKS[kind][1] }, MARKS[kind][0]),
    element("span", { class: "at" }, String(failing)),
    element("span", { class: "at" }, String(passing)),
    element("span", { class: "words" }, element("b", {}, who), ` ${what}`),
    element("span", { class: "note" }, note || (place === null ? "" : `→ ${placeText(place)}`)));
}

let shownChange = null;

/** Mark the current step among the changes. */
function showChange(number, scroll = true) {
  if (shownChange) shownChange.removeAttribute("aria-current");
  const found = changeRows.get(number);
  shownChange = found ? found.unfold || found : null;
  if (!shownChange) return;
  shownChange.setAttribute("aria-current", "step");
  const list = shownChange.parentElement;
  if (!scroll || !list) return;
  const [top, height] = [shownChange.offsetTop - list.offsetTop, list.clientHeight];
  if (top < list.scrollTop || top + 24 > list.scrollTop + height) list.scrollTop = top - height / 2;
}
