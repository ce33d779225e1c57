import { expect, test } from "vitest";
import { figureLines, figureTable, figuresOf } from "./figures.ts";

const FIGURES = figuresOf({
  bench: "layers",
  case: "select",
  concurrency: 8,
  reference: "alone",
  samples: new Map([
    [
      "alone",
      [
        { cpuUs: 10, bytes: 100 },
        { cpuUs: 20, bytes: undefined },
        { cpuUs: 40, bytes: 100 },
      ],
    ],
    [
      "pooled",
      [
        { cpuUs: 30, bytes: undefined },
        { cpuUs: 40, bytes: 150 },
        { cpuUs: 40, bytes: 200 },
      ],
    ],
    ["failed", [{ cpuUs: 5, bytes: undefined }]],
  ]),
});

test("a figure is the median of the rounds, its ratio that of the ratios within each round", () => {
  const common = { bench: "layers", case: "select", concurrency: 8, ratioTo: "alone" };
  expect(FIGURES).toEqual([
    { ...common, subject: "alone", metric: "cpuUs", value: 20, ratio: 1 },
    { ...common, subject: "alone", metric: "bytes", value: 100, ratio: 1 },
    { ...common, subject: "pooled", metric: "cpuUs", value: 40, ratio: 2 },
    { ...common, subject: "pooled", metric: "bytes", value: 175, ratio: 2 },
    { ...common, subject: "failed", metric: "cpuUs", value: 5, ratio: 0.5 },
  ]);
});

test("a figure without a sample of the reference has no ratio", () => {
  const samples = new Map([["pooled", [{ tps: 3 }]]]);
  expect(
    figuresOf({ bench: "query", case: "rows", concurrency: 1, reference: "alone", samples }),
  ).toEqual([
    { bench: "query", case: "rows", concurrency: 1, subject: "pooled", metric: "tps", value: 3 },
  ]);
});

test("lines are objects of JSON", () => {
  const lines = figureLines(FIGURES).split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual(FIGURES);
});

test("the table has a line for each case and subject, and gaps where nothing was measured", () => {
  const [title, , , head, ...lines] = figureTable("what it costs", FIGURES, 3).split("\n");
  expect(title).toBe("what it costs; ratio to alone, the value in parentheses");
  expect(head?.split(/ {2,}/)).toEqual(["case", "at once", "subject", "cpuUs", "bytes"]);
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ["select", "8", "alone", "1.00 (20.0)", "1.00 (100)"],
    ["select", "8", "pooled", "2.00 (40.0)", "2.00 (175)"],
    ["select", "8", "failed", "0.50 (5.0)"],
    [""],
  ]);
});
