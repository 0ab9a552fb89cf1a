// The run that is shown, and what can be looked up in it.

const run = JSON.parse(byId("run").textContent);
const steps = run.steps;
const rows = run.rows;

/** Numbers of the steps that deviate. */
const deviations = [];
/** For each row, the numbers of its steps, rising; for each key, that of its step. */
const stepsOfRow = rows.map(() => []);
const stepOfKey = new Map();
/** For what is in flight, by key: its row and its span. */
const spanOfKey = new Map();
/** The steps of tasks, for each row. */
const taskStepsOfRow = rows.map(() => []);

steps.forEach((step, number) => {
  step.number = number;
  step.chosen = (step.choices || []).filter(([, , value]) => value !== 0);
  step.deviates = Boolean(step.picked) || step.chosen.length > 0;
  if (step.deviates) deviations.push(number);
  stepsOfRow[step.row].push(number);
  if (step.kind === "task") taskStepsOfRow[step.row].push(number);
  stepOfKey.set(step.key, number);
});
rows.forEach((row, number) => {
  for (const span of row.spans) {
    span.row = number;
    row.label ||= span.label;
    span.word = span.label.split(" ")[0];
    span.lost = span.ends === null;
    spanOfKey.set(span.key, span);
  }
});
steps.forEach((step) => {
  for (const key of step.sent || []) {
    const span = spanOfKey.get(key);
    if (span) span.sender = step.sender ?? step.row;
  }
});

const hasTimes = steps.some((step) => step.time !== 0);

/** How many of a rising list are at most a number. */
function countUpTo(list, number) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last of a rising list that is at most a number; undefined: there is none. */
const lastUpTo = (list, number) => list[countUpTo(list, number) - 1];
/** The first of a rising list that is above a number; undefined: there is none. */
const firstAbove = (list, number) => list[countUpTo(list, number)];

const nameOf = (key) => run.names[key];

/** In the file of the task's own function, the innermost place tells most; the rest may be helpers. */
function tellingOf(stack) {
  const home = run.places[stack[0]][0];
  return stack.findLastIndex((place) => run.places[place][0] === home);
}

/** A place in words, short: "file.py:12". */
function placeText(place) {
  const [file, line] = run.places[place];
  return `${run.files[file].path.split(/[\\/]/).pop()}:${line}`;
}

/** The line itself. */
function placeLine(place) {
  const [file, line] = run.places[place];
  return (run.files[file].lines[line] || "").trim();
}

/** Whose the step is. */
function whose(step) {
  const span = spanOfKey.get(step.key);
  return span ? whoSent(span) : rows[step.row].name;
}

const whoSent = (span) => (span.sender === undefined ? "event loop" : rows[span.sender].name);

/** What is in flight after a step, by sender. */
function inFlightAfter(number) {
  const flying = [];
  for (const row of rows) {
    for (const span of row.spans) {
      if (span.begins <= number && (span.lost || span.ends > number)) flying.push(span);
    }
  }
  return flying;
}
