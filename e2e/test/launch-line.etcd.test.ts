import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@multipooler/grpc-services/client";
import { startEtcd } from "@multipooler/embedded-etcd";
import { findFreePort, startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { LaunchedProgram, logLines } from "./launched-program.ts";

const PATIENCE = { timeout: 20_000 };

/** A launch line has no quotes, and so no spaces in its paths. */
async function plainDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "multipooler-e2e-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function readiness(port: number): Promise<number | undefined> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`)).status;
  } catch {
    return undefined;
  }
}

test("a launch line of Multigres starts the pooler, and a gateway finds what it asks for first", async () => {
  await using directory = await plainDirectory();
  const dir = directory.path;
  await using etcd = await startEtcd();
  await using postgres = await startPostgres({ auth: "scram-sha-256", password: "secret" });
  await postgres.sql("create role alice login password 'x'");
  // A harness starts the pooler first, and PostgreSQL is made and started after that.
  await postgres.stop();
  const grpcPort = await findFreePort();
  const httpPort = await findFreePort();
  const log = join(dir, "multipooler.log");
  const line =
    `--grpc-port ${grpcPort} --http-port ${httpPort} --bind-address 127.0.0.1 ` +
    "--grpc-bind-address 127.0.0.1 --database postgres --table-group default --shard 0-inf " +
    `--pgctld-addr localhost:15471 --pooler-dir ${dir}/data --pg-port ${postgres.port} ` +
    "--service-map grpc-pooler,grpc-poolermanager,grpc-consensus,grpc-backup " +
    `--topo-global-server-addresses ${etcd.address} --topo-global-root /multigres/global ` +
    `--cell zone1 --service-id pooler-1 --hostname localhost --log-output ${log} ` +
    `--log-level info --onterm-timeout 80s --socket-file ${postgres.socketPath} ` +
    `--pgbackrest-cert-file ${dir}/pgbackrest.crt --pgbackrest-key-file ${dir}/pgbackrest.key ` +
    `--pgbackrest-ca-file ${dir}/ca.crt --pgbackrest-port 18431 ` +
    "--config-file-not-found-handling ignore";
  const env = {
    POSTGRES_USER: "postgres",
    POSTGRES_PASSWORD: "secret",
    PGDATA: `${dir}/data/pg_data`,
    PGCONNECT_TIMEOUT: "5",
    LC_ALL: "en_US.UTF-8",
    MULTIPOOLER_LAMEDUCK: "0",
  };
  await using pooler = new LaunchedProgram({ line, env });
  await expect.poll(() => readiness(httpPort), PATIENCE).toBe(503);
  await postgres.start();
  await expect.poll(() => readiness(httpPort), PATIENCE).toBe(200);

  using gateway = connect({ address: `127.0.0.1:${grpcPort}` });
  const health = gateway.streamPoolerHealth()[Symbol.asyncIterator]();
  expect((await health.next()).value).toMatchObject({
    poolerId: { component: 1, cell: "zone1", name: "pooler-1" },
    servingStatus: 0,
    recommendedStalenessTimeout: { seconds: 90n, nanos: 0 },
  });
  const [stored] = await postgres.sql("select rolpassword from pg_authid where rolname = 'alice'");
  expect(await gateway.getAuthCredentials({ database: "postgres", username: "alice" })).toEqual({
    scramHash: stored?.["rolpassword"],
    isReplicationRole: false,
  });
  await expect(
    gateway.getAuthCredentials({ database: "postgres", username: "nobody" }),
  ).rejects.toMatchObject({ code: "NOT_FOUND", message: 'user "nobody" not found' });

  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  const later: unknown[] = [];
  for (let next = await health.next(); next.done !== true; next = await health.next()) {
    later.push(next.value.servingStatus);
  }
  expect(later.length).toBeGreaterThan(0);
  expect(later).not.toContain(0);
  expect(pooler.complaints).toBe("");
  const lines = await logLines(log);
  expect(lines.filter(({ msg }) => msg === "accepted, means nothing here")).toMatchObject([
    {
      flags: {
        "pgbackrest-port": "there are no backups",
        "pgbackrest-cert-file": "there are no backups",
        "pgbackrest-key-file": "there are no backups",
        "pgbackrest-ca-file": "there are no backups",
      },
    },
  ]);
  expect(lines).toContainEqual(
    expect.objectContaining({
      msg: "PostgreSQL's data directory is not there yet",
      path: `${dir}/data/pg_data`,
    }),
  );
});

test("a text log on standard error, a PID file, and no query service if the map says so", async () => {
  await using directory = await plainDirectory();
  const dir = directory.path;
  await using postgres = await startPostgres();
  const grpcPort = await findFreePort();
  const httpPort = await findFreePort();
  const pidFile = join(dir, "pid");
  await using pooler = new LaunchedProgram({
    line:
      `--grpc-port ${grpcPort} --http-port ${httpPort} --topo-implementation memory ` +
      `--pg-port ${postgres.port} --log-output stderr --log-format text --pid-file ${pidFile} ` +
      "--service-map -grpc-pooler --log-err-stacks --health-stream-staleness-timeout 9s",
    env: {},
  });
  await expect.poll(() => readiness(httpPort), PATIENCE).toBe(200);
  expect(await readFile(pidFile, "utf8")).toMatch(/^\d+\n$/);
  using client = connect({ address: `127.0.0.1:${grpcPort}` });
  await expect(client.executeQuery({ query: "select 1" })).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
  });
  expect((await client.status()).ready).toBe(true);
  expect(await pooler.stop()).toEqual({ code: 0, signal: null });
  expect(existsSync(pidFile)).toBe(false);
  expect(pooler.complaints).toMatch(
    /^\S+Z INFO accepted, means nothing here flags={"log-err-stacks":"it is not a Go program"}$/m,
  );
});
