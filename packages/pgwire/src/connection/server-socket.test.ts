import { duplexPair } from "node:stream";
import type { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  commandComplete,
  dataRow,
  header,
  message,
  readyForQuery,
} from "../../test/backend-messages.ts";
import { PgwireError } from "../error.ts";
import { ByteInput } from "../messages/byte-input.ts";
import { MessageReader } from "../messages/message-reader.ts";
import { StartupStream } from "../startup/startup-stream.ts";
import { ServerSocket } from "./server-socket.ts";

interface Wire {
  readonly client: Duplex;
  readonly framed: ServerSocket;
  readonly server: Duplex;
}

function wire(): Wire {
  const [client, server] = duplexPair();
  return { client, framed: new ServerSocket({ socket: client, input: new ByteInput() }), server };
}

/** Takes messages, each for as long as `wait` says; `ended` resolves with why there are no more. */
function listen(
  framed: ServerSocket,
  wait: (code: number) => Promise<void> | undefined = () => undefined,
): { readonly codes: string[]; readonly ended: Promise<PgwireError> } {
  const { promise, resolve } = Promise.withResolvers<PgwireError>();
  const codes: string[] = [];
  const reader = new MessageReader({ input: framed.input, maxMessageBytes: 1000 });
  let isHeld = false;
  framed.start({
    get atBoundary() {
      return reader.atBoundary;
    },
    readable: () => {
      while (!isHeld && reader.next() !== "none") {
        codes.push(String.fromCharCode(reader.code));
        const release = wait(reader.code);
        if (release !== undefined) {
          isHeld = true;
          void release.then(() => {
            isHeld = false;
            framed.pump();
          });
        }
      }
      return !isHeld;
    },
    drained: () => undefined,
    ended: resolve,
  });
  return { codes, ended: promise };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("frames are handed over in order, however they are cut and whenever the handler waits", async () => {
  const messages = [
    dataRow("1"),
    commandComplete("SELECT 1"),
    message("N"),
    dataRow("2"),
    readyForQuery(),
  ];
  const stream = Buffer.concat(messages);
  const plan = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
    waits: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ sizes, waits }) => {
      const { framed, server } = wire();
      let busy = false;
      const { codes, ended } = listen(framed, () => {
        expect(busy).toBe(false);
        if (waits[codes.length - 1] !== true) {
          return undefined;
        }
        busy = true;
        return turn().then(() => {
          busy = false;
        });
      });
      for (let at = 0, index = 0; at < stream.length; index += 1) {
        const size = sizes[index % sizes.length] ?? 1;
        server.write(stream.subarray(at, at + size));
        at += size;
        if (index % 3 === 0) {
          await turn();
        }
      }
      server.end();
      const end = await ended;
      expect(end.message).toBe("the server closed the connection");
      expect(codes).toEqual(["D", "C", "N", "D", "Z"]);
      await framed.closed;
    }),
  );
});

test("frames can be pulled one at a time, and pushed from then on", async () => {
  const { framed, server } = wire();
  server.write(
    Buffer.concat([commandComplete("1"), commandComplete("2"), readyForQuery(), message("I")]),
  );
  const stream = new StartupStream({ socket: framed });
  expect((await stream.receive()).code).toBe(0x43);
  expect((await stream.receive()).code).toBe(0x43);
  const { codes } = listen(framed);
  expect(codes).toEqual(["Z", "I"]);
  server.write(message("N"));
  await turn();
  expect(codes).toEqual(["Z", "I", "N"]);
});

test("nothing is read while nobody asks or the handler waits", async () => {
  const { framed, server } = wire();
  const fill = async (): Promise<number> => {
    let written = 0;
    while (server.write(message("N", Buffer.alloc(990)))) {
      written += 1;
      await turn();
      expect(written).toBeLessThan(1000);
    }
    return written;
  };
  await fill();
  const gate = Promise.withResolvers<void>();
  const { codes } = listen(framed, () => gate.promise);
  await fill();
  expect(codes).toEqual(["N"]);
  gate.resolve();
  while (server.writableLength > 0) {
    await turn();
  }
  expect(codes.length).toBeGreaterThan(10);
});

test("what arrived before the end is handed over before it is told", async () => {
  const { framed, server } = wire();
  const gate = Promise.withResolvers<void>();
  const { codes, ended } = listen(framed, (code) => (code === 0x43 ? gate.promise : undefined));
  server.end(Buffer.concat([commandComplete("1"), readyForQuery()]));
  await turn();
  await turn();
  expect(codes).toEqual(["C"]);
  gate.resolve();
  await ended;
  expect(codes).toEqual(["C", "Z"]);
});

test("an error of the socket is told after what arrived before it", async () => {
  const { client, framed, server } = wire();
  server.write(commandComplete("1"));
  await turn();
  const cause = new Error("read ECONNRESET");
  client.destroy(cause);
  await framed.closed;
  expect(framed.writable).toBe(false);
  const { codes, ended } = listen(framed);
  const error = await ended;
  expect(codes).toEqual(["C"]);
  expect(error).toMatchObject({
    code: "CONNECTION_LOST",
    message: "the connection broke: read ECONNRESET",
    cause,
  });
  await expect(new StartupStream({ socket: framed }).receive()).rejects.toBe(error);
});

test("an end in the middle of a message says so", async () => {
  const { framed, server } = wire();
  const { ended } = listen(framed);
  server.end(header("T", 100));
  expect((await ended).message).toBe("the server closed the connection in the middle of a message");
});

test("a violation of the protocol destroys the socket", async () => {
  const { framed, server } = wire();
  const { ended } = listen(framed);
  server.write(header("T", 1001));
  expect((await ended).code).toBe("PROTOCOL_VIOLATION");
  await framed.closed;
  expect(framed.writable).toBe(false);
});

test("a handler that throws ends the socket, with the cause kept", async () => {
  const { framed, server } = wire();
  const fault = new Error("a fault of ours");
  const { ended } = listen(framed, () => {
    throw fault;
  });
  server.write(readyForQuery());
  expect((await ended).cause).toBe(fault);
  await framed.closed;
});

test("destroy drops what arrived, once", async () => {
  const { framed, server } = wire();
  const gate = Promise.withResolvers<void>();
  const { codes, ended } = listen(framed, () => gate.promise);
  server.write(Buffer.concat([commandComplete("1"), readyForQuery()]));
  await turn();
  const error = new PgwireError("CONNECTION_LOST", "destroyed");
  framed.destroy(error);
  framed.destroy(new PgwireError("CONNECTION_LOST", "destroyed again"));
  gate.resolve();
  expect(await ended).toBe(error);
  await framed.closed;
  expect(codes).toEqual(["C"]);
  framed.write(readyForQuery());
  framed.end(readyForQuery());
});
