import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bind,
  copyData,
  copyDone,
  describe,
  execute,
  extended,
  flush,
  parse,
  query,
  sync,
  terminate,
  unknownMessage,
} from "../../test/frontend.ts";
import type { Classification } from "../classification/classification.ts";
import { Taint } from "../classification/taint.ts";
import { UnitCutter } from "./unit-cutter.ts";
import type { Cut } from "./unit-cutter.ts";

const PLAIN: Classification = {
  statements: 1,
  sharing: "shareable",
  taint: Taint.None,
  ddl: false,
  copy: false,
  opensTransaction: false,
  endsTransaction: false,
  deallocates: false,
  readOnlyEscape: undefined,
};
const TEXTS: Readonly<Record<string, Classification>> = {
  read: PLAIN,
  write: { ...PLAIN, sharing: "mayWait" },
  set: { ...PLAIN, sharing: "exclusive", taint: Taint.Settings },
  copy: { ...PLAIN, sharing: "exclusive", copy: true },
};

function newCutter(maxGroupBytes = 1000): UnitCutter {
  return new UnitCutter({
    classifier: { classify: (text) => TEXTS[text] ?? PLAIN },
    maxGroupBytes,
  });
}

/** Everything that can be cut from messages, as texts. */
function cutAll(cutter: UnitCutter): string[] {
  const cuts: string[] = [];
  for (;;) {
    const cut: Cut = cutter.next();
    if (cut === "none") {
      return cuts;
    }
    cuts.push(cut === "unit" ? cutter.bytes.toString("latin1") : cut);
    if (cut === "broken" || cut === "terminate") {
      return cuts;
    }
  }
}

const unit = fc.oneof(
  fc.string({ unit: "grapheme-ascii" }).map((text) => query(text.replaceAll("\0", ""))),
  fc.constantFrom(
    extended("read"),
    Buffer.concat([parse("read"), bind(), describe("P"), flush, execute(), sync]),
    Buffer.concat([parse("a", "named"), sync]),
    sync,
  ),
);

test("units are the same however the messages are spread over writes", () => {
  fc.assert(
    fc.property(fc.array(unit), fc.infiniteStream(fc.boolean()), (units, breaks) => {
      const cutter = newCutter(100_000);
      const cuts: string[] = [];
      let pending: Buffer[] = [];
      for (const message of units.flatMap(messagesOf)) {
        pending.push(message);
        // Flush inside a group makes it due: only whole groups are given then.
        if (breaks.next().value && message[0] !== flush[0]) {
          cutter.input.push(Buffer.concat(pending));
          pending = [];
          if (message[0] !== execute()[0] || message.length > 0) {
            cuts.push(...cutAll(withoutFlush(cutter)));
          }
        }
      }
      cutter.input.push(Buffer.concat(pending));
      cuts.push(...cutAll(cutter));
      expect(cuts.join("")).toBe(Buffer.concat(units).toString("latin1"));
      expect(cutter.input.byteLength).toBe(0);
    }),
  );
});
