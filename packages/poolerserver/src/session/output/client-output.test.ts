import { encodeCommandTag, encodeRow } from "@multipooler/query-service";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ClientOutput } from "./client-output.ts";

const ROW = encodeRow([Buffer.from("some value")]);
const LAST = encodeCommandTag("LAST");

/** A client that takes so many writes before it is behind, each time. */
class SlowClient {
  readonly received: Buffer[] = [];
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }

  write(bytes: Uint8Array): boolean {
    this.received.push(Buffer.from(bytes));
    this.room -= 1;
    return this.room > 0;
  }

  resume(): void {
    throw new Error("nobody asks for input");
  }

  ended(): void {
    throw new Error("nobody ends it");
  }
}

test("what a slow client cannot take comes later, in order and whole", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1 })),
      fc.integer({ min: 1, max: 3 }),
      (parts, room) => {
        const client = new SlowClient(room);
        const output = new ClientOutput({ client, maxHeldBytes: 1_000_000 });
        for (const part of parts) {
          expect(output.write(part)).toBe(!output.isBehind);
        }
        while (output.isBehind) {
          client.room = room;
          output.drained();
        }
        expect(client.bytes).toEqual(Buffer.concat(parts));
      },
    ),
  );
});

test("the last message follows what is kept", () => {
  const client = new SlowClient(1);
  const output = new ClientOutput({ client, maxHeldBytes: 1000 });
  output.write(ROW);
  output.write(ROW);
  output.close(LAST);
  output.write(ROW);
  expect(client.bytes).toEqual(Buffer.concat([ROW, ROW, LAST]));
});

test("the last message comes at the end of a message, wherever the client stopped reading", () => {
  for (let split = 0; split <= ROW.length; split += 1) {
    const client = new SlowClient(1);
    const output = new ClientOutput({ client, maxHeldBytes: 10 });
    output.write(Buffer.concat([ROW, ROW.subarray(0, split)]));
    output.write(ROW.subarray(split));
    output.write(ROW);
    output.write(ROW);
    expect(output.isOverfull).toBe(true);
    output.close(LAST);
    const rows = split === 0 ? [ROW] : [ROW, ROW];
    expect(client.bytes).toEqual(Buffer.concat([...rows, LAST]));
  }
});

test("the last message is left out where it would become part of another one", () => {
  const client = new SlowClient(10);
  const output = new ClientOutput({ client, maxHeldBytes: 1000 });
  output.write(ROW.subarray(0, 7));
  output.close(LAST);
  expect(client.bytes).toEqual(Buffer.from(ROW.subarray(0, 7)));
});
