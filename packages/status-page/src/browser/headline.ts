import type { ServingReport, StatusReport } from "../report.ts";
import { el } from "./dom.ts";
import type { Child } from "./dom.ts";
import { ago, clockTime } from "./format.ts";

/**
 * How worried the reader should be.
 *
 * | tone | when                                                   |
 * | ---- | ------------------------------------------------------ |
 * | good | it serves what its role allows, and nothing else is wanted |
 * | busy | it changes, starts, or an operator holds something back |
 * | bad  | it is not ready, and nobody wished it                  |
 */
export type Tone = "good" | "busy" | "bad";

/** The codes of a pooler that is unready on purpose, or soon will not be. */
const EXPECTED: ReadonlySet<string> = new Set([
  "STARTING",
  "DRAINED",
  "STOPPING",
  "CHANGING",
  "DATABASE_IN_TRANSITION",
]);

export function toneOf({ ready, notReady, wanted, intent }: StatusReport): Tone {
  if (!ready) {
    return notReady !== undefined && EXPECTED.has(notReady.code) ? "busy" : "bad";
  }
  return wanted === undefined && intent === undefined ? "good" : "busy";
}

/** What the pooler does, in two words, and what it is on the way to. */
export function statusWords({ current, wanted, state, notReady, ready }: StatusReport): string {
  if (state === "error") {
    return "Cannot start";
  }
  if (wanted !== undefined && wanted.status !== current.status) {
    const words = `${wordOf(current.status)} → ${wordOf(wanted.status).toLowerCase()}`;
    return notReady?.code === "STOPPING" ? `Stopping: ${words.toLowerCase()}` : words;
  }
  return !ready && isServing(current)
    ? `${wordOf(current.status)}, not ready`
    : wordOf(current.status);
}

function wordOf(status: string): string {
  switch (status) {
    case "SERVING":
      return "Serving";
    case "SERVING_RDONLY":
      return "Serving reads";
    case "DRAINED":
      return "Drained";
    case "NOT_SERVING":
      return "Not serving";
    default:
      return status;
  }
}

/** The title of the window: what counts, also in a row of tabs. */
export function windowTitle(report: StatusReport): string {
  const { pooler } = report;
  const mark = { good: "●", busy: "◐", bad: "✖" }[toneOf(report)];
  return `${mark} ${pooler.cell}/${pooler.name} ${roleOf(report).toLowerCase()}`;
}

/** What it serves as; what it is in the topology where it serves nothing, as a primary that is down. */
export function roleOf({ current, type }: StatusReport): string {
  const isKnown = type === "PRIMARY" || type === "REPLICA";
  return isServing(current) || !isKnown ? current.role : type;
}

function isServing({ status }: ServingReport): boolean {
  return status === "SERVING" || status === "SERVING_RDONLY";
}

/** Role, status, and why. Each reason is there once. */
export function headline(report: StatusReport): readonly Child[] {
  const { at, notReady, wanted, intent } = report;
  const role = roleOf(report);
  const isWish = intent !== undefined && wanted?.status === intent.status;
  return [
    el(
      "div",
      "status-line",
      el("span", `role role-${role.toLowerCase()}`, role),
      el("h1", "", statusWords(report)),
    ),
    whyLine(report),
    notReady === undefined || isWished(report)
      ? undefined
      : notice("Not ready", notReady.reason, { at, since: notReady.since, code: notReady.code }),
    isWish ? undefined : wanted && notice(wantedTitle(wanted), wanted.reason, { at }),
    intent &&
      notice(`An operator asked for ${intent.status}`, intent.reason, { at, since: intent.since }),
  ];
}

function whyLine(report: StatusReport): Child {
  const text = whyText(report);
  return text === "" ? undefined : el("p", "why", text);
}

/** Why the current status is served and since when, where it is not being left and no notice says it. */
export function whyText({
  current,
  currentSince,
  wanted,
  at,
  notReady,
  term,
}: StatusReport): string {
  const isLeft = wanted !== undefined && wanted.status !== current.status;
  const isSaid = isLeft || current.reason === notReady?.reason;
  return [
    isSaid ? "" : current.reason,
    term === undefined ? "" : `term ${term.number}${leaderText(term.leader)}`,
    currentSince === undefined || isSaid
      ? ""
      : `since ${clockTime(currentSince, at)}, for ${ago(currentSince, at)}`,
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

/** What is wanted. Where that serves nothing, its role would mean nothing. */
export function wantedTitle(wanted: ServingReport): string {
  return `Wanted: ${wanted.status}${isServing(wanted) ? ` as ${wanted.role}` : ""}`;
}

/** The wish of an operator says it all, and is shown itself. */
function isWished({ notReady, intent }: StatusReport): boolean {
  return intent !== undefined && notReady?.code === "DRAINED";
}

function leaderText(leader: string | undefined): string {
  return leader === undefined ? "" : `, led by ${leader}`;
}

function sinceText(since: string, now: string): Child {
  return el("span", "since", ` · since ${clockTime(since, now)}, for ${ago(since, now)}`);
}

function notice(
  title: string,
  reason: string,
  {
    at,
    since,
    code,
  }: { readonly at: string; readonly since?: string | undefined; readonly code?: string },
): HTMLElement {
  return el(
    "p",
    "notice",
    el("strong", "", title),
    reason === "" ? undefined : ` ${reason}`,
    since === undefined ? undefined : sinceText(since, at),
    code === undefined ? undefined : el("code", "", code),
  );
}
