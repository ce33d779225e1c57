import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkFiles, parseManifest } from "./manifest.ts";
import { checkWal, segmentName } from "./wal-check.ts";

const FILE = { Path: "base/1/2", Size: 3, "Checksum-Algorithm": "SHA256", Checksum: "ab" };
const RANGE = { Timeline: 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" };

/** A manifest as PostgreSQL writes it: the last line is the checksum of those before it. */
function manifest(value: object): Buffer {
  const text = JSON.stringify({ "PostgreSQL-Backup-Manifest-Version": 1, ...value });
  const head = `${text.slice(0, -1)},\n`;
  const sum = createHash("sha256").update(head).digest("hex");
  return Buffer.from(`${head}"Manifest-Checksum": "${sum}"}\n`);
}

test("reads files, also those with encoded names, and the range of WAL", () => {
  const encoded = { ...FILE, Path: undefined, "Encoded-Path": Buffer.from("é").toString("hex") };
  const { files, walRanges } = parseManifest(
    manifest({ Files: [FILE, encoded], "WAL-Ranges": [RANGE] }),
  );
  expect([...files]).toEqual([
    ["base/1/2", { size: 3, checksum: "ab" }],
    ["é", { size: 3, checksum: "ab" }],
  ]);
  expect(walRanges).toEqual([{ timeline: 1, start: 0x2000028n, end: 0x2000100n }]);
});

test("finds a manifest that was changed on its way", () => {
  const bytes = manifest({ Files: [FILE], "WAL-Ranges": [] });
  bytes.write("9", bytes.indexOf('"Size":3') + 7);
  expect(() => parseManifest(bytes)).toThrow(/manifest has another checksum/);
});

test.each<[string, Buffer]>([
  ["no JSON", Buffer.from("{")],
  ["no object", Buffer.from("[]")],
  ["another version", manifest({ "PostgreSQL-Backup-Manifest-Version": 3 })],
  ["no files", manifest({ "WAL-Ranges": [] })],
  ["a file without size", manifest({ Files: [{ Path: "a" }], "WAL-Ranges": [] })],
  ["another algorithm", manifest({ Files: [{ ...FILE, "Checksum-Algorithm": "CRC32C" }] })],
  [
    "a position that is none",
    manifest({ Files: [], "WAL-Ranges": [{ ...RANGE, "End-LSN": "x" }] }),
  ],
])("refuses a manifest with %s", (_name, bytes) => {
  expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: "MALFORMED" }));
});

test.each<[string, [string, { size: number; checksum: string }][], RegExp]>([
  ["that is missing", [], /base\/1\/2 is missing/],
  ["of another size", [["base/1/2", { size: 4, checksum: "ab" }]], /has 4 bytes instead of 3/],
  ["that was changed", [["base/1/2", { size: 3, checksum: "cd" }]], /has another checksum/],
  [
    "too many",
    [
      ["base/1/2", { size: 3, checksum: "ab" }],
      ["extra", { size: 0, checksum: "" }],
    ],
    /extra is not in the manifest/,
  ],
])("finds a file %s", (_name, written, message) => {
  const { files } = parseManifest(manifest({ Files: [FILE], "WAL-Ranges": [] }));
  const check = (): void => checkFiles({ files, walRanges: [] }, new Map(written));
  expect(check).toThrow(expect.objectContaining({ code: "DAMAGED" }));
  expect(check).toThrow(message);
});

test("does not ask for WAL in the manifest", () => {
  const { files } = parseManifest(manifest({ Files: [], "WAL-Ranges": [] }));
  const written = new Map([["pg_wal/000000010000000000000002", { size: 1, checksum: "" }]]);
  expect(() => checkFiles({ files, walRanges: [] }, written)).not.toThrow();
});

test("finds WAL that is missing, cut off, or of another position", async () => {
  const directory = await mkdtemp(join(tmpdir(), "mp wal "));
  onTestFinished(async () => await rm(directory, { recursive: true }));
  const segmentBytes = 1024n;
  const ranges = [{ timeline: 2, start: 1500n, end: 2049n }];
  const write = async (number: bigint, address: bigint, size = 1024): Promise<void> => {
    const bytes = Buffer.alloc(size);
    bytes.writeBigUInt64LE(address, 8);
    await writeFile(join(directory, segmentName(2, number, segmentBytes)), bytes);
  };
  const check = (): Promise<void> => checkWal(directory, ranges, segmentBytes);
  await expect(check()).rejects.toThrow(/000000020000000000000001 is missing/);
  await write(1n, 1024n);
  await write(2n, 2048n, 100);
  await expect(check()).rejects.toThrow(/has 100 bytes instead of 1024/);
  await write(2n, 4096n);
  await expect(check()).rejects.toThrow(/is of another position/);
  await write(2n, 2048n);
  await check();
});

test("names segments as PostgreSQL does", () => {
  expect(segmentName(1, 2n, 16_777_216n)).toBe("000000010000000000000002");
  expect(segmentName(26, 257n, 16_777_216n)).toBe("0000001A0000000100000001");
});
