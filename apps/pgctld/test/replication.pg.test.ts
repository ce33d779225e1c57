import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { DEBIAN, EMBEDDED, Site } from "./site.ts";

const hasDebian = existsSync(DEBIAN);
const binDirs = hasDebian ? [EMBEDDED, DEBIAN] : [EMBEDDED];

async function rows(site: Site): Promise<unknown> {
  return await site.sql("select count(*)::int as rows from kept");
}

/** A primary, and a standby that was copied from it. */
async function pair(binDir: string): Promise<{ primary: Site; standby: Site }> {
  const primary = await Site.create(binDir);
  const standby = await Site.create(binDir);
  await primary.mustRun("init", "--pg-initdb-args=--no-sync");
  await primary.mustRun("start");
  await primary.sql("create table kept as select generate_series(1, 10) as id");
  const source = ["--source-host=127.0.0.1", `--source-port=${primary.port}`];
  const name = "--application-name=zone1_b";
  expect(await standby.mustRun("base-backup", ...source, name, "--standby", "--no-sync")).toMatch(
    /^Copied \d+ files with \d+ bytes, up to [0-9A-F/]+\nThe next start brings up a standby of /,
  );
  await standby.mustRun("start");
  return { primary, standby };
}

/** Many programs are started one after the other. */
const TIMEOUT_MS = 90_000;

test.each(binDirs)(
  "copies a server, and the copy takes its place: %s",
  { timeout: TIMEOUT_MS },
  async (bin) => {
    const { primary, standby } = await pair(bin);
    await primary.sql("insert into kept select generate_series(11, 20)");
    await expect.poll(() => rows(standby), { timeout: 20_000 }).toEqual([{ rows: 20 }]);
    expect(await primary.sql("select application_name as name from pg_stat_replication")).toEqual([
      { name: "zone1_b" },
    ]);
    expect(await standby.mustRun("status")).toMatch(/^Status: running, standby\n/);

    await primary.mustRun("stop");
    expect(await standby.mustRun("promote")).toBe("PostgreSQL was promoted");
    expect(await standby.mustRun("promote")).toBe("PostgreSQL is a primary already");
    await standby.sql("insert into kept values (21)");
    expect(await standby.mustRun("status")).toMatch(/^Status: running, primary\n/);
    // A restart keeps it one, and one as a standby makes it one again.
    await standby.mustRun("restart");
    expect(await standby.sql("select pg_is_in_recovery() as standby")).toEqual([
      { standby: false },
    ]);
    await standby.mustRun("restart", "--as-standby");
    expect(await standby.sql("select pg_is_in_recovery() as standby")).toEqual([{ standby: true }]);
  },
);

test(
  "rewinds a primary that wrote on after it was replaced",
  { skip: !hasDebian, timeout: TIMEOUT_MS },
  async () => {
    const { primary: old, standby: successor } = await pair(DEBIAN);
    await expect.poll(() => rows(successor), { timeout: 20_000 }).toEqual([{ rows: 10 }]);
    await successor.mustRun("promote");
    await old.sql("insert into kept values (666)");
    await successor.sql("insert into kept values (11), (12)");
    await successor.sql("checkpoint");

    const source = ["--source-host=127.0.0.1", `--source-port=${successor.port}`];
    const running = await old.run("rewind", ...source);
    expect([running.code, running.complaints]).toEqual([
      1,
      `the server on ${old.directory}/pg_data still runs`,
    ]);
    // It was not shut down in order: the rewind recovers it first.
    await old.mustRun("stop", "--mode", "immediate");
    const dry = await old.mustRun("rewind", ...source, "--dry-run");
    expect(dry).toMatch(/servers diverged at WAL location/);
    expect(await old.mustRun("rewind", ...source)).toMatch(/The histories had diverged$/);
    await old.mustRun("follow", ...source, "--application-name=zone1_a");
    await old.mustRun("start");
    await expect.poll(() => rows(old), { timeout: 20_000 }).toEqual([{ rows: 12 }]);
    expect(await old.sql("select 1 from kept where id = 666")).toEqual([]);
    expect(await successor.sql("select application_name as name from pg_stat_replication")).toEqual(
      [{ name: "zone1_a" }],
    );
  },
);
