// Elements of the page, made without ever reading text as markup.

const byId = (id) => document.getElementById(id);

/** Make an element: attributes, then children, which are elements or plain text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null && child !== ""));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make a part of a picture. */
function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A name that may be broken behind its slashes. */
function breakable(name) {
  return name.split(/(?<=\/)/).flatMap((part, number) => (number ? [element("wbr"), part] : [part]));
}

/** Virtual time, as short as it can be said. */
function timeText(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 1e-3) return `${+(seconds * 1e6).toPrecision(6)} µs`;
  if (seconds < 1) return `${+(seconds * 1e3).toPrecision(6)} ms`;
  return `${+seconds.toPrecision(9)} s`;
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Copy the text of a field; where the clipboard is closed to us, by way of the selection. */
async function copyText(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
