/**
 * Who may import whom, for the lint rule `multipooler/boundaries` (imports) and the gate `boundaries`
 * (package.json files). Paths are folders from the repository's root.
 */
export interface BoundaryTable {
  /** npm scope; the package in `packages/topo` is called `<scope>/topo`. */
  readonly scope: string;
  /** Package folders whose names another package has already: what the package is called in the scope. */
  readonly otherNames: Readonly<Record<string, string>>;
  /**
   * For each package folder, the package folders it may import: values and types alike, in product
   * code and in tests. A folder that is missing here may not exist.
   */
  readonly imports: Readonly<Record<string, readonly string[] | "everything">>;
  /**
   * What a package folder's tests may import beyond that: the neighbours that a test needs to put a
   * whole pooler together. They are devDependencies there.
   */
  readonly testImports: Readonly<Record<string, readonly string[]>>;
  /** Packages that have no dependency of any kind. */
  readonly withoutDependencies: readonly string[];
  /** Folders whose packages run programs of the repository but are no product: anything goes in. */
  readonly workshops: readonly string[];
  /** Modules that product code (`src/` of a product, without tests) may not import. */
  readonly testModules: readonly string[];
  /** Files (globs) that are published and yet no product code: other packages' tests import them. */
  readonly testSupport: readonly string[];
  /** Third-party modules that product code may import only in the files given as globs. */
  readonly confined: Readonly<Record<string, readonly string[]>>;
  /** Files (globs) that a generator wrote: their shape is not ours, their imports are still checked. */
  readonly generated: readonly string[];
}

/** Whether packages in the folder `importer` may import those in `imported`, test modules aside. */
export function mayImport(
  { imports }: BoundaryTable,
  { importer, imported }: { readonly importer: string; readonly imported: string },
): boolean {
  const allowed = imports[importer] ?? [];
  return allowed === "everything" || allowed.includes(imported);
}

/** Whether only tests of `importer` may import packages in `imported`. */
export function onlyTestsMayImport(
  { testImports }: BoundaryTable,
  { importer, imported }: { readonly importer: string; readonly imported: string },
): boolean {
  return testImports[importer]?.includes(imported) ?? false;
}

/** The table of this repository. */
export const BOUNDARIES: BoundaryTable = {
  scope: "@multipooler",
  otherNames: { "apps/pgctld": "pgctld-daemon" },
  imports: {
    "packages/query-service": [],
    "packages/controller-api": ["packages/query-service"],
    "packages/controller-testkit": ["packages/controller-api", "packages/query-service"],
    "packages/logging": [],
    "packages/status-page": [],
    "packages/text-table": [],
    "packages/timing": [],
    "packages/tls": ["packages/timing"],
    "packages/pgwire": ["packages/query-service", "packages/timing", "packages/tls"],
    "packages/poolerserver": [
      "packages/controller-api",
      "packages/logging",
      "packages/pgwire",
      "packages/query-service",
      "packages/timing",
    ],
    "packages/proto": [],
    "packages/topo": ["packages/proto", "packages/timing"],
    "packages/manager": [
      "packages/controller-api",
      "packages/query-service",
      "packages/timing",
      "packages/tls",
      "packages/topo",
    ],
    "packages/pgctld": ["packages/proto", "packages/timing"],
    "packages/base-backup": ["packages/pgwire", "packages/query-service", "packages/timing"],
    "packages/grpc-services": [
      "packages/controller-api",
      "packages/logging",
      "packages/manager",
      "packages/proto",
      "packages/query-service",
      "packages/timing",
      "packages/tls",
    ],
    "packages/pgwire-services": [
      "packages/controller-api",
      "packages/logging",
      "packages/manager",
      "packages/pgwire",
      "packages/query-service",
      "packages/timing",
      "packages/tls",
    ],
    "apps/multipooler": "everything",
    "apps/pgctld": ["packages/base-backup", "packages/pgctld", "packages/text-table"],
    "dev/conversations": [],
    "dev/embedded-etcd": [],
    "dev/pooler-process": ["apps/multipooler"],
    "dev/postgres-binaries": [],
    "dev/quickstart": [
      "apps/multipooler",
      "dev/postgres-binaries",
      "dev/test-postgres",
      "packages/base-backup",
      "packages/pgctld",
      "packages/text-table",
    ],
    "dev/soak": [
      "dev/pooler-process",
      "dev/test-postgres",
      "packages/grpc-services",
      "packages/text-table",
    ],
    "dev/tcp-proxy": [],
    "dev/test-postgres": ["dev/postgres-binaries", "packages/pgctld"],
    "dev/tls-identities": [],
    benchmarks: "everything",
    e2e: "everything",
  },
  testImports: {
    // Replication is tested on a standby, and that is a copy of its primary.
    "packages/manager": ["packages/base-backup"],
    // Its conformance suite drives the real controller and the real record.
    "packages/grpc-services": ["packages/poolerserver", "packages/topo"],
  },
  withoutDependencies: ["packages/logging", "packages/query-service", "packages/timing"],
  workshops: ["dev/*", "benchmarks", "e2e"],
  testModules: [
    "@multipooler/controller-testkit",
    "@multipooler/conversations",
    "@multipooler/embedded-etcd",
    "@multipooler/pooler-process",
    "@multipooler/postgres-binaries",
    "@multipooler/tcp-proxy",
    "@multipooler/test-postgres",
    "@multipooler/tls-identities",
    "fast-check",
    "vitest",
  ],
  testSupport: [
    "packages/controller-testkit/src/**",
    "packages/timing/src/testing/**",
    "packages/topo/src/testing/**",
  ],
  confined: {
    // The server is our own, on node:http2. grpc-js is the client's, and the log of the process has what
    // it says.
    "@grpc/grpc-js": [
      "packages/grpc-services/src/client/client-channel.ts",
      "packages/grpc-services/src/errors/grpc-status-error.ts",
      "packages/grpc-services/src/server/grpc-library-log.ts",
      "packages/pgctld/src/grpc/**",
      "packages/topo/src/etcd/**",
    ],
    // Rows travel over our own wire package; `pg` is for administration.
    pg: ["packages/manager/src/**"],
    // Configuration and log output belong to the programs.
    commander: ["apps/*/src/**"],
    pino: ["apps/*/src/**"],
    zod: ["apps/*/src/**"],
  },
  generated: ["packages/proto/src/gen/**"],
};
