import { once } from "node:events";
import { createServer, Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { GuardedStream } from "./guarded-stream.ts";

test("messages that were held back leave in one write", async () => {
  await using server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port }: AddressInfo = addressOf(server.address());
  const accepted = once(server, "connection");
  const stream = new GuardedStream({
    address: { type: "tcp", host: "127.0.0.1", port },
    tls: () => ({ mode: "disable", channelBinding: "disable" }),
  });
  const connected = once(stream, "connect");
  stream.connect();
  await connected;
  const [socket]: Socket[] = await accepted;
  const arrived = once(socket ?? stream, "data");
  const write = vi.spyOn(Socket.prototype, "write");
  stream.cork();
  for (const message of ["one ", "two ", "three"]) {
    stream.write(message);
  }
  stream.uncork();
  const [first]: unknown[] = await arrived;
  expect(String(first)).toBe("one two three");
  expect(write).toHaveBeenCalledOnce();
  write.mockRestore();
  stream.destroy();
  await once(stream, "close");
  socket?.destroy();
});

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") {
    throw new Error("the server does not listen on TCP");
  }
  return address;
}
