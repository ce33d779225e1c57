import { chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EmbeddedPostgres } from "./embedded-postgres.ts";

/** What a server shows to its clients, as PEM texts. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** The authorities of clients; without them no client is asked for a certificate. */
  readonly clientCa?: string | undefined;
}

/** How often it is asked whether the server has read its configuration again. */
const POLL_MS = 10;

/** Has a server that runs offer TLS to new connections, with this certificate; `undefined`: none. */
export async function setServerTls(
  postgres: EmbeddedPostgres,
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
  await reload(postgres);
}

/** Puts lines ahead of those of `pg_hba.conf`, in place of earlier ones of this kind. */
export async function setServerAccess(
  postgres: EmbeddedPostgres,
  lines: readonly string[],
): Promise<void> {
  const file = join(postgres.dataDir, "pg_hba.conf");
  const text = await readFile(file, "utf8");
  const original = text.slice(text.indexOf(MARK) + MARK.length);
  await writeFile(file, `${lines.join("\n")}\n${MARK}${text.includes(MARK) ? original : text}`);
  await reload(postgres);
}

const MARK = "# what was here before\n";

/** As PostgreSQL demands of a key, it belongs to the server and nobody else reads it. */
async function writeAsServer(
  { dataDir }: EmbeddedPostgres,
  name: string,
  content: string,
): Promise<void> {
  const file = join(dataDir, name);
  await writeFile(file, content, { mode: 0o600 });
  const { uid, gid } = await stat(dataDir);
  if (process.getuid?.() === 0) {
    await chown(file, uid, gid);
  }
}

/** Resolves when new connections begin with the configuration as it is now. */
async function reload(postgres: EmbeddedPostgres): Promise<void> {
  const loadedAt = async (): Promise<string> => {
    const [row] = await postgres.sql("select pg_conf_load_time()::text as loaded");
    return String(row?.["loaded"]);
  };
  const before = await loadedAt();
  await postgres.sql("select pg_reload_conf()");
  while ((await loadedAt()) === before) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
