import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { runProgram, startPooler } from "@multipooler/pooler-process";
import type { PoolerProcess } from "@multipooler/pooler-process";
import { setServerAccess, setServerTls, startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres } from "@multipooler/test-postgres";
import { Authority, PemDirectory } from "@multipooler/tls-identities";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { flagsFor } from "./flags.ts";

const run = promisify(execFile);
const PSQL_PLACES = ["/usr/bin/psql", "/usr/local/bin/psql", "/opt/homebrew/bin/psql"];
const psqlPath = PSQL_PLACES.find((path) => existsSync(path));
const READY_LIMIT_MS = 20_000;

const SERVERS = new Authority("servers");
const CLIENTS = new Authority("clients");

let postgres: TestPostgres;
let pem: PemDirectory;
/** Paths of PEM files. */
let files: Readonly<Record<"servers" | "clients" | "cert" | "key" | "ownCert" | "ownKey", string>>;

beforeAll(async () => {
  postgres = await startPostgres({ auth: "scram-sha-256", password: "it's a secret" });
  await setServerTls(postgres, { ...SERVERS.issue(), clientCa: CLIENTS.cert });
  pem = await PemDirectory.create();
  const listener = SERVERS.issue();
  const own = CLIENTS.issue({ commonName: postgres.user });
  files = {
    servers: await pem.write("servers.pem", SERVERS.cert),
    clients: await pem.write("clients.pem", CLIENTS.cert),
    cert: await pem.write("listener.pem", listener.cert),
    key: await pem.write("listener.key", listener.key),
    ownCert: await pem.write("own.pem", own.cert),
    ownKey: await pem.write("own.key", own.key),
  };
});

afterAll(async () => {
  await pem?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

async function start(flags: Readonly<Record<string, string>>): Promise<PoolerProcess> {
  await using parts = new AsyncDisposableStack();
  const pooler = parts.use(
    startPooler({
      flags: {
        ...flagsFor(postgres),
        "connpool-admin-password": postgres.password,
        "pg-client-sslmode": "verify-full",
        "pg-client-sslrootcert": files.servers,
        "pg-client-channel-binding": "require",
        "pg-listen-port": "0",
        "pg-tls-cert-file": files.cert,
        "pg-tls-key-file": files.key,
        ...flags,
      },
    }),
  );
  await pooler.ready(200, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  parts.move();
  return pooler;
}

async function portOf(pooler: PoolerProcess): Promise<number> {
  return Number((await pooler.pgwire()).split(":").at(-1));
}

/** Connections of the pooler to PostgreSQL, by whether they are encrypted. */
async function poolerConnections(): Promise<unknown> {
  return await postgres.sql(
    `select ssl, count(*) > 0 as some from pg_stat_ssl join pg_stat_activity using (pid)
     where application_name like 'multipooler %' group by ssl`,
  );
}

test.skipIf(psqlPath === undefined)(
  "psql verifies the pooler and binds its login, and the pooler does both with PostgreSQL",
  async () => {
    await using pooler = await start({});
    const port = await portOf(pooler);
    const psql = async (host: string): Promise<string> => {
      const target = `host=${host} port=${port} user=${postgres.user} dbname=postgres sslmode=verify-full sslrootcert='${files.servers}' channel_binding=require`;
      const env = { PGPASSWORD: postgres.password, LC_ALL: "C.UTF-8" };
      const args = ["-X", "-At", target, "-c", "select 'hello'", "-c", "\\conninfo"];
      const { stdout } = await run(psqlPath ?? "psql", args, { env });
      return stdout;
    };
    const said = await psql("localhost");
    expect(said).toContain("hello\n");
    expect(said).toContain("SSL connection (protocol: TLSv1.3");
    expect(await poolerConnections()).toEqual([{ ssl: true, some: true }]);
  },
);

test("a statement whose caller gives up is cancelled at PostgreSQL", async () => {
  await using pooler = await start({});
  const sql = "select pg_sleep(60)";
  const args = ["ctl", "query", "--address", await pooler.grpc(), "--timeout", "1s", sql];
  const running = runProgram(args, { signal: AbortSignal.timeout(20_000) });
  const rows = (): Promise<unknown[]> =>
    postgres.sql("select 1 from pg_stat_activity where query = $1 and state = 'active'", {
      values: [sql],
    });
  await expect.poll(rows, { timeout: 10_000 }).toHaveLength(1);
  expect((await running).code).toBe(1);
  await expect.poll(rows, { timeout: 10_000 }).toEqual([]);
});

/** A client of node-postgres over TLS. */
async function connect(pooler: PoolerProcess): Promise<pg.Client> {
  const { user, password } = postgres;
  const port = await portOf(pooler);
  const ssl = { ca: SERVERS.cert };
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user,
    password,
    database: "postgres",
    ssl,
  });
  await client.connect();
  return client;
}

test("certificates that are rotated at PostgreSQL and here are followed while queries run", async () => {
  const authority = await pem.write("rotating.pem", SERVERS.cert);
  await using pooler = await start({
    "pg-client-sslrootcert": authority,
    "connpool-user-regular-max-lifetime": "300ms",
  });
  const client = await connect(pooler);
  const done = new AbortController();
  const failures: unknown[] = [];
  const load = (async () => {
    while (!done.signal.aborted) {
      await client.query("select pg_sleep(0.02)").catch((error: unknown) => failures.push(error));
    }
  })();
  const next = new Authority("next");
  // As certificates are rotated: first both authorities are known, then the server changes.
  await pem.write("rotating.pem", SERVERS.cert + next.cert);
  await pooler.logged(({ msg }) => msg === "the TLS of connections to PostgreSQL was replaced");
  await setServerTls(postgres, { ...next.issue(), clientCa: CLIENTS.cert });
  const backend = async (): Promise<unknown> => {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    return rows[0]?.pid;
  };
  const before = await backend();
  await expect.poll(backend, { timeout: 10_000 }).not.toBe(before);
  done.abort();
  await load;
  expect(failures).toEqual([]);
  await client.end();
  await setServerTls(postgres, { ...SERVERS.issue(), clientCa: CLIENTS.cert });
});

test("the pooler shows a certificate of its own where pg_hba.conf demands one", async () => {
  const line = `hostssl all ${postgres.user} 127.0.0.1/32 cert`;
  await setServerAccess(postgres, [line]);
  try {
    await using pooler = await start({
      "pg-client-sslcert": files.ownCert,
      "pg-client-sslkey": files.ownKey,
      "pg-client-channel-binding": "prefer",
      "connpool-admin-password": "wrong, and not asked for",
    });
    expect(pooler.complaints()).toBe("");
  } finally {
    await setServerAccess(postgres, []);
  }
});

test("psql and drivers show certificates where the pooler demands them", async () => {
  await using pooler = await start({
    "pg-tls-client-ca-file": files.clients,
    "pg-tls-client-cert": "verify-full",
  });
  const port = await portOf(pooler);
  const attempt = async (ssl: pg.ClientConfig["ssl"]): Promise<unknown> => {
    const { user, password } = postgres;
    const client = new pg.Client({
      host: "127.0.0.1",
      port,
      user,
      password,
      database: "postgres",
      ssl,
    });
    try {
      await client.connect();
      await client.end();
      return "let in";
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
  };
  const ca = SERVERS.cert;
  const mine = CLIENTS.issue({ commonName: postgres.user });
  const others = CLIENTS.issue({ commonName: "somebody" });
  expect(await attempt({ ca, ...mine })).toBe("let in");
  expect(await attempt({ ca, ...others })).toContain("certificate authentication failed");
  expect(await attempt({ ca })).toContain("connection requires a valid client certificate");
  expect(await attempt(false)).toContain("connection requires a valid client certificate");
});

test("gRPC over TLS serves the gateways that are allowed, and ctl", async () => {
  const own = CLIENTS.issue({ commonName: "gateway" });
  const cert = await pem.write("gateway.pem", own.cert);
  const key = await pem.write("gateway.key", own.key);
  await using pooler = await start({
    "grpc-cert": files.cert,
    "grpc-key": files.key,
    "grpc-ca": files.clients,
    "grpc-auth-mode": "mtls",
    "grpc-auth-mtls-allowed-substrings": "CN=gateway:CN=other",
  });
  const port = (await pooler.grpc()).split(":").at(-1);
  const ctl = async (...flags: readonly string[]): Promise<string> => {
    const args = ["ctl", "query", "--address", `localhost:${port}`, ...flags];
    const { code, stdout, stderr } = await runProgram(
      [...args, "--format", "csv", "--timeout", "10s", "select 42 as answer"],
      { signal: AbortSignal.timeout(20_000) },
    );
    return code === 0 ? stdout : stderr;
  };
  const ca = ["--tls-ca", files.servers];
  expect(await ctl(...ca, "--tls-cert", cert, "--tls-key", key)).toBe("answer\n42\n");
  const refused = await ctl(...ca, "--tls-cert", files.ownCert, "--tls-key", files.ownKey);
  expect(refused).toContain("is not one of those that are allowed");
  // Not 42: a port may have that in it.
  expect(await ctl(...ca)).not.toContain("answer");
  expect(await ctl()).not.toContain("answer");
});

test.each([
  [{ "pg-client-sslmode": "verify-ca" }, 'sslmode "verify-ca" needs sslrootcert'],
  [{ "pg-client-sslrootcert": "/no/such.pem" }, "/no/such.pem"],
  [{ "pg-client-sslnegotiation": "direct" }, "too weak for sslnegotiation"],
  [{ "grpc-cert": "/c" }, "--grpc-cert needs --grpc-key"],
  [{ "pg-tls-client-cert": "cert" }, "--pg-tls-client-cert cert needs --pg-tls-client-ca-file"],
])("%j ends the start in one line", async (flags, words) => {
  const all = {
    ...flagsFor(postgres),
    "topo-implementation": "memory",
    "http-port": "0",
    ...flags,
  };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const { code, stderr } = await runProgram(args, { signal: AbortSignal.timeout(20_000) });
  expect(code).toBe(2);
  expect(stderr).toContain(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("a server that is not what it should be is not used, and /ready says why", async () => {
  const wrong = await pem.write("wrong.pem", new Authority("wrong").cert);
  await using pooler = startPooler({
    flags: {
      ...flagsFor(postgres),
      "connpool-admin-password": postgres.password,
      "pg-client-sslmode": "verify-full",
      "pg-client-sslrootcert": wrong,
    },
  });
  await pooler.logged(({ msg }) => msg.includes("its authority is not among those"));
  const body = await pooler.ready(503, { signal: AbortSignal.timeout(READY_LIMIT_MS) });
  expect(JSON.stringify(body)).toContain("its authority is not among those of sslrootcert");
});
