import fc from "fast-check";
import { expect, test } from "vitest";
import * as queries from "./catalog-queries.ts";
import type { Row } from "./catalog-rows.ts";
import { Classifier } from "./classifier.ts";
import { Taint } from "./taint.ts";

/** A server with functions in SQL, each of a name and code. */
class FakeCatalog {
  functions: Record<string, string> = {};
  reads = 0;
  failure: Error | undefined;
  /** Runs before each answer. */
  before: () => Promise<void> | void = () => undefined;

  readonly admin = async (sql: string): Promise<readonly Row[]> => {
    // What a query sees is what was there when it began.
    const functions = Object.entries(this.functions);
    await this.before();
    if (this.failure !== undefined) {
      throw this.failure;
    }
    switch (sql) {
      case queries.SIGNATURE:
        return [{ signature: JSON.stringify(functions) }];
      case queries.USER_FUNCTIONS:
        this.reads += 1;
        return functions.map(([name, source]) => ({
          oid: name,
          name,
          source,
          kind: "f",
          volatility: "s",
          language: "sql",
          isParsed: "false",
        }));
      case queries.USERS:
        return functions.map(([name]) => ({ source: "function", id: name, kind: "itself", name }));
      default:
        return [];
    }
  };
}

function classifierOf(catalog: FakeCatalog): Classifier {
  return new Classifier({ admin: catalog.admin });
}

const SLY = "select set_config('a.b', 'c', false)";

test("takes all for unknown before the catalog has been read", async () => {
  const classifier = classifierOf(new FakeCatalog());
  expect(classifier.isCurrent).toBe(false);
  expect(classifier.classify("select * from t").taint).toBe(Taint.Unknown);
  await classifier.refresh();
  expect(classifier.isCurrent).toBe(true);
  expect(classifier.classify("select * from t").taint).toBe(Taint.None);
});

test("remembers what it has judged, however the text arrives", async () => {
  const classifier = classifierOf(new FakeCatalog());
  await classifier.refresh();
  const classification = classifier.classify("select 'ä' from t");
  expect(classifier.classify(Buffer.from("select 'ä' from t"))).toBe(classification);
  // Other constants make no difference.
  expect(classifier.classify("select 'ö' from t")).toBe(classification);
  await classifier.refresh();
  expect(classifier.classify("select 'ä' from t")).toBe(classification);
});

test("does not take statements for the same whose constants matter", async () => {
  const classifier = classifierOf(new FakeCatalog());
  await classifier.refresh();
  const taintOf = (sql: string) => classifier.classify(sql).taint;
  expect(taintOf("select set_config('a', 'b', true)")).toBe(Taint.None);
  expect(taintOf("select set_config('seed', 'b', true)")).toBe(Taint.Seed);
  expect(taintOf("do 'begin x; end'")).toBe(Taint.Unknown);
  expect(taintOf("do 'begin load ''x''; end'")).toBe(Taint.Unknown | Taint.Lasting);
});

test("a change is unknown until a refresh that began after it", async () => {
  const catalog = new FakeCatalog();
  const classifier = classifierOf(catalog);
  await classifier.refresh();
  expect(classifier.classify("select sly()").taint).toBe(Taint.None);

  classifier.noteDdl();
  expect(classifier.classify("select sly()").taint).toBe(Taint.Unknown);
  expect(classifier.classify("select 1").taint).toBe(Taint.None);

  // This one began before the second change, and does not know it.
  catalog.before = () => {
    catalog.before = () => undefined;
    catalog.functions = { sly: SLY };
    classifier.noteDdl();
  };
  await classifier.refresh();
  expect(classifier.isCurrent).toBe(false);
  expect(classifier.classify("select sly()").taint).toBe(Taint.Unknown);

  await classifier.refresh();
  expect(classifier.classify("select sly()").taint).toBe(Taint.Settings);
  expect(classifier.classify("select other()").taint).toBe(Taint.None);
});

test("what lasts is known also while a change is not", async () => {
  const catalog = new FakeCatalog();
  catalog.functions = { backup: "select pg_backup_start('x')" };
  const classifier = classifierOf(catalog);
  await classifier.refresh();
  classifier.noteDdl();
  expect(classifier.classify("select backup()").taint).toBe(Taint.Unknown | Taint.Lasting);
});

test("a text that ran in doubt is judged by a reading since, whatever has changed after that", async () => {
  const catalog = new FakeCatalog();
  const classifier = classifierOf(catalog);
  await classifier.refresh();
  classifier.noteDdl();
  catalog.functions = { sly: SLY };
  const { changes } = classifier;
  expect(classifier.taintSince("select sly()", changes)).toBeUndefined();
  await classifier.refresh();
  classifier.noteDdl();
  expect(classifier.classify("select other()").taint).toBe(Taint.Unknown);
  expect(classifier.taintSince("select other()", changes)).toBe(Taint.None);
  expect(classifier.taintSince("select sly()", changes)).toBe(Taint.Settings);
  expect(classifier.taintSince("select sly()", classifier.changes)).toBeUndefined();
});

test("what a text does by its words and the catalog of before is certain", async () => {
  const catalog = new FakeCatalog();
  catalog.functions = { sly: SLY };
  const classifier = classifierOf(catalog);
  expect(classifier.classify("select sly()").certainTaint).toBe(Taint.None);
  await classifier.refresh();
  classifier.noteDdl();
  const certain = (sql: string): number => classifier.classify(sql).certainTaint;
  expect(certain("select other()")).toBe(Taint.None);
  expect(certain("select sly()")).toBe(Taint.Settings);
  expect(certain("listen news")).toBe(Taint.State);
  expect(certain("do $$ begin end $$")).toBe(Taint.Unknown);
});

test("changes made elsewhere are seen by the next refresh", async () => {
  const catalog = new FakeCatalog();
  const classifier = classifierOf(catalog);
  await classifier.refresh();
  expect(classifier.classify("select outer_one()").sharing).toBe("shareable");
  catalog.functions = { inner_one: SLY, outer_one: "select inner_one()" };
  await classifier.refresh();
  expect(classifier.classify("select outer_one()").taint).toBe(Taint.Settings);
});

test("reads the catalog again only if it has changed", async () => {
  const catalog = new FakeCatalog();
  const classifier = classifierOf(catalog);
  await classifier.refresh();
  await classifier.refresh();
  expect(catalog.reads).toBe(1);
  catalog.functions = { sly: SLY };
  await classifier.refresh();
  expect(catalog.reads).toBe(2);
});

test("a refresh that fails leaves what was known, and what is unknown", async () => {
  const catalog = new FakeCatalog();
  catalog.functions = { sly: SLY };
  const classifier = classifierOf(catalog);
  catalog.failure = new Error("no server");
  await expect(classifier.refresh()).rejects.toThrow("no server");
  expect(classifier.isCurrent).toBe(false);

  catalog.failure = undefined;
  await classifier.refresh();
  catalog.failure = new Error("no server");
  await expect(classifier.refresh()).rejects.toThrow("no server");
  expect(classifier.classify("select sly()").taint).toBe(Taint.Settings);
  expect(classifier.classify("select * from t").taint).toBe(Taint.None);

  classifier.noteDdl();
  await expect(classifier.refresh()).rejects.toThrow("no server");
  expect(classifier.classify("select * from t").taint).toBe(Taint.Unknown);
});

test("two refreshes at once read once, unless there was a change meanwhile", async () => {
  const catalog = new FakeCatalog();
  const classifier = classifierOf(catalog);
  await Promise.all([classifier.refresh(), classifier.refresh()]);
  expect(catalog.reads).toBe(1);

  const running = classifier.refresh();
  catalog.functions = { sly: SLY };
  classifier.noteDdl();
  await Promise.all([running, classifier.refresh()]);
  expect(classifier.isCurrent).toBe(true);
  expect(classifier.classify("select sly()").taint).toBe(Taint.Settings);
});

test("never throws, whatever the text", () => {
  const classifier = classifierOf(new FakeCatalog());
  const piece = fc.constantFrom(
    ..."select set_config do create ( ) , ; ' \" $$ $a$ 'x' true . execute begin into for update temp U&\" \\ -- /* \n".split(
      " ",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      expect(classifier.classify(pieces.join(" ")).statements).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2000 },
  );
});

test("judges a banner of dashes behind a constant at once", () => {
  const classifier = classifierOf(new FakeCatalog());
  const sql = `select 'a' ${"-".repeat(60)}\n, 1`;
  expect(classifier.classify(sql).statements).toBe(1);
});
