import fc from "fast-check";
import { expect, test } from "vitest";
import { limitText, limitTexts } from "./text-limit.ts";

const SUFFIX =
  " [...] [remainder of the error is truncated because gRPC has a size limit on errors.]";

test("a text that fits is kept, and a longer one ends with a remark", () => {
  expect(limitText("12345", 5)).toBe("12345");
  expect(limitText("123456", 5)).toBe(`12345${SUFFIX}`);
});

test("a text is cut between characters, never inside one", () => {
  expect(limitText("aé€😀", 3)).toBe(`aé${SUFFIX}`);
  expect(limitText("aé€😀", 5)).toBe(`aé${SUFFIX}`);
  expect(limitText("aé€😀", 9)).toBe(`aé€${SUFFIX}`);
  expect(limitText("aé€😀", 10)).toBe("aé€😀");
});

test("a lone surrogate, which has no UTF-8 form, is replaced", () => {
  expect(limitText("a\uD800b", 100)).toBe("a\uFFFDb");
});

test("what is kept is the longest start of the text that fits", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(40), (text, maxBytes) => {
      const limited = limitText(text, maxBytes);
      if (Buffer.byteLength(text) <= maxBytes) {
        expect(limited).toBe(text);
        return;
      }
      const kept = limited.slice(0, -SUFFIX.length);
      const next = String.fromCodePoint(text.codePointAt(kept.length) ?? 0);
      expect(limited).toBe(kept + SUFFIX);
      expect(text.startsWith(kept)).toBe(true);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(maxBytes);
      expect(Buffer.byteLength(kept + next)).toBeGreaterThan(maxBytes);
    }),
  );
});

test("of several texts the longest ones pay for the limit", () => {
  const texts = ["short", "x".repeat(1000), "y".repeat(400), ""];
  const [short, long, middle, empty] = limitTexts(texts, 605);
  expect(short).toBe("short");
  expect(long).toBe("x".repeat(300) + SUFFIX);
  expect(middle).toBe("y".repeat(300) + SUFFIX);
  expect(empty).toBe("");
});

test("texts are never longer together than the limit and the remarks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", maxLength: 60 })),
      fc.nat(200),
      (texts, max) => {
        const limited = limitTexts(texts, max);
        const kept = limited.map((text) =>
          text.endsWith(SUFFIX) ? text.slice(0, -SUFFIX.length) : text,
        );
        expect(kept.reduce((sum, text) => sum + Buffer.byteLength(text), 0)).toBeLessThanOrEqual(
          max,
        );
        if (texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) <= max) {
          expect(limited).toEqual(texts);
        }
      },
    ),
  );
});
