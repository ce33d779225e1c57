import { expect, test } from "vitest";
import { acceptedFlags } from "./accepted-flags.ts";
import { commandLine } from "../cli.ts";
import type { CommandActions } from "../cli.ts";
import { ConfigError, readSettingsFile, resolveConfig } from "./config.ts";
import type { GivenSettings } from "./setting-options.ts";
import type { Config } from "./settings.ts";

/** The flags of Multigres' multipooler. */
const MULTIGRES = `
  backend-vpid-tracking-enabled bind-address cell config-file config-file-not-found-handling
  config-name config-path config-persistence-min-interval config-type connpool-admin-capacity
  connpool-admin-password connpool-admin-password-file connpool-admin-user connpool-demand-window
  connpool-dial-timeout connpool-drain-grace-period connpool-global-capacity
  connpool-inactive-timeout connpool-min-capacity-per-user connpool-rebalance-interval
  connpool-reserved-ratio connpool-settings-cache-size connpool-user-regular-idle-timeout
  connpool-user-regular-max-lifetime connpool-user-reserved-idle-timeout
  connpool-user-reserved-inactivity-timeout connpool-user-reserved-max-lifetime database
  enable-slot-based-replication grpc-auth-mode grpc-auth-mtls-allowed-substrings
  grpc-bind-address grpc-ca grpc-cert grpc-crl grpc-enable-optional-tls grpc-key
  grpc-max-connection-age grpc-max-connection-age-grace grpc-port grpc-server-ca
  grpc-server-initial-conn-window-size grpc-server-initial-window-size
  grpc-server-keepalive-enforcement-policy-min-time
  grpc-server-keepalive-enforcement-policy-permit-without-stream grpc-server-keepalive-time
  grpc-server-keepalive-timeout grpc-socket-file health-stream-staleness-timeout
  heartbeat-interval-milliseconds hostname http-port lameduck-period lock-timeout log-err-stacks
  log-format log-level log-output onclose-timeout onterm-timeout pg-client-sslmode
  pg-client-sslnegotiation pg-client-sslrootcert pg-port pgbackrest-ca-file pgbackrest-cert-file
  pgbackrest-cipher-key-file pgbackrest-key-file pgbackrest-port pgctld-addr pid-file pooler-dir
  postgres-unrecoverable-min-attempts postgres-unrecoverable-timeout pprof pprof-http
  remote-operation-timeout service-id service-map shard socket-file table-group
  topo-etcd-lease-ttl topo-etcd-tls-ca topo-etcd-tls-cert topo-etcd-tls-key topo-global-root
  topo-global-server-addresses topo-read-concurrency`
  .trim()
  .split(/\s+/);

/** The harness' own line, with its paths. */
const HARNESS =
  "--grpc-port 15271 --http-port 15201 --bind-address 127.0.0.1 --grpc-bind-address 127.0.0.1 " +
  "--database postgres --table-group default --shard 0-inf --pgctld-addr localhost:15471 " +
  "--pooler-dir P/data --pg-port 25431 " +
  "--service-map grpc-pooler,grpc-poolermanager,grpc-consensus,grpc-backup " +
  "--topo-global-server-addresses 127.0.0.1:2379 --topo-global-root /multigres/global " +
  "--cell zone1 --service-id pooler-1 --hostname localhost --log-output F --log-level info " +
  "--onterm-timeout 80s --socket-file P/data/pg_sockets/.s.PGSQL.25431 " +
  "--pgbackrest-cert-file C/pgbackrest.crt --pgbackrest-key-file C/pgbackrest.key " +
  "--pgbackrest-ca-file C/ca.crt --pgbackrest-port 18431";

const unwanted = (): never => {
  throw new Error("not the command that was given");
};

const NO_ACTIONS: CommandActions = {
  serve: unwanted,
  config: { check: unwanted, describe: unwanted, importPgBouncer: unwanted },
  query: unwanted,
  status: unwanted,
  reload: unwanted,
  completion: unwanted,
  drain: unwanted,
  serveAgain: unwanted,
  activity: { table: unwanted, top: unwanted, kill: unwanted },
  promotion: {
    term: unwanted,
    promote: unwanted,
    demote: unwanted,
    undoDemote: unwanted,
    changeType: unwanted,
    switchover: unwanted,
  },
  replication: {
    waitLsn: unwanted,
    followers: unwanted,
    setPrimary: unwanted,
    status: unwanted,
    start: unwanted,
    stop: unwanted,
    reset: unwanted,
    synchronous: unwanted,
    standbys: unwanted,
  },
  topo: {
    get: unwanted,
    list: unwanted,
    watch: unwanted,
    tree: unwanted,
    init: unwanted,
    delete: unwanted,
  },
};

const NO_EFFECTS = { exit: () => undefined, print: () => undefined };

/** What the program would be run with. Rejects as commander does for what it does not know. */
async function given(...args: readonly string[]): Promise<GivenSettings> {
  let found: GivenSettings | undefined;
  const actions: CommandActions = {
    ...NO_ACTIONS,
    serve: async (settings) => {
      found = settings;
      return 0;
    },
  };
  await commandLine(actions, NO_EFFECTS).parseAsync(args, { from: "user" });
  return found ?? unwanted();
}

async function config(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Config> {
  const { flags, configFile } = await given(...args);
  return resolveConfig({ flags, env, file: readSettingsFile(configFile) });
}

/** What is wrong with these arguments. */
async function problems(...args: readonly string[]): Promise<readonly string[]> {
  try {
    await config(args);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

test.each(MULTIGRES)("--%s of Multigres is known, in both of its forms", async (flag) => {
  const forms = [await given(`--${flag}=x`), await given(`--${flag}`, "x")];
  for (const { accepted } of forms) {
    expect(accepted).toEqual(acceptedFlags.includes(flag) ? [flag] : []);
  }
});

test("what is accepted is a flag of Multigres", () => {
  expect(acceptedFlags.filter((flag) => !MULTIGRES.includes(flag))).toEqual([]);
});

test("a switch needs no value", async () => {
  const { accepted, flags } = await given("--pprof-http", "--log-err-stacks", "--cell", "zone2");
  expect(accepted).toEqual(["log-err-stacks", "pprof-http"]);
  expect(flags["cell"]).toBe("zone2");
});

test.each<[args: readonly string[], isOn: boolean]>([
  [[], false],
  [["--backend-vpid-tracking-enabled"], true],
  [["--backend-vpid-tracking-enabled", "--cell=zone2"], true],
  [["--backend-vpid-tracking-enabled=true"], true],
  [["--backend-vpid-tracking-enabled=false"], false],
])("process ids of clients are tracked only where the line asks for it: %j", async (args, isOn) => {
  expect((await config(args)).tracksVirtualPids).toBe(isOn);
});

test("a switch takes only what it can mean", async () => {
  expect(await problems("--backend-vpid-tracking-enabled=maybe")).toEqual([
    expect.stringContaining("is not true or false"),
  ]);
});

test("the harness' line is a configuration, and names what it does without", async () => {
  const args = HARNESS.split(" ");
  expect(await config(args)).toMatchObject({
    grpcPort: 15_271,
    httpPort: 15_201,
    poolerDir: "P/data",
    pgctldAddr: "localhost:15471",
    pgPort: 25_431,
    socketFile: "P/data/pg_sockets/.s.PGSQL.25431",
    topoGlobalServerAddresses: "127.0.0.1:2379",
    serviceId: "pooler-1",
    logOutput: "F",
    onTermTimeoutMs: 80_000,
    withheldServices: new Set(),
  });
  expect((await given(...args)).accepted).toEqual([
    "pgbackrest-port",
    "pgbackrest-cert-file",
    "pgbackrest-key-file",
    "pgbackrest-ca-file",
  ]);
});

test("the password comes from the first of its variables, and a flag is before them", async () => {
  const both = { POSTGRES_PASSWORD: "of all", CONNPOOL_ADMIN_PASSWORD: "of the pool" };
  expect((await config([], { POSTGRES_PASSWORD: "of all" })).adminPassword).toBe("of all");
  expect((await config([], both)).adminPassword).toBe("of the pool");
  const flag = ["--connpool-admin-password", "given"];
  expect((await config(flag, both)).adminPassword).toBe("given");
});

test.each<[map: string, withheld: readonly string[]]>([
  ["", []],
  ["grpc-pooler", []],
  ["-grpc-pooler", ["query"]],
  ["-grpc-poolermanager, -grpc-pooler", ["manager", "query"]],
  ["-grpc-pooler,grpc-pooler", []],
  ["-grpc-backup,anything", []],
])("the service map %j turns off %j", async (map, withheld) => {
  expect((await config(["--service-map", map])).withheldServices).toEqual(new Set(withheld));
});

test("what Multigres divides its connections by is read with its values", async () => {
  const resolved = await config([
    "--connpool-reserved-ratio=0.2",
    "--connpool-min-capacity-per-user=10",
    "--connpool-rebalance-interval=10s",
    "--connpool-inactive-timeout=5m",
    "--connpool-admin-capacity=5",
  ]);
  expect(resolved).toMatchObject({
    reservedRatio: 0.2,
    minConnectionsPerUser: 10,
    rebalanceIntervalMs: 10_000,
    inactiveTimeoutMs: 300_000,
    adminConnections: 5,
  });
});

test.each([
  ["--connpool-reserved-ratio=1.01", "is not a number from 0 to 1"],
  ["--connpool-reserved-ratio=half", "is not a number from 0 to 1"],
  ["--connpool-min-capacity-per-user=-1", "is not a whole number from 0 to 10000"],
  ["--connpool-rebalance-interval=9ms", "is not a duration from 10ms"],
  ["--connpool-inactive-timeout=soon", "is not a duration from 0ms"],
  ["--connpool-admin-capacity=1", "is not a whole number from 2 to 100"],
  ["--grpc-max-receiving-bytes=16777215", "is not a whole number from 16777216"],
  ["--grpc-receive-timeout=0", "is not a duration from 1ms"],
])("%s is refused by name, value and limit", async (argument, why) => {
  const [flag = "", value = ""] = argument.split("=");
  expect(await problems(argument)).toEqual([
    expect.stringContaining(`${flag}: ${JSON.stringify(value)} ${why}`),
  ]);
});

test("a list may be given in pieces", async () => {
  const { flags } = await given(
    "--topo-global-server-addresses",
    "a:1",
    "--topo-global-server-addresses=b:2,c:3",
  );
  expect(flags["topo-global-server-addresses"]).toBe("a:1,b:2,c:3");
});

test.each([
  ["--grpc-crl=c", "lists of revoked certificates are not read"],
  ["--grpc-enable-optional-tls=true", "there is no connection without it"],
])("%s is refused: it would not be protected as it asks", async (argument, why) => {
  expect(await problems(argument)).toEqual([
    expect.stringMatching(/^--[a-z-]+: ".*" asks for what this version does not offer: /),
  ]);
  expect((await problems(argument))[0]).toContain(why);
});

test("what asks for no protection is taken", async () => {
  const { pgClientSslMode, pgClientSslRootCert, grpcCert, grpcAuthMode } = await config([
    "--pg-client-sslmode=",
    "--pg-client-sslrootcert=",
    "--pg-client-sslnegotiation=postgres",
    "--grpc-cert=",
    "--grpc-crl=",
    "--grpc-auth-mode=",
    "--grpc-auth-mtls-allowed-substrings=",
    "--grpc-enable-optional-tls=false",
  ]);
  expect([pgClientSslMode, pgClientSslRootCert, grpcCert, grpcAuthMode]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("libpq's environment sets TLS to PostgreSQL, and a flag is before it", async () => {
  const env = {
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: "/ca.pem",
    PGSSLCERT: "/cert.pem",
    PGSSLKEY: "/key.pem",
    PGSSLNEGOTIATION: "direct",
    PGCHANNELBINDING: "require",
  };
  expect(await config([], env)).toMatchObject({
    pgClientSslMode: "verify-full",
    pgClientSslRootCert: "/ca.pem",
    pgClientSslCert: "/cert.pem",
    pgClientSslKey: "/key.pem",
    pgClientSslNegotiation: "direct",
    pgClientChannelBinding: "require",
  });
  const { pgClientSslMode } = await config(["--pg-client-sslmode", "require"], env);
  expect(pgClientSslMode).toBe("require");
});

test("words that are none are refused with those that are", async () => {
  expect(await problems("--pg-client-sslmode=allow")).toEqual([
    expect.stringContaining("disable, prefer, require, verify-ca, verify-full"),
  ]);
  expect(await problems("--grpc-auth-mode=static")).toHaveLength(1);
  expect(await problems("--grpc-auth-mtls-allowed-substrings=a::b")).toEqual([
    expect.stringContaining("holds an empty part"),
  ]);
});

test("the help has our flags with what they do, the others once and short", () => {
  let help = "";
  const line = commandLine(NO_ACTIONS, { ...NO_EFFECTS, print: (text) => (help += text) });
  line.outputHelp();
  const [ours = "", others = ""] = help.split("Accepted from launch lines");
  for (const flag of MULTIGRES) {
    const isAccepted = acceptedFlags.includes(flag);
    const named = new RegExp(`--${flag}(?![\\w-])`, "g");
    expect([flag, ours.match(named) === null]).toEqual([flag, isAccepted]);
    expect([flag, others.match(named)?.length ?? 0]).toEqual([flag, isAccepted ? 1 : 0]);
  }
  expect(others.trimEnd().split("\n").length).toBeLessThan(40);
});
