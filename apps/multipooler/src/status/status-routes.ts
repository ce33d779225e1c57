import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { PAGE_FILES } from "@multipooler/status-page";
import type { PageFile } from "@multipooler/status-page";
import { errorAnswer, jsonAnswer, sendAnswer } from "../http/http-answer.ts";
import type { HttpAnswer } from "../http/http-answer.ts";
import type { Route, RouteRequest } from "../http/route.ts";
import type { StatusFeed } from "./status-feed.ts";

/** The page runs its own scripts, and nothing else; no other page may frame it. */
const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

export interface StatusRoutesOptions {
  readonly feed: StatusFeed;
  /** Answers OPTIONS of `/`. */
  readonly options: (request: RouteRequest) => HttpAnswer;
}

/**
 * The status page at `/` with its files, what it shows as JSON at `/status`, and as a stream at
 * `/status/events`. They name users and are not for pages of other origins.
 */
export function statusRoutes({ feed, options }: StatusRoutesOptions): [string, Route][] {
  return [
    ...PAGE_FILES.map((file): [string, Route] => [
      file.path,
      {
        type: "page",
        answer: async () => await pageAnswer(file),
        options: file.path === "/" ? options : undefined,
      },
    ]),
    ["/status", { type: "page", answer: () => jsonAnswer(200, feed.report(), {}) }],
    ["/status/events", { type: "stream", open: (response) => openEvents(feed, response) }],
  ];
}

async function pageAnswer({ location, contentType }: PageFile): Promise<HttpAnswer> {
  const headers = { ...PAGE_HEADERS, "content-type": contentType };
  return { status: 200, body: await readFile(location), headers };
}

function openEvents(feed: StatusFeed, response: ServerResponse): void {
  if (!feed.subscribe(response)) {
    const error = "too many browsers follow this pooler";
    sendAnswer(response, errorAnswer(503, { code: "TOO_MANY_SUBSCRIBERS", error }));
  }
}
