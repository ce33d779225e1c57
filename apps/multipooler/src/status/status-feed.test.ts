import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { WorkSample } from "@multipooler/status-page";
import { ManualClock } from "@multipooler/timing/testing";
import { expect, test, vi } from "vitest";
import { HttpServer } from "../http/http-server.ts";
import { StatusFeed } from "./status-feed.ts";
import { statusRoutes } from "./status-routes.ts";

const WITHIN = { timeout: 20_000 };

/** What a browser reads. */
const noLine = (): void => undefined;

class Browser {
  readonly socket: Socket;
  #text = "";

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => undefined);
    this.socket.write("GET /status/events HTTP/1.1\r\nHost: a\r\n\r\n");
  }

  read(): this {
    this.socket.setEncoding("utf8").on("data", (text: string) => (this.#text += text));
    return this;
  }

  get text(): string {
    return this.#text;
  }

  /** The data of the events of a name, in their order. */
  events(name: string): unknown[] {
    const found = this.#text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g);
    return [...found]
      .filter(([, event]) => event === name)
      .map(([, , data]): unknown => JSON.parse(data ?? ""));
  }
}

function sampleAt(atMs: number): WorkSample {
  return {
    atMs,
    requests: 0,
    transactions: 0,
    errors: 0,
    times: undefined,
    used: 0,
    waiting: 0,
    longestWaitMs: 0,
    bytes: 0,
    lagMs: undefined,
  };
}

/** A feed whose reports say no more than a test needs, behind a real server. */
class Stand implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly feed: StatusFeed;
  readonly server: HttpServer;
  /** As long as a report is. */
  version = "1";
  #listener: () => void = () => undefined;
  watchers = 0;

  constructor() {
    const { clock } = this;
    this.feed = new StatusFeed({
      sample: () => sampleAt(clock.now()),
      report: (sample) => ({ version: this.version, sample }),
      watchStatus: (listener) => {
        this.watchers += 1;
        this.#listener = listener;
        return () => void (this.watchers -= 1);
      },
      onSubscribed: () => undefined,
      maxSubscribers: 2,
      clock,
    });
    this.server = new HttpServer({
      tls: undefined,
      host: "127.0.0.1",
      port: 0,
      maxConnections: 8,
      routes: new Map(
        statusRoutes({
          feed: this.feed,
          options: () => ({ status: 503, body: "", headers: {} }),
        }),
      ),
      logger: { debug: noLine, info: noLine, warn: noLine, error: noLine },
    });
  }

  changed(): void {
    this.#listener();
  }

  async open(): Promise<this> {
    await this.server.listen();
    this.feed.open();
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed.close();
    await this.server.close();
  }
}

test("a browser gets what is remembered, a report each second, and one soon after a change", async () => {
  await using stand = await new Stand().open();
  await stand.clock.advance(3000);
  const browser = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(browser.events("status")).toHaveLength(1), WITHIN);
  expect(browser.events("history")).toMatchObject([
    [0, 1, 2, 3].map((second) => ({ atMs: Date.UTC(2026, 0, 1) + second * 1000 })),
  ]);
  await stand.clock.advance(1000);
  await vi.waitFor(() => expect(browser.events("status")).toHaveLength(2), WITHIN);
  stand.version = "2";
  stand.changed();
  stand.changed();
  await stand.clock.advance(100);
  await vi.waitFor(() => expect(browser.events("status")).toHaveLength(3), WITHIN);
  expect(browser.events("status").at(-1)).toMatchObject({ version: "2" });
  browser.socket.destroy();
});

test("three minutes are remembered", async () => {
  await using stand = await new Stand().open();
  await stand.clock.advance(200_000);
  const browser = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(browser.events("history")).toHaveLength(1), WITHIN);
  expect(browser.events("history")[0]).toHaveLength(180);
  browser.socket.destroy();
});

test("one browser too many is refused, until another has gone", async () => {
  await using stand = await new Stand().open();
  const first = new Browser(stand.server.port).read();
  const second = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(second.events("status")).toHaveLength(1), WITHIN);
  await vi.waitFor(() => expect(first.events("status")).toHaveLength(1), WITHIN);
  const third = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(third.text).toContain("TOO_MANY_SUBSCRIBERS"), WITHIN);
  expect(third.text).toMatch(/^HTTP\/1.1 503 /);
  first.socket.destroy();
  await vi.waitFor(() => {
    const fourth = new Browser(stand.server.port).read();
    return vi.waitFor(() => expect(fourth.events("status")).toHaveLength(1), { timeout: 1000 });
  }, WITHIN);
  for (const { socket } of [second, third]) {
    socket.destroy();
  }
});

test("a browser that reads nothing misses reports and is cut off, and the others are not", async () => {
  await using stand = await new Stand().open();
  const slow = new Browser(stand.server.port);
  await once(slow.socket, "connect");
  const quick = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(quick.events("status")).toHaveLength(1), WITHIN);
  slow.socket.pause();
  const gone = once(slow.socket, "close");
  // More than the kernel takes for a reader that does not read.
  stand.version = "x".repeat(1_000_000);
  for (let second = 0; second < 40; second += 1) {
    const before = quick.events("status").length;
    await stand.clock.advance(1000);
    await vi.waitFor(() => expect(quick.events("status").length).toBeGreaterThan(before), WITHIN);
  }
  slow.socket.resume();
  await gone;
  expect(slow.socket.bytesRead).toBeLessThan(30_000_000);
  expect(stand.feed.isWatched).toBe(true);
  quick.socket.destroy();
  await vi.waitFor(() => expect(stand.feed.isWatched).toBe(false), WITHIN);
});

test("close ends every browser and leaves no timer, and can be called twice", async () => {
  await using stand = await new Stand().open();
  const browser = new Browser(stand.server.port).read();
  await vi.waitFor(() => expect(browser.events("status")).toHaveLength(1), WITHIN);
  const gone = once(browser.socket, "close");
  stand.changed();
  await Promise.all([stand.feed.close(), stand.feed.close()]);
  await gone;
  expect([stand.clock.pending, stand.watchers, stand.feed.isWatched]).toEqual([0, 0, false]);
});

test("the page may run its own scripts only, and no other origin may read what it shows", async () => {
  await using stand = await new Stand().open();
  const at = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${stand.server.port}${path}`, init);
  const page = await at("/");
  expect([page.status, page.headers.get("content-type")]).toEqual([
    200,
    "text/html; charset=utf-8",
  ]);
  expect(page.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; script-src 'self';/,
  );
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  const html = await page.text();
  expect(html).toContain('<script type="module" src="/status/main.js">');
  // What it refers to is there.
  const referred = [...html.matchAll(/(?:src|href)="(\/[^"]*\.\w+)"/g)].map(
    ([, path]) => path ?? "",
  );
  expect(referred).toHaveLength(3);
  for (const path of referred) {
    expect((await at(path)).status).toBe(200);
  }
  const json = await at("/status");
  expect(json.headers.get("access-control-allow-origin")).toBeNull();
  expect(await json.json()).toMatchObject({ version: "1" });
  expect((await at("/", { method: "OPTIONS" })).status).toBe(503);
});
