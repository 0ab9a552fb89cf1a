// What is said about the current step, and about everybody after it.

/** Something to press that leads to a step. */
function stepLink(number, text, title) {
  return element("button", { type: "button", class: "link", onclick: () => goTo(number), title }, text);
}

/** Name an action; where it is what some step began with, lead there. */
function actionLink([key, words]) {
  const number = stepOfKey.get(key);
  if (number === undefined) return element("span", { title: nameOf(key) }, words);
  return stepLink(number, words, `${nameOf(key)}: step ${number}`);
}

function entry(term, ...values) {
  return [element("dt", {}, term), element("dd", {}, ...values)];
}

// --- this step ---

function stepPanel(step) {
  const list = element("dl", {});
  list.append(...entry("Who", element("span", { class: "key" }, whose(step))));
  list.append(...entry("What", step.what, step.raised ? element("pre", { class: "raised" }, step.raised) : null));
  if (step.waits) list.append(...entry("Then waits for", waitText(step)));
  if (step.sent) list.append(...entry("Sends off", list_(step.sent, sentLine)));
  const span = spanOfKey.get(step.key);
  if (span) {
    list.append(...entry("Was sent off", stepLink(span.begins, `in step ${span.begins}`), ` by ${whoSent(span)}`));
  }
  const touched = step.touched.map((number) => run.touches[number]);
  const bytes = touched.filter((touch) => touch.length > 2);
  const objects = touched.filter((touch) => touch.length === 2);
  if (bytes.length) list.append(...entry("Touches", list_(bytes, touchLine)));
  if (objects.length) list.append(...entry(bytes.length ? "and" : "Touches", objectLines(objects)));
  if (hasTimes) list.append(...entry("Virtual time", timeText(step.time)));
  return [...deviationLines(step), list, ...optionLines(step), ...choiceLines(step)];
}

const list_ = (items, line) => element("ul", {}, ...items.map((item) => element("li", {}, ...[line(item)].flat())));

function sentLine(key) {
  const span = spanOfKey.get(key);
  const end = span && !span.lost ? [", completes ", stepLink(span.ends, `in step ${span.ends}`)] : [", never completes"];
  return [element("span", { class: "key" }, span ? span.label : nameOf(key)), ...end];
}

function touchLine([how, node, offset, length]) {
  const word = element("span", { class: `touch ${how}` }, how);
  if (how === "flush") return [word, " ", element("span", { class: "key" }, node)];
  const range = `bytes ${offset} to ${offset + length}`;
  return [word, " ", element("span", { class: "key" }, node), ` ${range} (${length})`];
}

/** Objects that are no disks: what was changed, then what was only looked at. */
function objectLines(objects) {
  const changed = new Set(objects.filter(([how]) => how !== "read").map(([, name]) => name));
  const looked = new Set(objects.map(([, name]) => name).filter((name) => !changed.has(name)));
  const line = (word, names) => element("li", {}, `${word} `, element("span", { class: "key" }, [...names].join(", ")));
  return element("ul", {}, changed.size ? line("changes", changed) : null, looked.size ? line("looks at", looked) : null);
}

/** Whether a task may wait for what it has in flight. */
const ofRequest = (waits) => /^flight /.test(waits);

/** What a task waits for; of a future without a name, what it has in flight may tell. */
function waitText(step) {
  const own = inFlightAfter(step.number).filter((span) => span.sender === step.row);
  return ofRequest(step.waits) && own.length === 1 ? `${own[0].label} to complete` : step.waits;
}

function deviationLines(step) {
  const flag = () => element("b", { class: "flag", "aria-hidden": "true" }, "▼ ");
  const lines = [];
  if (step.picked) {
    const [taken, usual] = [step.options[step.picked], step.options[0]];
    lines.push(element("p", { class: "deviation" }, flag(), "Taken here: ", element("b", { title: nameOf(taken[0]) }, taken[1]), ", instead of ", actionLink(usual), ", which would have come anyway."));
  }
  for (const [key, ways, value] of step.chosen) {
    lines.push(element("p", { class: "deviation" }, flag(), "Chosen here: ", element("b", {}, `${key} = ${value}`), ` of 0 to ${ways - 1}; it would have been 0 anyway.`));
  }
  return lines;
}

function optionLines(step) {
  if (!step.options) return [element("p", { class: "quiet" }, "Nothing else was possible.")];
  const list = element("ol", { class: "options", start: 0 });
  step.options.forEach((option, number) => {
    const taken = number === step.picked;
    const note = [taken ? "taken" : "", number === 0 ? "the usual one" : ""].filter(Boolean).join(", ");
    list.append(element("li", { class: taken ? "taken" : "" }, taken ? element("span", { title: nameOf(option[0]) }, option[1]) : actionLink(option), note ? element("span", { class: "note" }, ` ${note}`) : null));
  });
  return [element("h3", {}, `Possible here: ${step.options.length}`), list];
}

function choiceLines(step) {
  const usual = (step.choices || []).filter(([, , value]) => value === 0);
  if (!usual.length) return [];
  return [element("h3", {}, "Also chosen, as usual"), list_(usual, ([key, ways]) => `${key} = 0 of ${ways}`)];
}

// --- source ---

/** Lines shown before and after a place. */
const CONTEXT = 4;

function sourcePanel(step) {
  if (step.kind !== "task") return senderSource(step);
  const begins = taskStepsOfRow[step.row][0] === step.number;
  if (isNear(step)) return bothPlaces(step, begins);
  const parts = [];
  if (step.before.length) parts.push(...stack(begins ? "Begins at" : "Goes on from", step.before, "from"));
  if (step.after.length) parts.push(...stack("Then waits at", step.after, "to"));
  else if (!step.raised) parts.push(element("p", { class: "quiet" }, "Then it is over."));
  else parts.push(...raisedSource());
  return parts;
}

/** Whether a task went from one line to another one nearby, called from the same place. */
function isNear({ before, after }) {
  if (!before.length || before.length !== after.length) return false;
  if (before.slice(0, -1).some((place, number) => place !== after[number])) return false;
  const [file, line, name] = run.places[before[before.length - 1]];
  const [toFile, toLine, toName] = run.places[after[after.length - 1]];
  return file === toFile && name === toName && Math.abs(line - toLine) <= 2 * CONTEXT;
}

function bothPlaces({ before, after }, begins) {
  const from = before[before.length - 1];
  const [line, toLine] = [from, after[after.length - 1]].map((place) => run.places[place][1]);
  const heading = line === toLine ? `Goes on from line ${line}, and waits there again` : `${begins ? "Begins at" : "Goes on from"} line ${line}, then waits at line ${toLine}`;
  return stack(heading, after, "to", from);
}

/** A step of no task has no line; whoever sent it off waits at one. */
function senderSource(step) {
  const task = step.sender ?? step.row;
  const last = lastUpTo(taskStepsOfRow[task] || [], step.number);
  if (last === undefined || !steps[last].after.length) {
    return [element("p", { class: "quiet" }, "No line of the scenario belongs to this step.")];
  }
  return stack(`${rows[task].name} waits at`, steps[last].after, "to");
}

function raisedSource() {
  const last = run.errors[run.errors.length - 1];
  return last && last.stack.length ? stack("Then it raises at", last.stack, "to") : [];
}

/** A place with its callers, the outermost first; the innermost is open. */
function stack(heading, places, way, from) {
  const telling = tellingOf(places);
  const innermost = places.length - 1;
  const parts = places.map((place, number) => {
    const [file, line, name] = run.places[place];
    const summary = element("summary", {},
      element("span", { class: "place" }, `${run.files[file].path}:${line}`), ` in ${name}`,
      number === telling ? null : element("code", { class: "line-text" }, placeLine(place)));
    return element("details", { open: number === telling, class: "frame" }, summary, excerpt(place, way, number === innermost ? from : undefined));
  });
  return [element("h3", {}, heading), ...parts];
}

/** The lines around a place, and around the one that its task came from, if that is near. */
function excerpt(place, way, from = place) {
  const [file, line] = run.places[place];
  const start = run.places[from][1];
  const lines = run.files[file].lines;
  const numbers = [];
  for (let number = Math.min(line, start) - CONTEXT; number <= Math.max(line, start) + CONTEXT; number += 1) {
    if (lines[number] !== undefined) numbers.push(number);
  }
  if (!numbers.length) return element("p", { class: "quiet" }, "The source is not there.");
  const blank = (text) => text.length - text.trimStart().length;
  const filled = numbers.filter((number) => lines[number].trim());
  const indent = Math.min(...filled.map((number) => blank(lines[number])), 200);
  const code = element("pre", { class: "code", tabindex: 0 });
  for (const number of numbers) {
    const kind = number === line ? way : number === start ? "from" : "";
    const sign = { to: "➤", from: "▷", "": " " }[kind];
    code.append(element("span", { class: kind ? `line here ${kind}` : "line" },
      element("span", { class: "number" }, `${sign}${String(number).padStart(5)} `),
      `${lines[number].slice(indent)}\n`));
  }
  return code;
}

// --- everybody ---

function everybodyPanel(number) {
  const flying = inFlightAfter(number);
  const body = element("tbody", {});
  rows.forEach((row, at) => {
    if (row.kind !== "task" || row.begins > number) return;
    const own = flying.filter((span) => span.sender === at);
    const current = steps[number].row === at || steps[number].sender === at;
    body.append(element("tr", { class: current ? "current" : "" },
      element("th", { scope: "row", class: "key" }, ...breakable(row.name)),
      element("td", {}, ...taskState(at, number, own)),
      element("td", {}, ...own.map((span) => element("div", {}, element("span", { class: `touch ${span.word}` }, span.label))))));
  });
  const head = element("tr", {}, ...["Task", "State", "In flight"].map((text) => element("th", { scope: "col" }, text)));
  const parts = [element("table", {}, element("thead", {}, head), body)];
  const others = flying.filter((span) => span.sender === undefined);
  if (others.length) parts.push(element("p", {}, `In flight of nobody: ${others.map((span) => span.label).join(", ")}`));
  return parts;
}

function taskState(row, number, own) {
  const last = lastUpTo(taskStepsOfRow[row], number);
  if (last === undefined) return ["not begun"];
  const step = steps[last];
  if (step.raised) return [stepLink(last, "over"), `: ${step.raised}`];
  if (!step.after.length) return [stepLink(last, "over"), ` since step ${last}`];
  const place = step.after[tellingOf(step.after)];
  if (ofRequest(step.waits) && !own.length) return ["goes on next, at ", stepLink(last, placeText(place), placeLine(place))];
  const what = ofRequest(step.waits) && own.length === 1 ? "its request" : step.waits || "its turn";
  return [`waits for ${what}, `, stepLink(last, placeText(place), placeLine(place)), ` since step ${last}`];
}
