import type { StatusReport } from "../report.ts";
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

function isServing({ status }: StatusReport["current"]): boolean {
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
    isWish
      ? undefined
      : wanted && notice(`Wanted: ${wanted.status} as ${wanted.role}`, wanted.reason, { at }),
    intent &&
      notice(`An operator asked for ${intent.status}`, intent.reason, { at, since: intent.since }),
  ];
}

/** Why the current status is served, where no notice below says it. */
function whyLine({ current, currentSince, at, notReady, term }: StatusReport): Child {
  const parts = [
    current.reason === notReady?.reason ? undefined : current.reason,
    term === undefined ? undefined : `term ${term.number}${leaderText(term.leader)}`,
    currentSince === undefined || current.reason === notReady?.reason
      ? undefined
      : `since ${clockTime(currentSince, at)}, for ${ago(currentSince, at)}`,
  ].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? undefined : el("p", "why", parts.join(" · "));
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
