// The timeline: only what can be seen is drawn, so that long runs are as quick as short ones.

const ROW = 24;
/** Numbers, flags, and, where time goes on at all, when it does. */
const RULER = hasTimes ? 44 : 30;
const WIDTHS = [5, 8, 12, 18, 26, 40, 64];
const LETTER = 7.3;

const picture = {
  box: byId("timeline"),
  extent: byId("extent"),
  svg: byId("picture"),
  zoom: 4,
  current: 0,
  names: 0,
  asked: false,

  get column() {
    return WIDTHS[this.zoom];
  },

  /** Choose a width at which the run fits, if there is one. */
  begin() {
    const room = this.box.clientWidth - this.nameWidth();
    while (this.zoom > 2 && steps.length * this.column > room) this.zoom -= 1;
    if (steps.length * this.column > room) this.zoom = 3;
    while (this.zoom < 5 && steps.length * WIDTHS[this.zoom + 1] <= room) this.zoom += 1;
    this.box.addEventListener("scroll", () => this.ask());
    new ResizeObserver(() => this.resize()).observe(this.box);
    this.resize();
  },

  nameWidth() {
    const longest = Math.max(...rows.map((row) => row.label.length + row.depth * 1.7), 6);
    return Math.round(Math.min(longest * LETTER + 24, Math.max(this.box.clientWidth * 0.34, 110)));
  },

  resize() {
    this.names = this.nameWidth();
    this.extent.style.width = `${this.names + steps.length * this.column + 24}px`;
    this.extent.style.height = `${RULER + rows.length * ROW + 4}px`;
    this.svg.setAttribute("width", this.box.clientWidth);
    this.svg.setAttribute("height", this.box.clientHeight);
    this.draw();
  },

  zoomBy(change) {
    this.zoom = Math.min(Math.max(this.zoom + change, 0), WIDTHS.length - 1);
    this.resize();
    this.show(this.current);
  },

  /** Draw in the next frame, once. */
  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  },

  /** Make a step the current one, and scroll to it if it is out of sight. */
  show(number) {
    this.current = number;
    const { box, column, names } = this;
    const x = number * column;
    const width = box.clientWidth - names;
    const margin = Math.min(column * 4, width / 3);
    if (x < box.scrollLeft + margin) box.scrollLeft = x - width / 3;
    else if (x + column > box.scrollLeft + width - margin) box.scrollLeft = x - (width * 2) / 3;
    const y = steps.length ? steps[number].row * ROW : 0;
    const height = box.clientHeight - RULER;
    if (y < box.scrollTop + ROW) box.scrollTop = y - ROW * 2;
    else if (y + ROW * 2 > box.scrollTop + height) box.scrollTop = y + ROW * 3 - height;
    this.ask();
  },

  x(number) {
    return this.names + (number + 0.5) * this.column - this.box.scrollLeft;
  },

  y(row) {
    return RULER + (row + 0.5) * ROW - this.box.scrollTop;
  },

  /** The step at a place of the window; undefined: there is none. */
  stepAt(clientX) {
    const x = clientX - this.box.getBoundingClientRect().left - this.box.clientLeft;
    if (x < this.names) return undefined;
    const number = Math.floor((x - this.names + this.box.scrollLeft) / this.column);
    return number < steps.length ? number : undefined;
  },

  draw() {
    const { box, column, names } = this;
    const first = Math.max(Math.floor(box.scrollLeft / column) - 1, 0);
    const last = Math.min(first + Math.ceil((box.clientWidth - names) / column) + 2, steps.length - 1);
    const top = Math.max(Math.floor(box.scrollTop / ROW) - 1, 0);
    const bottom = Math.min(top + Math.ceil((box.clientHeight - RULER) / ROW) + 2, rows.length - 1);
    const seen = { first, last, top, bottom };
    const body = shape("g", { "clip-path": "url(#body)" });
    body.append(...this.bands(seen), ...this.lines(seen), ...this.marks(seen), ...this.veil());
    body.append(...this.arrows());
    const width = box.clientWidth;
    const clip = shape("clipPath", { id: "body" },
      shape("rect", { x: names, y: RULER, width: Math.max(width - names, 0), height: box.clientHeight }));
    this.svg.replaceChildren(shape("defs", {}, clip), body, ...this.ruler(seen), ...this.labels(seen));
  },

  // --- parts of the picture ---

  bands({ first, last, top, bottom }) {
    const { column, box } = this;
    const drawn = [];
    for (let row = top; row <= bottom; row += 1) {
      if (rows[row].kind !== "task") continue;
      drawn.push(shape("rect", { class: "row", x: 0, y: this.y(row) - ROW / 2, width: box.clientWidth, height: ROW }));
    }
    for (const number of [...deviations.slice(countUpTo(deviations, first - 1), countUpTo(deviations, last))]) {
      drawn.push(shape("rect", { class: "deviation-band", x: this.x(number) - column / 2, y: 0, width: column, height: box.clientHeight }));
    }
    drawn.push(shape("rect", { class: "current-band", x: this.x(this.current) - column / 2, y: 0, width: column, height: box.clientHeight }));
    return drawn;
  },

  lines({ first, last, top, bottom }) {
    const drawn = [];
    const end = this.x(steps.length - 1) + this.column / 2 + 10;
    for (let number = top; number <= bottom; number += 1) {
      const row = rows[number];
      const y = this.y(number);
      if (row.kind === "task" && row.begins <= last && (row.ends ?? last) >= first) {
        const stop = row.ends === null ? end : this.x(row.ends);
        drawn.push(shape("line", { class: row.ends === null ? "life open" : "life", x1: this.x(row.begins), x2: stop, y1: y, y2: y }));
        if (row.ends === null) drawn.push(shape("path", { class: "life-end", d: `M${end - 5} ${y - 5}l5 5l-5 5` }));
      }
      for (const span of row.spans) {
        if (span.begins > last + 1) break;
        if ((span.ends ?? last) >= first) drawn.push(...this.span(span, y, end));
      }
    }
    return drawn;
  },

  span(span, y, end) {
    const x = this.x(span.begins);
    const width = Math.max((span.lost ? end : this.x(span.ends)) - x, 2);
    const word = ["read", "write", "flush"].includes(span.word) ? span.word : "other";
    const drawn = [];
    if (span.sender !== undefined) {
      const from = this.y(span.sender) + 8;
      drawn.push(shape("line", { class: "sent", x1: x, x2: x, y1: Math.max(from, RULER), y2: y }));
    }
    const title = shape("title", {}, `${span.label}, sent off by ${whoSent(span)} in step ${span.begins}, ${span.lost ? "never completed" : `completed in step ${span.ends}`}`);
    drawn.push(shape("rect", { class: `span ${word}${span.lost ? " lost" : ""}`, x, y: y - 7, width, height: 14, rx: 3 }, title));
    const left = Math.max(x, this.names);
    const room = x + width - left - 12;
    if (room > span.label.length * 6.2) drawn.push(shape("text", { class: `span-text ${word}`, x: left + 5, y: y + 3.5 }, span.label));
    return drawn;
  },

  marks({ first, last }) {
    const drawn = [];
    for (let number = first; number <= last; number += 1) {
      const step = steps[number];
      const x = this.x(number);
      if (step.deviates && step.picked && step.instead != null) {
        const [from, to] = [this.y(step.instead), this.y(step.row)];
        const size = this.size() + 2;
        drawn.push(shape("line", { class: "instead", x1: x, x2: x, y1: from, y2: to }));
        drawn.push(shape("rect", { class: "instead", x: x - size / 2, y: from - size / 2, width: size, height: size, rx: 2 }));
      }
      drawn.push(this.mark(step, x, this.y(step.row)));
    }
    return drawn;
  },

  size() {
    return Math.min(Math.max(this.column - 3, 3), 14);
  },

  mark(step, x, y) {
    const half = this.size() / 2;
    const kind = ["task", "request", "thread", "timer"].includes(step.kind) ? step.kind : "call";
    const names = ["mark", kind];
    if (step.deviates) names.push("deviates");
    if (step.number === this.current) names.push("current");
    if (step.raised) names.push("raised");
    const group = shape("g", { class: names.join(" "), "data-step": step.number });
    group.append(shape("title", {}, `Step ${step.number}: ${whose(step)}: ${step.what}`));
    if (kind === "task") {
      group.append(shape("rect", { x: x - half, y: y - half, width: half * 2, height: half * 2, rx: 2 }));
    } else if (kind === "timer") {
      group.append(shape("path", { d: `M${x} ${y - half}l${half} ${half}l${-half} ${half}l${-half} ${-half}z` }));
    } else {
      const radius = kind === "call" ? Math.max(half * 0.6, 1.5) : half;
      group.append(shape("circle", { cx: x, cy: y, r: radius }));
    }
    if (step.raised && half > 4) {
      const arm = half - 3;
      group.append(shape("path", { class: "cross", d: `M${x - arm} ${y - arm}l${2 * arm} ${2 * arm}m0 ${-2 * arm}l${-2 * arm} ${2 * arm}` }));
    }
    return group;
  },

  /** What is still to come is paler. */
  veil() {
    const x = this.x(this.current) + this.column / 2;
    const width = this.box.clientWidth - x;
    return width > 0 ? [shape("rect", { class: "veil", x, y: 0, width, height: this.box.clientHeight })] : [];
  },

  /** Of the current step: from what completed to who goes on. */
  arrows() {
    const step = steps[this.current];
    if (!step || step.sender === undefined) return [];
    const next = firstAbove(taskStepsOfRow[step.sender], this.current);
    if (next === undefined) return [];
    const [x, y] = [this.x(this.current), this.y(step.row)];
    const [toX, toY] = [this.x(next), this.y(step.sender)];
    const half = this.size() / 2;
    const [endX, endY] = [toX, toY + (toY < y ? half + 2 : -half - 2)];
    const bend = Math.max((toX - x) / 2, 10);
    const tip = toY < y ? 5 : -5;
    return [
      shape("path", { class: "woken", d: `M${x} ${y}C${x + bend} ${y} ${toX} ${(y + toY) / 2} ${endX} ${endY}` }),
      shape("path", { class: "woken", d: `M${endX - 4} ${endY + tip}L${endX} ${endY}L${endX + 4} ${endY + tip}` }),
    ];
  },

  ruler({ first, last }) {
    const { box, column, names } = this;
    const drawn = [shape("rect", { class: "ruler", x: 0, y: 0, width: box.clientWidth, height: RULER })];
    const every = [1, 2, 5, 10, 20, 50, 100].find((each) => each * column >= 26) || 100;
    let shown = -Infinity;
    for (let number = first; number <= last; number += 1) {
      const x = this.x(number);
      if (x < names) continue;
      if (steps[number].deviates) {
        const half = Math.min(column / 2 - 0.5, 6);
        drawn.push(shape("path", { class: "flag", d: `M${x - half} ${RULER - 10}h${2 * half}l${-half} 9z` }));
      }
      if (number % every === 0 && Math.abs(number - this.current) * column > String(number).length * 7 + 8) {
        drawn.push(shape("text", { class: "tick", x, y: 12 }, String(number)));
      }
      const later = hasTimes && number > 0 && steps[number].time !== steps[number - 1].time;
      if (later && x - shown > 70) {
        drawn.push(shape("line", { class: "edge", x1: x - column / 2, x2: x - column / 2, y1: 17, y2: RULER }));
        drawn.push(shape("text", { class: "time", x: x - column / 2 + 2, y: 27 }, timeText(steps[number].time)));
        shown = x;
      }
    }
    const x = this.x(this.current);
    if (x >= names && steps.length) {
      const width = String(this.current).length * 8 + 10;
      drawn.push(shape("rect", { class: "now", x: x - width / 2, y: 1, width, height: 15, rx: 7 }));
      drawn.push(shape("text", { class: "now", x, y: 12 }, String(this.current)));
    }
    return drawn;
  },

  labels({ top, bottom }) {
    const { box, names } = this;
    const drawn = [shape("rect", { class: "names", x: 0, y: RULER, width: names, height: box.clientHeight })];
    const here = shape("g", { "clip-path": "url(#names)" });
    const clip = shape("clipPath", { id: "names" }, shape("rect", { x: 0, y: RULER, width: names, height: box.clientHeight }));
    for (let number = top; number <= bottom; number += 1) {
      const row = rows[number];
      const x = 10 + row.depth * 12;
      const room = Math.floor((names - x - 8) / LETTER);
      const label = row.label.length > room ? `${row.label.slice(0, room - 1)}…` : row.label;
      const current = steps.length && steps[this.current].row === number ? " current" : "";
      if (current) here.append(shape("rect", { class: "current-name", x: 0, y: this.y(number) - ROW / 2, width: names, height: ROW }));
      here.append(shape("text", { class: `name ${row.kind}${current}`, x, y: this.y(number) + 4 }, shape("title", {}, row.name), label));
    }
    drawn.push(shape("defs", {}, clip), here);
    drawn.push(shape("rect", { class: "ruler", x: 0, y: 0, width: names, height: RULER }));
    drawn.push(shape("line", { class: "edge", x1: names - 0.5, x2: names - 0.5, y1: 0, y2: box.clientHeight }));
    drawn.push(shape("text", { class: "tick corner", x: 10, y: 12 }, "step"));
    if (hasTimes) drawn.push(shape("text", { class: "tick corner", x: 10, y: 27 }, "time"));
    return drawn;
  },
};
