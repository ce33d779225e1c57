import { existsSync } from "node:fs";
import { appendFile, chmod, chown, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { takeBaseBackup } from "@multipooler/base-backup";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres, StartPostgresOptions } from "@multipooler/test-postgres";
import { systemClock } from "@multipooler/timing";
import type { ManagedDatabase } from "../src/database/managed-database.ts";
import type { DatabaseConfig } from "../src/postgres/database-config.ts";
import { postgresDatabase } from "../src/postgres/postgres-provider.ts";
import { RecordingLogger } from "./recording-logger.ts";
import { configFor } from "./server.ts";

const DEBIAN = "/usr/lib/postgresql/15/bin";

/** PostgreSQL 17, and where Debian's is installed 15 too. */
export const VERSIONS: readonly (readonly [version: string, programs: string | undefined])[] = [
  ["17", undefined],
  ...(existsSync(DEBIAN) ? [["15", DEBIAN] as const] : []),
];

/** How the two servers are called as poolers. */
export const PRIMARY_NAME = "zone1_a";
export const STANDBY_NAME = "zone1_b";

/** A password that has to be quoted everywhere. */
const PASSWORD = `it's a \\ "secret`;

/** A primary, and a standby that was copied from it and streams. Disposing ends both. */
export class ReplicatedPair implements AsyncDisposable {
  readonly primary: TestPostgres;
  readonly standby: TestPostgres;
  /** With the password of both, as libpq reads it. */
  readonly passwordFile: string;
  readonly #directory: string;

  private constructor(primary: TestPostgres, standby: TestPostgres, directory: string) {
    this.primary = primary;
    this.standby = standby;
    this.passwordFile = passwordFileIn(directory);
    this.#directory = directory;
  }

  static async start(programs: string | undefined): Promise<ReplicatedPair> {
    const options = {
      programs,
      auth: "scram-sha-256",
      password: PASSWORD,
      settings: { fsync: "off", log_statement: "all", autovacuum: "off" },
    } as const satisfies StartPostgresOptions;
    const primary = await startPostgres(options);
    const directory = await mkdtemp(path.join(tmpdir(), "mp-pair-"));
    try {
      await chmod(directory, 0o711);
      const dataDir = path.join(directory, "data");
      await copyAsStandby(primary, directory, dataDir);
      const standby = await startPostgres({ ...options, dataDir });
      return new ReplicatedPair(primary, standby, directory);
    } catch (error) {
      await primary[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.standby.stop("immediate");
    await this.standby[Symbol.asyncDispose]();
    await this.primary[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function passwordFileIn(directory: string): string {
  return path.join(directory, "pg pass");
}

async function copyAsStandby(
  primary: TestPostgres,
  directory: string,
  dataDir: string,
): Promise<void> {
  const { host, port, user, password } = primary;
  const { uid, gid } = await stat(primary.dataDir);
  await takeBaseBackup({
    source: {
      address: { type: "tcp", host, port },
      user,
      credential: async () => ({ type: "password", password }),
    },
    dataDir,
    owner: { uid, gid },
    durable: false,
  });
  const passwordFile = passwordFileIn(directory);
  const field = password.replaceAll("\\", "\\\\");
  await writeFile(passwordFile, `*:*:*:${user}:${field}\n`, { mode: 0o600 });
  const signal = path.join(dataDir, "standby.signal");
  await writeFile(signal, "");
  for (const file of [passwordFile, signal]) {
    await chown(file, uid, gid);
  }
  const address = `host=${host} port=${port} user=${user}`;
  const value = `${address} passfile=''${passwordFile}'' application_name=${STANDBY_NAME}`;
  await appendFile(path.join(dataDir, "postgresql.auto.conf"), `primary_conninfo = '${value}'\n`);
}

/** A server as a manager's run sees it. */
export function databaseOf(
  server: TestPostgres,
  poolerName: string,
  config: Partial<DatabaseConfig> = {},
): ManagedDatabase {
  return postgresDatabase({ ...configFor(server), ...config }).open({
    poolerName,
    heartbeatIntervalMs: 1_000,
    clock: systemClock,
    logger: new RecordingLogger(),
    suspect: () => undefined,
    onMoved: () => undefined,
    onChange: () => undefined,
  });
}
