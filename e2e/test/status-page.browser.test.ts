import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import pg from "pg";
import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BROWSER, BROWSER_ADVICE, WITHOUT_BROWSER } from "./browser.ts";
import { READY_LIMIT_MS, servingPooler } from "./serving-pooler.ts";

const WITHIN = { timeout: READY_LIMIT_MS };
/** Where pictures go; unset takes none. */
const PICTURES = process.env["MULTIPOOLER_PICTURES"];
/** As `SetServingStatus` has them. */
const SERVING = 1;
const DRAINED = 3;
/** A picture of charts takes as long as they have to show something. */
const CHART_MS = 120_000;
const TIMEOUT_MS = PICTURES === undefined ? 60_000 : 240_000;
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

if (WITHOUT_BROWSER) {
  console.warn(`The status page was not tested: ${BROWSER_ADVICE}`);
}

describe.skipIf(WITHOUT_BROWSER)("the status page in Chromium", { timeout: TIMEOUT_MS }, () => {
  let browser: Browser;
  let postgres: TestPostgres;
  let pooler: PoolerProcess;
  const parts = new AsyncDisposableStack();

  beforeAll(async () => {
    assert.ok(BROWSER, BROWSER_ADVICE);
    browser = await chromium.launch({ executablePath: BROWSER, args: ["--no-sandbox"] });
    parts.defer(() => browser.close());
    postgres = parts.use(await startPostgres());
    pooler = parts.use(
      await servingPooler(postgres, {
        "pg-listen-port": "0",
        "pg-trust-loopback": "on",
        "connpool-global-capacity": "6",
        "connpool-drain-grace-period": "60s",
      }),
    );
  });

  afterAll(async () => {
    await parts.disposeAsync();
  });

  /** Opens the page; what it complains of in `faults`. */
  async function open(
    viewport = DESKTOP,
    colorScheme: "light" | "dark" = "light",
  ): Promise<{ page: Page; faults: string[] }> {
    const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 2 });
    parts.defer(() => context.close());
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", ({ message }) => faults.push(message));
    page.on("console", (line) => {
      if (line.type() === "error") {
        faults.push(line.text());
      }
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(address)) {
        faults.push(`asked for ${request.url()}`);
      }
    });
    const address = await pooler.http();
    await page.goto(`${address}/`);
    await page.locator("html[data-link=live]").waitFor(WITHIN);
    return { page, faults };
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (PICTURES !== undefined) {
      await mkdir(PICTURES, { recursive: true });
      await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
    }
  }

  async function clients(count: number): Promise<pg.Client[]> {
    const [host = "", port = ""] = (await pooler.pgwire()).split(":");
    return await Promise.all(
      Array.from({ length: count }, async () => {
        const client = new pg.Client({
          host,
          port: Number(port),
          user: "postgres",
          database: "postgres",
        });
        client.on("error", () => undefined);
        await client.connect();
        return client;
      }),
    );
  }

  test("a primary that serves is green, says why and since when, and asks nothing of other origins", async () => {
    const { page, faults } = await open();
    await page.locator("html[data-tone=good]").waitFor(WITHIN);
    expect(await page.locator("#headline").innerText()).toMatch(/^PRIMARY\nServing\n/);
    expect(await page.locator("#headline").innerText()).toContain("since");
    await page.getByText("zone1/e2e this one").waitFor(WITHIN);
    expect(await page.locator("#facts").innerText()).toContain(`127.0.0.1:${postgres.port}`);
    expect(await page.locator("#transitions").innerText()).toContain("PRIMARY SERVING");
    expect(await page.title()).toBe("● zone1/e2e primary");
    await picture(page, "status-idle");
    expect(faults).toEqual([]);
  });

  test("load shows: rates, who holds connections, and who waits", async () => {
    const { page, faults } = await open();
    const crowd = await clients(12);
    const stop = new AbortController();
    const running = crowd.map(async (client, index) => {
      while (!stop.signal.aborted) {
        await client.query(index < 8 ? "select pg_sleep(0.4)" : "select 1");
      }
    });
    try {
      const rate = page.locator(".chart", { hasText: "Queries per second" }).locator(".chart-now");
      await expect.poll(() => rate.innerText(), WITHIN).toMatch(/^[1-9]/);
      await page.locator("#pools tr.warn").waitFor(WITHIN);
      expect(await page.locator("#pools").innerText()).toContain("postgres");
      expect(await page.locator("#holders tbody tr").count()).toBeGreaterThan(0);
      if (PICTURES !== undefined) {
        await page.waitForTimeout(CHART_MS);
      }
      await picture(page, "status-load");
      const dark = await open(DESKTOP, "dark");
      await picture(dark.page, "status-dark");
      const phone = await open(PHONE);
      // Nothing is wider than the screen.
      const width = await phone.page.evaluate("document.documentElement.scrollWidth");
      expect(width).toBe(PHONE.width);
      await picture(phone.page, "status-phone");
      expect([...dark.faults, ...phone.faults]).toEqual([]);
    } finally {
      stop.abort();
      await Promise.all(running);
      await Promise.all(crowd.map((client) => client.end()));
    }
    expect(faults).toEqual([]);
  });

  test("a drain shows who asked for it and why, and what it waits for", async () => {
    const { page, faults } = await open();
    const [client] = await clients(1);
    await client?.query("begin; select 1");
    using operator = connect({ address: await pooler.grpc() });
    const drained = operator.setServingStatus({
      status: DRAINED,
      reason: "new disks",
      wait: true,
    });
    await page.getByText("Serving → drained").waitFor(WITHIN);
    await page.locator("#headline").getByText("new disks").first().waitFor(WITHIN);
    expect(await page.locator("html").getAttribute("data-tone")).toBe("busy");
    expect(await page.locator("#headline").innerText()).not.toContain("out of recovery");
    await picture(page, "status-draining");
    await client?.query("commit").catch(() => undefined);
    await client?.end().catch(() => undefined);
    await drained;
    await page.getByText("Drained", { exact: true }).waitFor(WITHIN);
    await page.locator("#transitions").getByText("PRIMARY DRAINED").first().waitFor(WITHIN);
    await operator.setServingStatus({ status: SERVING });
    await page.locator("html[data-tone=good]").waitFor(WITHIN);
    expect(faults).toEqual([]);
  });

  test("a PostgreSQL that is down is red, with the reason, and green again when it is back", async () => {
    const { page, faults } = await open();
    await postgres.kill();
    await page.locator("html[data-tone=bad]").waitFor(WITHIN);
    expect(await page.locator("#facts").innerText()).toContain("does not answer");
    expect(await page.title()).toBe("✖ zone1/e2e primary");
    // What it was is what counts now, not that it takes no writes.
    expect(await page.locator("#headline").innerText()).toMatch(/^PRIMARY\nNot serving\n/);
    await picture(page, "status-postgres-down");
    await postgres.start();
    await page.locator("html[data-tone=good]").waitFor(WITHIN);
    expect(faults).toEqual([]);
  });

  test("what roles are called is text, whatever they are called", async () => {
    const name = `<img src=x onerror="document.title='owned'">`;
    await postgres.sql(`create role "${name.replaceAll('"', '""')}" login superuser`);
    const { page, faults } = await open();
    const [host = "", port = ""] = (await pooler.pgwire()).split(":");
    const client = new pg.Client({ host, port: Number(port), user: name, database: "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    await client.query("select 1");
    await page.locator("#pools").getByText(name).waitFor(WITHIN);
    expect(await page.locator("#pools img").count()).toBe(0);
    expect(await page.title()).not.toBe("owned");
    await client.end();
    expect(faults).toEqual([]);
  });

  test("a pooler that stops is not shown as if it still served", async () => {
    const { page } = await open();
    await pooler.stop();
    await page.getByText("The pooler does not answer.").waitFor(WITHIN);
    expect(await page.locator("html").getAttribute("data-link")).toBe("lost");
  });
});
