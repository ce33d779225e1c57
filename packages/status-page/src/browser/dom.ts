export type Child = Node | string | undefined;

/** An element of HTML. Texts become text nodes: nothing that a server says is ever read as HTML. */
export function el(tag: string, className: string, ...children: readonly Child[]): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") {
    element.className = className;
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** An element of SVG. */
export function svg(
  tag: string,
  attributes: Readonly<Record<string, string>>,
  ...children: readonly Child[]
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** How much of a limit is used, as a bar. What it says is beside it. */
export function bar(value: number, limit: number): SVGElement {
  const share = Math.min(1, value / Math.max(limit, 1));
  return svg(
    "svg",
    { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "bar-limit", width: "100", height: "10" }),
    svg("rect", {
      class: share >= FULL ? "bar-value bar-full" : "bar-value",
      width: (100 * share).toFixed(1),
      height: "10",
    }),
  );
}

/** From here on a limit is as good as reached. */
const FULL = 0.9;

/** Makes the children of one element those of another. What is the same stays, with its selection. */
export function show(parent: Element, ...children: readonly Child[]): void {
  const next = el("div", "", ...children);
  mergeChildren(parent, next);
}

function mergeChildren(parent: Element, next: Element): void {
  const wanted = [...next.childNodes];
  wanted.forEach((child, index) => {
    const present = parent.childNodes[index];
    if (present === undefined) {
      parent.append(child);
    } else {
      merge(present, child);
    }
  });
  for (const extra of [...parent.childNodes].slice(wanted.length)) {
    extra.remove();
  }
}

function merge(present: ChildNode, next: ChildNode): void {
  if (present instanceof Text && next instanceof Text) {
    if (present.data !== next.data) {
      present.data = next.data;
    }
  } else if (
    present instanceof Element &&
    next instanceof Element &&
    present.tagName === next.tagName
  ) {
    mergeAttributes(present, next);
    mergeChildren(present, next);
  } else {
    present.replaceWith(next);
  }
}

function mergeAttributes(present: Element, next: Element): void {
  for (const name of present.getAttributeNames()) {
    if (!next.hasAttribute(name)) {
      present.removeAttribute(name);
    }
  }
  for (const { name, value } of next.attributes) {
    if (present.getAttribute(name) !== value) {
      present.setAttribute(name, value);
    }
  }
}
