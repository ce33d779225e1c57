import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { connect as connectClient } from "../src/client/index.ts";
import { startServer } from "./test-server.ts";

const CONNECTION_LIMIT = { connections: 2, reason: "a test" };

/** Resolves with a connection when the server has accepted it, or with one that it has closed. */
async function silent(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  const answered = Promise.withResolvers<void>();
  // HTTP/2 begins with a frame of the server.
  socket.once("data", () => answered.resolve());
  socket.once("close", () => answered.resolve());
  await answered.promise;
  return socket;
}

test("connections past the limit are closed and counted, and one line says so", async () => {
  await using pooler = await startServer({ connectionLimit: CONNECTION_LIMIT });
  const port = pooler.server.port ?? 0;
  const sockets = [await silent(port), await silent(port), await silent(port), await silent(port)];
  expect(sockets.map(({ closed }) => closed)).toEqual([false, false, true, true]);
  expect(pooler.server.connections).toEqual({ open: 2, refused: 2 });
  expect(pooler.log).toEqual([
    ["warn", "a gRPC connection was refused: the limit is reached", CONNECTION_LIMIT],
  ]);
  for (const socket of sockets.slice(0, 2)) {
    socket.destroy();
    await once(socket, "close");
  }
  await expect.poll(() => pooler.server.connections.open).toBe(0);
  using client = connectClient({ address: pooler.address });
  expect(await client.isServing("")).toBe(true);
  expect(pooler.server.connections).toEqual({ open: 1, refused: 2 });
});

test("a server that does not listen has no connections", async () => {
  await using pooler = await startServer({ connectionLimit: CONNECTION_LIMIT });
  await pooler.server.close();
  expect(pooler.server.connections).toEqual({ open: 0, refused: 0 });
});

test.each([0, -1, 1.5, Number.NaN, Infinity])("a limit of %d is refused", async (connections) => {
  await expect(
    startServer({ connectionLimit: { connections, reason: "a test" } }),
  ).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `connectionLimit.connections must be a whole number from 1, not ${connections}`,
  });
});
