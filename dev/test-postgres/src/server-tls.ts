import { chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestPostgres } from "./test-postgres.ts";

/** What a server shows to its clients, as PEM texts. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** The authorities of clients; without them no client is asked for a certificate. */
  readonly clientCa?: string | undefined;
}

/** Has a server that runs offer TLS to new connections, with this certificate; `undefined`: none. */
export async function setServerTls(
  postgres: TestPostgres,
  tls: ServerTls | undefined,
): Promise<void> {
  if (tls !== undefined) {
    await writeAsServer(postgres, "server.crt", tls.cert);
    await writeAsServer(postgres, "server.key", tls.key);
    await writeAsServer(postgres, "clients.crt", tls.clientCa ?? "");
  }
  const ca = tls?.clientCa === undefined ? "" : "clients.crt";
  await postgres.sql(`alter system set ssl_ca_file = '${ca}'`);
  await postgres.sql(`alter system set ssl = ${tls === undefined ? "off" : "on"}`);
  await postgres.reload();
}

/** Puts lines ahead of those of `pg_hba.conf`, in place of earlier ones of this kind. */
export async function setServerAccess(
  postgres: TestPostgres,
  lines: readonly string[],
): Promise<void> {
  const file = join(postgres.dataDir, "pg_hba.conf");
  const text = await readFile(file, "utf8");
  const original = text.slice(text.indexOf(MARK) + MARK.length);
  await writeFile(file, `${lines.join("\n")}\n${MARK}${text.includes(MARK) ? original : text}`);
  await postgres.reload();
}

const MARK = "# what was here before\n";

/** As PostgreSQL demands of a key, it belongs to the server and nobody else reads it. */
async function writeAsServer({ dataDir }: TestPostgres, name: string, pem: string): Promise<void> {
  const file = join(dataDir, name);
  await writeFile(file, pem, { mode: 0o600 });
  const { uid, gid } = await stat(dataDir);
  if (process.getuid?.() === 0) {
    await chown(file, uid, gid);
  }
}
