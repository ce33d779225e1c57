import { BackendConnection } from "../src/connection/backend-connection.ts";
import type { ConnectOptions } from "../src/connection/connect-options.ts";
import { greeting } from "./backend-messages.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";

/** A server that lets its clients in, then goes on as the test says. */
export function serveSession(
  script: (peer: Peer) => Promise<void> | void,
): Promise<ScriptedServer> {
  return ScriptedServer.start(async (peer) => {
    await peer.untyped();
    peer.write(greeting());
    await script(peer);
  });
}

export function connectTo(
  server: ScriptedServer,
  more: Partial<ConnectOptions> = {},
): Promise<BackendConnection> {
  return BackendConnection.connect({
    address: server.address,
    user: "me",
    database: "db",
    ...more,
  });
}
