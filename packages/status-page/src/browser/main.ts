import type { StatusReport, WorkSample } from "../report.ts";
import { charts } from "./charts.ts";
import { show } from "./dom.ts";
import type { Child } from "./dom.ts";
import { clockTime } from "./format.ts";
import { headline, toneOf, windowTitle } from "./headline.ts";
import { History } from "./history.ts";
import { facts } from "./sections.ts";
import { holders, peers, pools, transitions } from "./tables.ts";

/** Where the pooler tells what it does. */
const EVENTS = "/status/events";
/** Events come each second; a network may swallow some. */
const SILENCE_MS = 5000;
/** A browser gives up at an answer that is no stream, such as one of a proxy. */
const RETRY_MS = 3000;

const history = new History();
let lastAt: string | undefined;
let silence: number | undefined;

function fill(id: string, children: readonly Child[]): void {
  const section = document.querySelector(`#${id}`);
  if (section !== null) {
    show(section, ...children);
  }
}

function render(report: StatusReport): void {
  document.title = windowTitle(report);
  document.documentElement.dataset["tone"] = toneOf(report);
  fill("headline", headline(report));
  fill("facts", facts(report));
  fill("charts", charts(history.samples));
  fill("pools", pools(report));
  fill("holders", holders(report));
  fill("transitions", transitions(report));
  fill("peers", peers(report));
}

/** What is shown is as old as the last event: say so, or it would be taken for the present. */
function markSilent(): void {
  document.documentElement.dataset["link"] = "lost";
  const since = lastAt === undefined ? "" : ` What you see is of ${clockTime(lastAt, lastAt)}.`;
  fill("link", [`The pooler does not answer.${since}`]);
}

function heard(): void {
  clearTimeout(silence);
  silence = setTimeout(markSilent, SILENCE_MS);
  document.documentElement.dataset["link"] = "live";
  fill("link", []);
}

function follow(): void {
  const events = new EventSource(EVENTS);
  events.addEventListener("history", ({ data }: MessageEvent<string>) => {
    const samples: unknown = JSON.parse(data);
    if (isHistory(samples)) {
      history.replace(samples);
    }
  });
  events.addEventListener("status", ({ data }: MessageEvent<string>) => {
    const report: unknown = JSON.parse(data);
    if (isReport(report)) {
      lastAt = report.at;
      history.add(report.sample);
      heard();
      render(report);
    }
  });
  events.addEventListener("error", () => {
    markSilent();
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(follow, RETRY_MS);
    }
  });
}

/** No more than a glance: the pooler that tells it has served this script, too. */
function isReport(value: unknown): value is StatusReport {
  return typeof value === "object" && value !== null && "at" in value && "sample" in value;
}

function isHistory(value: unknown): value is readonly WorkSample[] {
  return Array.isArray(value);
}

follow();
