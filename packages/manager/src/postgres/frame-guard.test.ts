import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameFault } from "./frame-fault.ts";
import { FrameGuard } from "./frame-guard.ts";

const message = (type: string, body: Buffer | string = ""): Buffer => {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
};
const int32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeInt32BE(value, 4 * index));
  return bytes;
};
const LOGIN = Buffer.concat([
  message("R", Buffer.concat([int32(10), Buffer.from("SCRAM-SHA-256\0\0")])),
  message("R", Buffer.concat([int32(11), Buffer.from("r=x,s=y,i=4096")])),
  message("R", int32(0)),
  message("S", "TimeZone\0UTC\0"),
  message("K", int32(4711, 42)),
  message("N", "SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
  message("Z", "I"),
]);
const RESULT = Buffer.concat([
  message("1"),
  message("2"),
  message("T", Buffer.concat([Buffer.from("\0\x01one\0"), Buffer.alloc(18)])),
  message("D", Buffer.concat([Buffer.from("\0\x02"), int32(1), Buffer.from("1"), int32(-1)])),
  message("C", "SELECT 1\0"),
  message("E", "SERROR\0C22012\0Mdivision by zero\0\0"),
  message("Z", "E"),
]);

/** What comes out, or the fault. */
function feed(chunks: readonly Buffer[]): Buffer | FrameFault {
  const guard = new FrameGuard();
  const out: Buffer[] = [];
  try {
    for (const chunk of chunks) {
      out.push(guard.accept(chunk) ?? Buffer.alloc(0));
    }
  } catch (error) {
    if (error instanceof FrameFault) {
      return error;
    }
    throw error;
  }
  return Buffer.concat(out);
}

test("a conversation passes unchanged and in whole messages, however it is cut", () => {
  const bytes = Buffer.concat([LOGIN, RESULT]);
  const cuts = fc.array(fc.nat(bytes.length), { maxLength: 40 });
  fc.assert(
    fc.property(cuts, (places) => {
      const ends = [0, ...places.toSorted((a, b) => a - b), bytes.length];
      const chunks = ends.slice(1).map((end, index) => bytes.subarray(ends[index], end));
      expect(feed(chunks)).toEqual(bytes);
    }),
  );
});

test("what is not whole yet is held back", () => {
  const guard = new FrameGuard();
  const notice = message("N", "C00000\0\0");
  expect(guard.accept(notice.subarray(0, 9))).toBeUndefined();
  expect(guard.accept(notice.subarray(9))).toEqual(notice);
});

test.each<[string, Buffer]>([
  ["an ErrorResponse whose field has no end", Buffer.from("450000000A53464154414C", "hex")],
  ["an ErrorResponse without an end", message("E", "SFATAL\0C57P01\0")],
  ["an ErrorResponse without a SQLSTATE", message("E", "SFATAL\0Moops\0\0")],
  ["bytes behind the end of an ErrorResponse", message("E", "C57P01\0\0\0")],
  ["a ParameterStatus without an end", message("S", "TimeZone\0UTC")],
  ["a ParameterStatus of one text", message("S", "TimeZone\0")],
  ["a NOTICE of a gigabyte", Buffer.from("4E3FFFFFFF", "hex")],
  ["a length of 0", Buffer.from("5200000000", "hex")],
  ["a length of 3", Buffer.from("5200000003", "hex")],
  ["a length of -5", Buffer.from("52FFFFFFFB", "hex")],
  ["a length of 0x7FFFFFFF", Buffer.from("527FFFFFFF", "hex")],
  ["an authentication request without a code", message("R", "\0\0")],
  ["a password request that is too long", message("R", int32(3, 0))],
  ["an MD5 request without its salt", message("R", int32(5))],
  ["a SASL list without an end", message("R", Buffer.concat([int32(10), Buffer.from("SCRAM")]))],
  ["a key of the wrong length", message("K", int32(1))],
  ["a ReadyForQuery without a status", message("Z")],
  [
    "a row shorter than its columns",
    message("D", Buffer.concat([Buffer.from("\0\x02"), int32(-1)])),
  ],
  ["a row with a negative length", message("D", Buffer.concat([Buffer.from("\0\x01"), int32(-2)]))],
  ["fewer fields than announced", message("T", "\0\x01")],
  [
    "a message of an unknown type behind a good one",
    Buffer.concat([message("Z", "I"), message("?")]),
  ],
])("%s is broken", (_, bytes) => {
  expect(feed([bytes])).toMatchObject({ kind: "broken" });
  // Cut anywhere it is the same, and found no later than with the last byte.
  expect(feed(Array.from(bytes, (byte) => Buffer.from([byte])))).toMatchObject({ kind: "broken" });
});

test.each([
  [2, "Kerberos V5"],
  [6, "SCM credentials"],
  [7, "GSSAPI"],
  [8, "GSSAPI (continued)"],
  [9, "SSPI"],
  [99, "an unknown method"],
  [-1, "an unknown method"],
])("authentication code %i is named", (code, method) => {
  expect(feed([message("R", int32(code))])).toMatchObject({
    kind: "authentication",
    message: `it asks for authentication by ${method} (code ${code}), which the manager does not speak`,
  });
});

test.each([
  ["SSH", "SSH-2.0-OpenSSH_9.9\r\n"],
  ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
  ["MySQL", "J\0\0\0\n8.0.36\0"],
])("%s is not PostgreSQL", (_, greeting) => {
  expect(feed([Buffer.from(greeting)])).toMatchObject({ kind: "notPostgresql" });
});

test("whatever bytes come, they pass in part or are a fault", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
          fc
            .tuple(fc.constantFrom(..."RENSACKZTDt123Ins"), fc.uint8Array({ maxLength: 30 }))
            .map(([type, body]) => message(type, Buffer.from(body))),
        ),
        { maxLength: 10 },
      ),
      (chunks) => {
        const out = feed(chunks);
        expect(out instanceof FrameFault || out.length <= Buffer.concat(chunks).length).toBe(true);
      },
    ),
  );
});
