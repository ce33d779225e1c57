import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import type { BackendConnection } from "../src/backend-connection.ts";
import { greeting } from "./backend-messages.ts";
import { ScriptedServer } from "./scripted-server.ts";
import type { Peer } from "./scripted-server.ts";
import { connectTo } from "./scripted-session.ts";

/** The first connection is a session; `script` plays the others. */
async function serve(
  script: (peer: Peer, request: Buffer) => Promise<void> | void,
): Promise<ScriptedServer> {
  let connections = 0;
  return await ScriptedServer.start(async (peer) => {
    connections += 1;
    const isSession = connections === 1;
    const opening = await peer.untyped();
    if (isSession) {
      peer.write(greeting());
      await peer.clientEnd;
    } else {
      await script(peer, opening);
    }
  });
}

test("a cancel names the session by its key, and resolves when the server has closed", async () => {
  let handled = false;
  await using server = await serve((peer, request) => {
    expect(request).toEqual(Buffer.from("04d2162e000012670000032f", "hex"));
    handled = true;
    peer.socket.end();
  });
  const connection = await connectTo(server);
  const { signal } = new AbortController();
  await connection.cancel({ signal });
  expect(handled).toBe(true);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(connection.state).toBe("open");
  connection.destroy();
});

test("a cancel of a server that does not close ends with its signal", async () => {
  const controller = new AbortController();
  const reason = new Error("too slow");
  await using server = await serve(async (peer) => {
    controller.abort(reason);
    await peer.clientEnd;
  });
  const connection = await connectTo(server);
  await expect(connection.cancel({ signal: controller.signal })).rejects.toMatchObject({
    code: "ABORTED",
    cause: reason,
    sent: false,
  });
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  connection.destroy();
});

test("a cancel that the server breaks off is CONNECTION_LOST", async () => {
  await using server = await serve((peer) => {
    peer.socket.resetAndDestroy();
  });
  const connection = await connectTo(server);
  await expect(connection.cancel()).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  connection.destroy();
});

test("a cancel where no server is any more is CONNECT_FAILED", async () => {
  let connection: BackendConnection | undefined;
  {
    await using server = await serve(() => undefined);
    connection = await connectTo(server);
    connection.destroy();
  }
  await expect(connection.cancel()).rejects.toMatchObject({ code: "CONNECT_FAILED" });
});
