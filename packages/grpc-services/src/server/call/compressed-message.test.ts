import { deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { decompress } from "./compressed-message.ts";

const TEXT = Buffer.from("select ".repeat(1000));
const LIMIT = { maxBytes: 7000 };

test.each([
  ["gzip", gzipSync(TEXT)],
  ["deflate", deflateSync(TEXT)],
])("%s is decompressed, up to the limit", async (encoding, bytes) => {
  expect(await decompress(bytes, { encoding, ...LIMIT })).toEqual(TEXT);
  await expect(decompress(bytes, { encoding, maxBytes: 6999 })).rejects.toMatchObject({
    code: "REQUEST_TOO_LARGE",
    message: expect.stringContaining("6999"),
  });
});

test.each(["identity", "snappy", ""])("an encoding of %j is not understood", async (encoding) => {
  await expect(decompress(TEXT, { encoding, ...LIMIT })).rejects.toMatchObject({
    code: "UNIMPLEMENTED",
    message: expect.stringContaining(JSON.stringify(encoding)),
  });
});

test("bytes that are not compressed are a fault of the client", async () => {
  await expect(decompress(TEXT, { encoding: "gzip", ...LIMIT })).rejects.toMatchObject({
    code: "MALFORMED_REQUEST",
  });
});
