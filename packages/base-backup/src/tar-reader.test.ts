import fc from "fast-check";
import { expect, test } from "vitest";
import { TarReader } from "./tar-reader.ts";
import type { TarEntry } from "./tar-reader.ts";

interface Member {
  readonly name: string;
  readonly type?: string;
  readonly content?: Buffer;
  readonly link?: string;
}

/** A member as PostgreSQL writes it. */
function member({ name, type = "0", content = Buffer.alloc(0), link = "" }: Member): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000600\0", 100);
  header.write(`${content.length.toString(8).padStart(11, "0")} `, 124);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write("ustar\0", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const END = Buffer.alloc(1024);

interface Read {
  readonly entry: TarEntry;
  readonly content: Buffer;
  readonly ended: boolean;
}

async function read(
  archive: Buffer,
  pieces: readonly number[] = [archive.length],
): Promise<Read[]> {
  const members: { entry: TarEntry; chunks: Buffer[]; ended: boolean }[] = [];
  const reader = new TarReader({
    begin: async (entry) => void members.push({ entry, chunks: [], ended: false }),
    data: async (bytes) => void members.at(-1)?.chunks.push(Buffer.from(bytes)),
    end: async () => {
      const last = members.at(-1);
      if (last !== undefined) {
        last.ended = true;
      }
    },
  });
  let at = 0;
  for (const piece of [...pieces, archive.length]) {
    await reader.write(archive.subarray(at, at + piece));
    at += piece;
  }
  reader.finish();
  return members.map(({ entry, chunks, ended }) => ({
    entry,
    content: Buffer.concat(chunks),
    ended,
  }));
}

test("reads the same members wherever the bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 30 }),
      async (contents, pieces) => {
        const files = contents.map((content, index) => ({
          name: `base/1/${index}`,
          content: Buffer.from(content),
        }));
        const archive = Buffer.concat([...files.map(member), END]);
        const found = await read(archive, pieces);
        expect(found.map(({ content }) => content)).toEqual(files.map(({ content }) => content));
        expect(found.every(({ ended }) => ended)).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});

test("reads directories and links", async () => {
  const archive = Buffer.concat([
    member({ name: "pg_tblspc/", type: "5" }),
    member({ name: "pg_tblspc/16384", type: "2", link: "/mnt/fast" }),
  ]);
  const found = await read(archive);
  expect(found.map(({ entry }) => entry)).toEqual([
    { type: "directory", path: "pg_tblspc", mode: 0o600 },
    { type: "link", path: "pg_tblspc/16384", target: "/mnt/fast" },
  ]);
});

test.each(["../etc/passwd", "/etc/passwd", "base/../../x", "a//b", ".", ""])(
  "refuses a member called %j",
  async (name) => {
    await expect(read(member({ name }))).rejects.toMatchObject({ code: "MALFORMED" });
  },
);

test("refuses devices, wrong checksums, sizes that are none, and an archive that is cut off", async () => {
  const good = member({ name: "a", content: Buffer.from("content") });
  const wrong = Buffer.from(good);
  wrong.write("b", 0);
  const noSize = member({ name: "a" });
  noSize.write("xyz", 124);
  for (const archive of [member({ name: "a", type: "3" }), wrong, noSize, good.subarray(0, 515)]) {
    await expect(read(archive)).rejects.toMatchObject({ code: "MALFORMED" });
  }
});
