import { once } from "node:events";
import { createServer } from "node:net";
import { connect, GrpcStatusError } from "@multipooler/grpc-services/client";
import { expect, test } from "vitest";
import { callFault } from "./call-fault.ts";

async function faultOf(address: string, timeoutMs?: number): Promise<string> {
  using client = connect({ address });
  try {
    await client.status({ timeoutMs });
  } catch (error) {
    if (error instanceof GrpcStatusError) {
      return callFault(error, address);
    }
    throw error;
  }
  throw new Error("the call succeeded");
}

async function listening(
  onConnection: "close" | "keep",
): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (onConnection === "close") {
      socket.destroy();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

test("a port at which nothing listens", async () => {
  let port: number;
  {
    await using closed = await listening("close");
    port = closed.port;
  }
  const address = `127.0.0.1:${port}`;
  expect(await faultOf(address)).toBe(
    `cannot reach the pooler at ${address}: nothing listens there`,
  );
});

test("a host that does not exist", async () => {
  expect(await faultOf("nowhere.invalid:1")).toBe(
    "cannot reach the pooler at nowhere.invalid:1: no such host is known",
  );
});

test("one that cuts the connection", async () => {
  await using server = await listening("close");
  expect(await faultOf(`127.0.0.1:${server.port}`)).toMatch(/^cannot reach the pooler at .*: \w/);
});

test.each([
  ["UNAVAILABLE", "the pooler drains", "the pooler drains"],
  [
    "DEADLINE_EXCEEDED",
    "Deadline exceeded after 1.0s",
    "the pooler at db1:1 did not answer within --timeout",
  ],
  ["INTERNAL", "a fault", "a fault"],
  [
    "UNAVAILABLE",
    "No connection established. Last error: Error: self-signed certificate. Resolution note: ",
    "cannot reach the pooler at db1:1: self-signed certificate",
  ],
  [
    "UNAVAILABLE",
    "No connection established. Last error: Error: Client network socket disconnected before secure TLS connection was established. Resolution note: ",
    "cannot reach the pooler at db1:1: it does not speak TLS",
  ],
  [
    "UNAVAILABLE",
    "No connection established. Last error: Protocol error (2026-01-01T00:00:00.000Z). Resolution note: ",
    "cannot reach the pooler at db1:1: what listens there does not speak gRPC, or asks for TLS (--tls-ca); the port is that of --grpc-port",
  ],
] as const)("%s %j reads %j", (code, message, expected) => {
  expect(callFault(new GrpcStatusError(code, message), "db1:1")).toBe(expected);
});
