import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { SqliteBackend } from "@multipooler/topo/sqlite";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "../settings/config.ts";
import type { TopologyTarget } from "../topology-target.ts";
import type { TopoIo, TopoOptions } from "./topo-command.ts";
import { topoGet } from "./topo-get.ts";
import { topoInit } from "./topo-init.ts";
import { topoList } from "./topo-list.ts";
import { topoTree } from "./topo-tree.ts";
import type { TopoViewOptions } from "./topo-view.ts";

const directory = mkdtempSync(join(tmpdir(), "multipooler ctl topo "));
afterAll(() => rmSync(directory, { recursive: true }));

function target(name: string): TopologyTarget & { readonly server: { readonly file: string } } {
  return {
    server: { type: "sqlite", file: join(directory, name) },
    globalRoot: "/multigres/global",
    homeCell: { name: "zone1", serverAddresses: [], root: "/multigres/zone1" },
  };
}

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly complaints: readonly string[];
}

/** Runs a command and collects what it says. */
async function run(
  command: (
    options: TopoOptions,
    io: { stdout: Writable; complain: (line: string) => void },
  ) => Promise<number>,
  options: TopoOptions,
): Promise<Run> {
  const stdout = new PassThrough();
  const complaints: string[] = [];
  const said = text(stdout);
  const code = await command(options, { stdout, complain: (line) => complaints.push(line) });
  stdout.end();
  return { code, stdout: await said, complaints };
}

const init = (options: TopoOptions, io: TopoIo): Promise<number> =>
  topoInit({ ...options, explain: false }, io);

const NEVER = { signal: new AbortController().signal };
const once = (options: TopoOptions): TopoViewOptions => ({
  ...options,
  watch: false,
  interval: "2s",
});
const tree = (options: TopoOptions, io: TopoIo): Promise<number> =>
  topoTree(once(options), io, NEVER);

test("an explained init tells what it would make, and makes nothing", async () => {
  const options = { target: target("explained.db"), json: false };
  const explained = await run((given, io) => topoInit({ ...given, explain: true }, io), options);
  expect(explained).toMatchObject({ code: 0, complaints: [] });
  expect(explained.stdout).toMatch(/^1\. +create topology .*explained\.db\n2\. +create cell /);
  expect(existsSync(options.target.server.file)).toBe(false);
  await run(init, options);
  const again = await run((given, io) => topoInit({ ...given, explain: true }, io), options);
  expect(again.stdout).toMatch(/^1\. +create cell .* \(done already\)\n$/);
});

/** A topology with a cell, and in it a key whose value is no record. */
async function damagedTopology(name: string): Promise<TopoOptions & { readonly key: string }> {
  const options = { target: target(name), json: false };
  await run(init, options);
  const key = "/multigres/zone1/poolers/multipooler-zone1-a/Pooler";
  const store = new SqliteBackend().connect([options.target.server.file]);
  await store.put(key, Buffer.from([0xff]));
  await store.close();
  return { ...options, key };
}

test("a damaged record is named, the rest is printed, and the exit code tells", async () => {
  const { key, ...options } = await damagedTopology("damaged.db");
  const list = await run((given, io) => topoList(undefined, once(given), io, NEVER), options);
  expect(list.code).toBe(1);
  expect(list.stdout).toContain("/multigres/global/cells/zone1/Cell");
  expect(list.stdout).toContain("(1 row)");
  expect(list.complaints).toEqual([expect.stringContaining(`${key}: not a pooler record`)]);

  const whole = await run(tree, options);
  expect(whole.code).toBe(1);
  expect(whole.stdout).toContain("└─ poolers\n   └─ (none)\n");
  expect(whole.complaints).toEqual(list.complaints);

  const get = await run((given, io) => topoGet(key, given, io), options);
  expect(get).toEqual({ code: 1, stdout: "", complaints: [`${key}: not a pooler record`] });
});

test("a reader that went away is the end of the work, and no failure", async () => {
  const options = { target: target("unread.db"), json: false };
  await run(init, options);
  const stdout = new Writable({
    highWaterMark: 0,
    write: (_chunk, _encoding, done) =>
      done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
  });
  const complaints: string[] = [];
  const io = { stdout, complain: (line: string) => complaints.push(line) };
  expect(await topoList(undefined, once(options), io, NEVER)).toBe(0);
  expect(complaints).toEqual([]);
});

test("a topology in memory cannot be looked at from outside", async () => {
  const options = {
    target: { ...target("unused.db"), server: { type: "memory" } as const },
    json: false,
  };
  await expect(run(tree, options)).rejects.toThrow(ConfigError);
  await expect(run(tree, options)).rejects.toThrow("--topo-implementation");
});
