import { expect, test } from "vitest";
import { ConfigError } from "../settings/config.ts";
import { parseRecordName } from "./topo-name.ts";

test.each([
  ["cell/zone1", { kind: "cell", name: "zone1" }],
  ["cells/zone1", { kind: "cell", name: "zone1" }],
  ["database/postgres", { kind: "database", name: "postgres" }],
  ["pooler/multipooler-zone1-a", { kind: "pooler", name: "multipooler-zone1-a" }],
  ["pooler/zone1/a", { kind: "pooler", name: "zone1/a" }],
  ["shard/my app/default/-80", { kind: "shard", name: "my%20app,default,-80" }],
])("%s is kind and name", (text, name) => {
  expect(parseRecordName(text)).toEqual({ ...name, key: undefined });
});

test.each([
  ["/multigres/global/cells/zone1/Cell", { kind: "cell", name: "zone1" }],
  ["/multigres/global/databases/app/Database", { kind: "database", name: "app" }],
  ["/z/poolers/multipooler-z-a/Pooler", { kind: "pooler", name: "multipooler-z-a" }],
  ["/g/primaries/my%20app,default,-80/Primary", { kind: "shard", name: "my%20app,default,-80" }],
  ["root/without/slash/cells/zone1/Cell", { kind: "cell", name: "zone1" }],
  ["/cells/zone1/Cell", { kind: "cell", name: "zone1" }],
])("%s is a key", (text, name) => {
  expect(parseRecordName(text)).toEqual({ ...name, key: text });
});

test.each([
  "",
  "zone1",
  "gateway/zone1/a",
  "cell/",
  "cell/zone1/a",
  "pooler/a/b/c",
  "shard/app",
  "shard/app/default",
  "/g/shards/app,default,-80/Primary",
  "pooler//a",
  "/multigres/global/cells/zone1",
  "/multigres/global/cells/zone1/Pooler",
  "/multigres/zone1/gateways/multigateway-zone1-a/Gateway",
  "/multigres/global/cell/zone1/Cell",
  "constructor/x",
  "cell/..",
  "pooler/./a",
  "cell/a\nb",
  "/multigres//cells/zone1/Cell",
])("%j names no record and is refused in one line", (text) => {
  expect(() => parseRecordName(text)).toThrow(ConfigError);
  expect(() => parseRecordName(text)).toThrow(/^"[^\n]*" names no record: [^\n]*$/);
});
