import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Servers of tests listen on loopback only. */
export const HOST = "127.0.0.1";

/**
 * Free ports are looked for below the range from which operating systems take the local ports of
 * outgoing connections. Above it a client that retries while the server is down could be given
 * the server's own port and connect to itself.
 */
const LOWEST_PORT = 20_000;
const PORTS_END = 32_000;

/** A TCP port on which nothing listens now; somebody else may take it before it is used. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST_PORT, PORTS_END);
    if (await isPortFree(port)) {
      return port;
    }
  }
}

/** True when `port` can be listened on. */
async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, HOST);
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
