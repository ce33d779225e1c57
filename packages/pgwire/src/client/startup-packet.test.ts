import fc from "fast-check";
import { MalformedMessageError } from "@multipooler/query-service";
import { expect, test } from "vitest";
import { PgwireError } from "../error.ts";
import { encodeCancelRequest, encodeStartup } from "../messages/message-writer.ts";
import { parseStartupPacket, startupPacketBytes } from "./startup-packet.ts";
import type { ClientStartup } from "./startup-packet.ts";

const V30 = 0x0003_0000;

/** A packet without its length. */
function content(version: number, ...parameters: readonly string[]): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(version);
  const text = parameters.map((parameter) => `${parameter}\0`).join("");
  return Buffer.concat([head, Buffer.from(`${text}\0`)]);
}

function startupOf(bytes: Buffer): ClientStartup {
  const packet = parseStartupPacket(bytes);
  if (packet.type !== "startup") {
    throw new Error(`it is a packet of type ${packet.type}`);
  }
  return packet.startup;
}

test("user, database and settings are told apart", () => {
  const bytes = content(V30, "user", "alice", "database", "app", "DateStyle", "ISO");
  expect(startupOf(bytes)).toEqual({
    protocol: "3.0",
    user: "alice",
    database: "app",
    settings: new Map([["DateStyle", "ISO"]]),
    unknownOptions: undefined,
  });
});

test("a start-up of our own client is read", () => {
  const parameters = [
    ["user", "alice"],
    ["database", "app"],
  ] as const;
  const packet = encodeStartup(parameters);
  expect(startupPacketBytes(packet)).toBe(packet.length);
  expect(startupOf(packet.subarray(4))).toMatchObject({ user: "alice", database: "app" });
});

test("the database is called like the user where none is named", () => {
  expect(startupOf(content(V30, "user", "alice")).database).toBe("alice");
  expect(startupOf(content(V30, "user", "alice", "database", "")).database).toBe("alice");
});

test("parameters override those in options, whose names may have dashes", () => {
  const options = String.raw`-c a=1 -cb=2 --work-mem=3 -c d=x\ y\\z  --a=4`;
  const { settings } = startupOf(content(V30, "user", "u", "options", options, "b", "5"));
  expect([...settings]).toEqual([
    ["a", "4"],
    ["b", "5"],
    ["work_mem", "3"],
    ["d", String.raw`x y\z`],
  ]);
});

test.each([
  [0x0003_0000, [], "3.0", undefined],
  [0x0003_0001, [], "3.0", []],
  [0x0003_0002, [], "3.2", undefined],
  [0x0003_0003, [], "3.2", []],
  [0x0003_270f, ["_pq_.anything", "x"], "3.2", ["_pq_.anything"]],
  [0x0003_0000, ["_pq_.a", "", "_pq_.b", "1"], "3.0", ["_pq_.a", "_pq_.b"]],
])("version %i with %j is served as %s", (version, options, protocol, unknownOptions) => {
  const startup = startupOf(content(version, "user", "u", ...options));
  expect(startup).toMatchObject({ protocol, unknownOptions });
  expect(startup.settings.size).toBe(0);
});

test.each([
  ["true", true],
  ["ON", true],
  ["database", true],
  ["0", false],
  ["off", false],
])("replication %s asks for replication: %s", (value, isOn) => {
  const { settings } = startupOf(content(V30, "user", "u", "replication", value));
  expect(settings.has("replication")).toBe(isOn);
});

test.each([
  ["no user", content(V30, "database", "d"), "28000", "no PostgreSQL user name specified"],
  ["an empty user", content(V30, "user", ""), "28000", "no PostgreSQL user name specified"],
  ["version 4", content(0x0004_0000, "user", "u"), "0A000", "unsupported frontend protocol 4.0"],
  ["version 2", content(0x0002_0000, "user", "u"), "0A000", "unsupported frontend protocol 2.0"],
  ["bytes after the end", content(V30, "user", "u", "", "x"), "08P01", "expected terminator"],
  ["no terminator", content(V30, "user", "u").subarray(0, -1), "08P01", "expected terminator"],
  ["a name alone", content(V30, "user", "u", "x").subarray(0, -1), "08P01", "expected terminator"],
  [
    "no value",
    content(V30, "user", "u", "replication", "maybe"),
    "22023",
    '"replication": "maybe"',
  ],
  ["another switch", content(V30, "user", "u", "options", "-e"), "42601", "server process: -e"],
  [
    "a setting alone",
    content(V30, "user", "u", "options", "-c x"),
    "42601",
    "-c x requires a value",
  ],
  ["-c at the end", content(V30, "user", "u", "options", "-c"), "42601", "-c  requires a value"],
])("a start-up with %s is refused in PostgreSQL's words", (_case, bytes, code, text) => {
  let failure: unknown;
  try {
    parseStartupPacket(bytes);
  } catch (error) {
    failure = error;
  }
  expect(failure).toMatchObject({ diagnostic: { severity: "FATAL", code } });
  expect(String(failure)).toContain(text);
});

test.each([4, 32, 256])("a cancel request with a key of %i bytes is read", (length) => {
  const secretKey = Buffer.alloc(length, 7);
  const packet = encodeCancelRequest(-5, secretKey);
  expect(parseStartupPacket(packet.subarray(4))).toEqual({
    type: "cancel",
    processId: -5,
    secretKey,
  });
});

test.each([0, 3, 4])("a cancel request of %i bytes has a wrong key", (length) => {
  const packet = encodeCancelRequest(-5, Buffer.alloc(0)).subarray(4, 8 + length);
  expect(parseStartupPacket(packet)).toMatchObject({
    type: "cancel",
    processId: length < 4 ? 0 : -5,
  });
});

test.each([-1, 0, 7, 10_001, 0x7fff_ffff])("no packet has %i bytes", (bytes) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes);
  expect(startupPacketBytes(length)).toBeUndefined();
});

test("whatever bytes come, the packet is read or refused in words", () => {
  const codes = [V30, 0x0003_0002, 80_877_102, 80_877_103, 80_877_104];
  const bytes = fc
    .tuple(fc.constantFrom(...codes), fc.uint8Array({ maxLength: 60 }))
    .map(([code, rest]) => Buffer.concat([content(code).subarray(0, 4), rest]));
  const text = fc
    .tuple(fc.constantFrom(...codes), fc.array(fc.string({ maxLength: 8 })))
    .map(([code, words]) => content(code, "user", ...words));
  fc.assert(
    fc.property(fc.oneof(bytes, text), (packet) => {
      try {
        parseStartupPacket(packet);
      } catch (error) {
        expect(
          error instanceof MalformedMessageError ||
            (error instanceof PgwireError && error.diagnostic !== undefined),
        ).toBe(true);
      }
    }),
    { numRuns: 20_000 },
  );
});
