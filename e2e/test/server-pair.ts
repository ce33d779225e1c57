import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, stat, writeFile, chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startPostgres } from "@multipooler/test-postgres";
import type { TestPostgres, StartPostgresOptions } from "@multipooler/test-postgres";

const run = promisify(execFile);

export interface ServerPairOptions extends Pick<StartPostgresOptions, "programs"> {
  /** What both servers have: run on the primary, before it is copied. */
  readonly setUp: readonly string[];
  /** Settings of both. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A primary and a standby that streams from it. */
export class ServerPair implements AsyncDisposable {
  readonly primary: TestPostgres;
  readonly standby: TestPostgres;
  readonly #parts: AsyncDisposableStack;

  private constructor(primary: TestPostgres, standby: TestPostgres, parts: AsyncDisposableStack) {
    this.primary = primary;
    this.standby = standby;
    this.#parts = parts;
  }

  static async start({ programs, setUp, settings = {} }: ServerPairOptions): Promise<ServerPair> {
    await using parts = new AsyncDisposableStack();
    const dir = await mkdtemp(join(tmpdir(), "mp-pair-"));
    parts.defer(async () => await rm(dir, { recursive: true, force: true }));
    // The servers of root run as somebody else, who must get through.
    await chmod(dir, 0o711);
    const common = { programs, settings: { ...settings, fsync: "off" } };
    const primary = parts.use(await startPostgres({ ...common, dataDir: join(dir, "primary") }));
    for (const sql of setUp) {
      await primary.sql(sql);
    }
    await primary.stop();
    const dataDir = join(dir, "standby");
    await copyForStandby(primary.dataDir, dataDir);
    await primary.start();
    const { host, port, user } = primary;
    const primary_conninfo = `host=${host} port=${port} user=${user} application_name=standby`;
    const standby = parts.use(
      await startPostgres({
        ...common,
        dataDir,
        settings: { ...common.settings, primary_conninfo },
      }),
    );
    return new ServerPair(primary, standby, parts.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** With its owner and its rights, which PostgreSQL insists on. */
async function copyForStandby(from: string, to: string): Promise<void> {
  await run("cp", ["-a", from, to]);
  const signal = join(to, "standby.signal");
  await writeFile(signal, "");
  const { uid, gid } = await stat(to);
  await chown(signal, uid, gid);
}
