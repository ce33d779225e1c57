import { systemClock } from "@multipooler/timing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ActionLock } from "../src/actions/action-lock.ts";
import type { ActionLease } from "../src/actions/action-lock.ts";
import type { ManagedDatabase } from "../src/database/managed-database.ts";
import { ManagerErrorCode } from "../src/manager-error.ts";
import type { ReplicationControl } from "../src/replication/replication-control.ts";
import { PATIENCE } from "./patience.ts";
import {
  PRIMARY_NAME,
  ReplicatedPair,
  STANDBY_NAME,
  VERSIONS,
  databaseOf,
} from "./replicated-pair.ts";

const SELF = { cell: "zone1", name: "b" };
const IN_FILES =
  "SELECT setting FROM pg_file_settings WHERE name = 'primary_conninfo' ORDER BY seqno DESC LIMIT 1";
const GHOST = { cell: "zone1", name: "ghost" };

describe.each(VERSIONS)("on PostgreSQL %s", (_version, programs) => {
  let pair: ReplicatedPair;
  let onPrimary: ManagedDatabase;
  let onStandby: ManagedDatabase;
  let primary: ReplicationControl;
  let standby: ReplicationControl;
  let lease: ActionLease;

  beforeAll(async () => {
    pair = await ReplicatedPair.start(programs);
    onPrimary = databaseOf(pair.primary, PRIMARY_NAME);
    onStandby = databaseOf(pair.standby, STANDBY_NAME, {
      replicationConnInfo: () => `passfile='${pair.passwordFile}'`,
    });
    primary = replicationOf(onPrimary);
    standby = replicationOf(onStandby);
    lease = await new ActionLock(systemClock).acquire("test");
  }, 120_000);

  afterAll(async () => {
    await onPrimary.close();
    await onStandby.close();
    await pair[Symbol.asyncDispose]();
  });

  const follow = async (): Promise<void> => {
    const { host, port } = pair.primary;
    await standby.follow(lease, { host, port, resumesReplayAfter: true });
    await streams();
  };

  const streams = async (): Promise<void> => {
    await expect
      .poll(async () => (await standby.replicationStatus()).walReceiver, PATIENCE)
      .toBe("streaming");
  };

  test("a primary forgets whom it would follow as a standby", async () => {
    await pair.primary.sql("ALTER SYSTEM SET primary_conninfo = 'host=stale'");
    await pair.primary.sql("SELECT pg_reload_conf()");
    const conninfo = async (): Promise<unknown> =>
      (await pair.primary.sql("SELECT current_setting('primary_conninfo') AS it"))[0];
    await expect.poll(conninfo, PATIENCE).toEqual({ it: "host=stale" });
    await primary.forgetPrimary(lease);
    expect(await conninfo()).toEqual({ it: "" });
    // It is what the server finds at its next start.
    expect(await pair.primary.sql(IN_FILES)).toEqual([{ setting: "" }]);
    await primary.forgetPrimary(lease);
  });

  test("a server names its main process", async () => {
    const found = await primary.mainProcess();
    const [row] = await pair.primary.sql("select pg_postmaster_start_time() as at");
    const startedAt = row?.["at"];
    expect(found?.pid).toBeGreaterThan(1);
    expect(found?.pid).not.toBe((await standby.mainProcess())?.pid);
    expect(Math.abs(Number(startedAt) - Number(found?.startedAt))).toBeLessThan(5_000);
  });

  test("both know where they are in one history", async () => {
    await streams();
    const [first, second] = await Promise.all([primary.position(), standby.position()]);
    expect(first).toMatchObject({ inRecovery: false, timeline: 1 });
    expect(second).toMatchObject({ inRecovery: true, timeline: 1 });
    expect(first.systemIdentifier).toBeGreaterThan(0n);
    expect(second.systemIdentifier).toBe(first.systemIdentifier);
    expect(first.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  });

  test("a standby tells of its replication", async () => {
    await streams();
    const status = await standby.replicationStatus();
    expect(status).toMatchObject({
      isReplayPaused: false,
      pauseState: "not paused",
      walReceiver: "streaming",
      lastMessageReceivedAt: expect.any(Date),
      primaryConnInfo: {
        host: pair.primary.host,
        port: pair.primary.port,
        user: "postgres",
        applicationName: STANDBY_NAME,
      },
    });
    await pair.primary.sql("create table if not exists told as select 1");
    await standby.waitForLsn(await writtenOn(pair), 20_000);
    expect((await standby.replicationStatus()).lastXactReplayTimestamp).toBeInstanceOf(Date);
  });

  test("a primary tells of its followers, those that it waits for first", async () => {
    await streams();
    await primary.setSynchronous(lease, {
      commit: "remote_apply",
      method: "any",
      count: 1,
      standbys: [GHOST, SELF],
    });
    const status = await primary.primaryStatus();
    expect(status.synchronous).toEqual({
      commit: "remote_apply",
      method: "any",
      count: 1,
      standbys: [GHOST, SELF],
    });
    expect(status.followers).toEqual([
      { applicationName: "zone1_ghost", pooler: GHOST, stats: undefined },
      {
        applicationName: STANDBY_NAME,
        pooler: SELF,
        stats: expect.objectContaining({ state: "streaming", clientAddress: pair.primary.host }),
      },
    ]);
    await primary.setSynchronous(lease, undefined);
    const after = await primary.primaryStatus();
    expect(after.synchronous).toBeUndefined();
    expect(after.followers.map(({ applicationName: name }) => name)).toEqual([STANDBY_NAME]);
  });

  test("each refuses what is for the other", async () => {
    const notStandby = {
      code: ManagerErrorCode.FailedPrecondition,
      message: "operation not allowed: the PostgreSQL instance is not in standby mode",
    };
    await expect(primary.replicationStatus()).rejects.toMatchObject(notStandby);
    await expect(primary.resumeReplay(lease)).rejects.toMatchObject(notStandby);
    await expect(primary.pause(lease, "replay", true)).rejects.toMatchObject(notStandby);
    await expect(primary.waitForLsn("0/1", 100)).rejects.toMatchObject(notStandby);
    await expect(primary.follow(lease, { host: "127.0.0.1", port: 1 })).rejects.toMatchObject(
      notStandby,
    );
    const isStandby = {
      code: ManagerErrorCode.FailedPrecondition,
      message: "operation not allowed: the PostgreSQL instance is in standby mode",
    };
    const synchronous = { commit: "on", method: "first", count: 1, standbys: [SELF] } as const;
    await expect(standby.primaryStatus()).rejects.toMatchObject(isStandby);
    await expect(standby.setSynchronous(lease, synchronous)).rejects.toMatchObject(isStandby);
    await expect(
      standby.updateStandbys(lease, { operation: "add", standbys: [SELF] }),
    ).rejects.toMatchObject(isStandby);
    // A demotion ends on a standby with this.
    await standby.setSynchronous(lease, undefined);
  });

  test("a wait for a position ends when that is replayed, and with its time while it is not", async () => {
    await streams();
    expect(await standby.pause(lease, "replay", true)).toMatchObject({
      isReplayPaused: true,
      pauseState: "paused",
      walReceiver: "streaming",
    });
    await pair.primary.sql("create table waited_for as select generate_series(1, 100) as id");
    const target = await writtenOn(pair);
    await expect(standby.waitForLsn(target, 150)).rejects.toMatchObject({
      code: ManagerErrorCode.TimedOut,
      message: expect.stringMatching(
        new RegExp(`^the standby has replayed [0-9A-F/]+ after 150 ms, and not ${target}$`),
      ),
    });
    const abort = new AbortController();
    const waiting = standby.waitForLsn(target, undefined, { signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: ManagerErrorCode.Cancelled });
    const timeout = AbortSignal.timeout(300);
    await expect(standby.waitForLsn(target, undefined, { signal: timeout })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TIMED_OUT|DATABASE_TIMEOUT)$/),
    });
    const arriving = standby.waitForLsn(target, undefined);
    await standby.resumeReplay(lease);
    await arriving;
    expect(await pair.standby.sql("select count(*)::int as n from waited_for")).toEqual([
      { n: 100 },
    ]);
    await expect(standby.waitForLsn("nowhere", 1)).rejects.toMatchObject({
      code: ManagerErrorCode.InvalidArgument,
      message: 'target_lsn is "nowhere"; it must be a WAL position such as 16/B374D848',
    });
  });

  test("a standby stops to receive and to replay, and follows again", async () => {
    await streams();
    expect(await standby.pause(lease, "receiver", true)).toMatchObject({
      walReceiver: undefined,
      primaryConnInfo: undefined,
      pauseState: "not paused",
    });
    expect(await standby.pause(lease, "replay and receiver", true)).toMatchObject({
      walReceiver: undefined,
      pauseState: "paused",
    });
    await follow();
    const { host, port } = pair.primary;
    expect(await standby.replicationStatus()).toMatchObject({
      pauseState: "not paused",
      primaryConnInfo: { host, port, user: "postgres", applicationName: STANDBY_NAME },
    });
    expect(await standby.pause(lease, "receiver", false)).toMatchObject({
      primaryConnInfo: undefined,
    });
    await follow();
  });

  test("a receiver that a paused replay keeps alive is not waited for", async () => {
    await streams();
    await standby.pause(lease, "replay", true);
    for (const mode of ["receiver", "replay and receiver"] as const) {
      expect(await standby.pause(lease, mode, true)).toMatchObject({
        walReceiver: "streaming",
        primaryConnInfo: undefined,
        pauseState: "paused",
      });
    }
    await standby.resumeReplay(lease);
    await expect
      .poll(async () => (await standby.replicationStatus()).walReceiver, PATIENCE)
      .toBeUndefined();
    await follow();
  });

  test("a password that somebody else has put there is not told", async () => {
    const { host, port } = pair.primary;
    await pair.standby.sql(
      `alter system set primary_conninfo = 'host=${host} port=${port} password=''a b''  user=u'`,
    );
    await pair.standby.sql("select pg_reload_conf()");
    await expect
      .poll(async () => (await standby.replicationStatus()).primaryConnInfo?.raw, PATIENCE)
      .toBe(`host=${host} port=${port} password=[REDACTED] user=u`);
    await follow();
  });

  test("a standby logs in as it is configured", async () => {
    await pair.primary.sql(`create role "re plica" replication login`);
    await using stack = new AsyncDisposableStack();
    const database = stack.adopt(
      databaseOf(pair.standby, "zone1_c", {
        replicationConnInfo: () => `user='re plica' connect_timeout=5`,
      }),
      (one) => one.close(),
    );
    const { host, port } = pair.primary;
    await replicationOf(database).follow(lease, { host, port });
    expect((await standby.replicationStatus()).primaryConnInfo).toEqual({
      host,
      port,
      user: "re plica",
      applicationName: "zone1_c",
      raw:
        `host=${host} port=${port} user='re plica' application_name=zone1_c dbname=postgres ` +
        "connect_timeout=5",
    });
    // It has no password.
    await expect
      .poll(async () => (await pair.standby.logLines()).join("\n"), PATIENCE)
      .toContain("fe_sendauth: no password supplied");
    await follow();
  });

  test.each([
    ["no host", { host: "", port: 5432 }, "host"],
    ["several hosts", { host: "a,b", port: 5432 }, "host"],
    ["a host with a quote's room", { host: "a b", port: 5432 }, "host"],
    ["a line break", { host: "a\nb", port: 5432 }, "host"],
    ["port 0", { host: "a", port: 0 }, "port"],
    ["a port too high", { host: "a", port: 65_536 }, "port"],
  ])("%s is no address of a primary", async (_what, request, field) => {
    await expect(standby.follow(lease, request)).rejects.toMatchObject({
      code: ManagerErrorCode.InvalidArgument,
      message: expect.stringMatching(new RegExp(`^${field} is `)),
    });
  });

  test("the standbys that are waited for are added, removed and replaced", async () => {
    await expect(
      primary.updateStandbys(lease, { operation: "add", standbys: [SELF] }),
    ).rejects.toMatchObject({
      code: ManagerErrorCode.FailedPrecondition,
      message: "synchronous replication is not configured",
    });
    await primary.setSynchronous(lease, {
      commit: "on",
      method: "any",
      count: 2,
      standbys: [GHOST, SELF],
    });
    const names = async (): Promise<unknown> =>
      (await pair.primary.sql("select current_setting('synchronous_standby_names') as names"))[0];
    await primary.updateStandbys(lease, { operation: "add", standbys: [SELF] });
    expect(await names()).toEqual({ names: 'ANY 2 ("zone1_ghost", "zone1_b")' });
    // More than there are would make every commit wait for ever.
    await primary.updateStandbys(lease, { operation: "remove", standbys: [GHOST] });
    expect(await names()).toEqual({ names: 'ANY 1 ("zone1_b")' });
    await pair.primary.sql("create table confirmed as select 1");
    await expect(
      primary.updateStandbys(lease, { operation: "remove", standbys: [SELF] }),
    ).rejects.toMatchObject({
      code: ManagerErrorCode.InvalidArgument,
      message: "resulting standby list cannot be empty after operation",
    });
    await primary.updateStandbys(lease, { operation: "replace", standbys: [GHOST] });
    expect(await names()).toEqual({ names: 'ANY 1 ("zone1_ghost")' });
    await primary.setSynchronous(lease, undefined);
    expect(await names()).toEqual({ names: "" });
    await pair.primary.sql("alter system set synchronous_standby_names = 'somebody'");
    await pair.primary.sql("select pg_reload_conf()");
    await expect
      .poll(
        async () =>
          await primary
            .updateStandbys(lease, { operation: "add", standbys: [SELF] })
            .catch((error: unknown) => String(error)),
        PATIENCE,
      )
      .toBe(
        "ManagerError: synchronous replication is not configured: it waits for somebody, and not for poolers",
      );
    await primary.setSynchronous(lease, undefined);
  });

  test("a broken configuration file is named, and so is a value that nothing overrides", async () => {
    await pair.primary.sql(
      `copy (select 'nonsense = ''x''') to program 'cat >> "${pair.primary.dataDir}/postgresql.conf"'`,
    );
    try {
      await expect(primary.setSynchronous(lease, undefined)).rejects.toMatchObject({
        code: ManagerErrorCode.TimedOut,
        message: expect.stringMatching(
          /^PostgreSQL did not read its configuration within 5000 ms: .*postgresql\.conf line \d+ \(nonsense\): unrecognized configuration parameter$/,
        ),
      });
    } finally {
      await pair.primary.sql(
        `copy (select 1) to program 'sed -i /nonsense/d "${pair.primary.dataDir}/postgresql.conf"'`,
      );
    }
    await primary.setSynchronous(lease, undefined);
  });

  test("nothing is changed by a lease that was given back", async () => {
    const returned = await new ActionLock(systemClock).acquire("returned");
    returned[Symbol.dispose]();
    const error = { code: ManagerErrorCode.Internal };
    const { host, port } = pair.primary;
    await expect(standby.follow(returned, { host, port })).rejects.toMatchObject(error);
    await expect(standby.pause(returned, "replay", true)).rejects.toMatchObject(error);
    await expect(standby.promote(returned)).rejects.toMatchObject(error);
    await expect(primary.terminateClients(returned)).rejects.toMatchObject(error);
    expect(await standby.replicationStatus()).toMatchObject({ pauseState: "not paused" });
  });

  test("the sessions of clients end, and the manager's own do not", async () => {
    const pool = pair.primary.sql("select pg_sleep(60)").catch((error: unknown) => error);
    const sleeping = (): Promise<unknown> =>
      pair.primary.sql(
        "select count(*)::int as n from pg_stat_activity where query like '%sleep(60)'",
      );
    await expect.poll(sleeping, PATIENCE).toEqual([{ n: 1 }]);
    await onPrimary.check();
    await onPrimary.serve("PRIMARY");
    const own = async (): Promise<unknown> =>
      await pair.primary.sql(
        "select pid from pg_stat_activity where application_name = 'multipooler zone1_a manager'",
      );
    const before = await own();
    expect(before).not.toEqual([]);
    expect(await primary.terminateClients(lease)).toBeGreaterThanOrEqual(1);
    expect(await pool).toMatchObject({ code: "57P01" });
    expect(await own()).toEqual(before);
    await onPrimary.letGo();
  });

  test("nothing is left behind, at rest and while serving", async () => {
    await onStandby.check();
    await standby.position();
    await onStandby.serve("REPLICA");
    await standby.position();
    await onStandby.letGo();
    await expect
      .poll(
        async () =>
          await pair.standby.sql(
            "select application_name from pg_stat_activity where application_name like 'multipooler %'",
          ),
        PATIENCE,
      )
      .toEqual([]);
  });

  test("a standby becomes a primary although its replay is paused, once", async () => {
    await streams();
    await standby.pause(lease, "replay", true);
    const waiting = standby.waitForLsn("FFFFFFFF/0", undefined);
    const promoted = expect(waiting).rejects.toMatchObject({
      code: ManagerErrorCode.FailedPrecondition,
      message: expect.stringMatching(
        /^the server was promoted at [0-9A-F/]+, before it replayed FFFFFFFF\/0$/,
      ),
    });
    await standby.pause(lease, "receiver", true);
    await standby.promote(lease);
    await promoted;
    await standby.promote(lease);
    expect(await standby.position()).toMatchObject({ inRecovery: false, timeline: 2 });
    await pair.standby.sql("create table written as select 1");
  });

  test("a server that is gone is an error, and closing ends what waits", async () => {
    const database = databaseOf(pair.primary, PRIMARY_NAME, { dialTimeoutMs: 500 });
    const control = replicationOf(database);
    process.kill(pair.primary.pid ?? 0, "SIGSTOP");
    try {
      await expect(control.position()).rejects.toMatchObject({
        code: ManagerErrorCode.DatabaseUnavailable,
      });
    } finally {
      process.kill(pair.primary.pid ?? 0, "SIGCONT");
    }
    await expect
      .poll(async () => (await control.position().catch(() => undefined))?.inRecovery, PATIENCE)
      .toBe(false);
    await pair.primary.stop("immediate");
    await expect(control.position()).rejects.toMatchObject({
      code: ManagerErrorCode.DatabaseUnavailable,
    });
    await database.close();
    await database.close();
    await expect(control.position()).rejects.toMatchObject({ code: ManagerErrorCode.NotOpen });
  });
});

function replicationOf({ replication }: ManagedDatabase): ReplicationControl {
  if (replication === undefined) {
    throw new Error("PostgreSQL has replication");
  }
  return replication;
}

async function writtenOn({ primary }: ReplicatedPair): Promise<string> {
  const [row] = await primary.sql("select pg_current_wal_lsn()::text as lsn");
  return String(row?.["lsn"]);
}
