import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedEtcd } from "./embedded-etcd.ts";
import { EmbeddedEtcdError } from "./error.ts";
import { launch } from "./launch.ts";
import type { EtcdTls } from "./launch.ts";

/** How to start a server. */
export interface StartEtcdOptions {
  /** Where the data is; a temporary directory that goes away with the server otherwise. */
  readonly dataDir?: string | undefined;
  /** The port for clients; a free one otherwise. */
  readonly port?: number | undefined;
  readonly tls?: EtcdTls | undefined;
}

/** Starts a server of one member on loopback; `await using` ends it and removes what it left. */
export async function startEtcd(options: StartEtcdOptions = {}): Promise<EmbeddedEtcd> {
  const { dataDir, port, tls } = options;
  const directory = dataDir ?? (await temporaryDirectory());
  const temporary = dataDir === undefined;
  try {
    for (let attempt = 1; ; attempt += 1) {
      const clientPort = port ?? (await freePort());
      const where = { dataDir: directory, clientPort, peerPort: await freePort(), tls };
      try {
        return new EmbeddedEtcd({ launch: where, temporary, child: await launch(where) });
      } catch (error) {
        // Between looking for a free port and listening on it, another program may take it.
        const taken = error instanceof EmbeddedEtcdError && error.code === "port-in-use";
        if (!taken || port !== undefined || attempt === 5) {
          throw error;
        }
      }
    }
  } catch (error) {
    if (temporary) {
      await rm(directory, { recursive: true, force: true });
    }
    throw error;
  }
}

/** In memory where the system offers that: etcd syncs each write, and survives no power cut here. */
async function temporaryDirectory(): Promise<string> {
  const name = "multipooler-etcd-";
  try {
    return await mkdtemp(join("/dev/shm", name));
  } catch {
    return mkdtemp(join(tmpdir(), name));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("no port was given");
  }
  return address.port;
}
