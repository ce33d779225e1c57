/** A file of the page. */
export interface PageFile {
  /** Where a browser asks for it. The other files are beside it. */
  readonly path: string;
  readonly contentType: string;
  readonly location: URL;
}

const JAVASCRIPT = "text/javascript; charset=utf-8";

/** What the browser loads, from `main.js` on. */
const SCRIPTS = [
  "main.js",
  "charts.js",
  "dom.js",
  "format.js",
  "headline.js",
  "history.js",
  "sections.js",
  "tables.js",
] as const;

/**
 * The files of the page; the first is the page itself. Its scripts ask for `/status/events`: a stream of
 * server-sent events in JSON. First comes `history` with the samples of the last minutes, oldest first,
 * then a `status` with a `StatusReport` each second, and at once when the status changes.
 */
export const PAGE_FILES: readonly PageFile[] = [
  page("/", "index.html", "text/html; charset=utf-8"),
  page("/status.css", "status.css", "text/css; charset=utf-8"),
  page("/favicon.svg", "favicon.svg", "image/svg+xml"),
  ...SCRIPTS.map((name) => ({
    path: `/status/${name}`,
    contentType: JAVASCRIPT,
    location: new URL(`../dist/browser/${name}`, import.meta.url),
  })),
];

function page(path: string, name: string, contentType: string): PageFile {
  return { path, contentType, location: new URL(`../dist/page/${name}`, import.meta.url) };
}
