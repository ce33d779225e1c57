import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Files by their path from the root of the tree. */
export type Files = Readonly<Record<string, string>>;

/** A temporary folder that is removed at the end of the block that holds it. */
export interface FixtureTree extends Disposable {
  readonly root: string;
}

/** A small workspace that breaks no rule. A test plants one fault by overriding one file. */
const soundTree: Files = {
  "package.json": manifest({ name: "workspace", devDependencies: { vitest: "catalog:" } }),
  "vitest.config.ts":
    'import { defineConfig } from "vitest/config";\nexport default defineConfig({});\n',
  "packages/controller-api/package.json": manifest({ name: "@multipooler/controller-api" }),
  "packages/controller-api/src/index.ts": "export interface PoolerController {}\n",
  "packages/pgwire/package.json": manifest({
    name: "@multipooler/pgwire",
    devDependencies: { "@multipooler/embedded-postgres": "workspace:^", vitest: "catalog:" },
  }),
  "packages/pgwire/src/index.ts": 'export { encode } from "./codec.ts";\n',
  "packages/pgwire/src/codec.ts":
    'import { Buffer } from "node:buffer";\nexport const encode = Buffer.from;\n',
  "packages/pgwire/test/codec.pg.test.ts":
    'import { startPostgres } from "@multipooler/embedded-postgres";\nimport { test } from "vitest";\nimport { encode } from "../src/codec.ts";\ntest("x", () => [startPostgres, encode]);\n',
  "packages/poolerserver/package.json": manifest({
    name: "@multipooler/poolerserver",
    dependencies: {
      "@multipooler/controller-api": "workspace:^",
      "@multipooler/pgwire": "workspace:^",
    },
  }),
  "packages/poolerserver/src/index.ts":
    'import type { PoolerController } from "@multipooler/controller-api";\nimport { encode } from "@multipooler/pgwire";\nexport const pooler: [PoolerController, typeof encode] = [{}, encode];\n',
  "packages/manager/package.json": manifest({
    name: "@multipooler/manager",
    dependencies: { "@multipooler/controller-api": "workspace:^", pg: "catalog:" },
  }),
  "packages/manager/src/index.ts": 'import pg from "pg";\nexport const client = pg;\n',
  "packages/grpc-services/package.json": manifest({
    name: "@multipooler/grpc-services",
    dependencies: { "@grpc/grpc-js": "catalog:", "@multipooler/manager": "workspace:^" },
  }),
  "packages/grpc-services/src/index.ts": 'export { client } from "@multipooler/manager";\n',
  "apps/multipooler/package.json": manifest({
    name: "@multipooler/multipooler",
    dependencies: { "@multipooler/poolerserver": "workspace:^" },
  }),
  "apps/multipooler/src/index.ts": 'export { pooler } from "@multipooler/poolerserver";\n',
  "dev/embedded-postgres/package.json": manifest({ name: "@multipooler/embedded-postgres" }),
  "dev/embedded-postgres/src/index.ts": "export const startPostgres = 1;\n",
  "e2e/package.json": manifest({
    name: "@multipooler/e2e",
    devDependencies: { "@multipooler/grpc-services": "workspace:^" },
  }),
  "e2e/test/first.test.ts":
    'import { client } from "@multipooler/grpc-services";\nexport { client };\n',
};

/** Writes a sound workspace with `changes` on top into a temporary folder. */
export function plant(changes: Files): FixtureTree {
  const root = mkdtempSync(join(tmpdir(), "boundaries-"));
  for (const [path, text] of Object.entries({ ...soundTree, ...changes })) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

/** A package.json with the given fields and one export. */
export function manifest(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ exports: { ".": "./dist/index.js" }, ...fields }, null, 2);
}
