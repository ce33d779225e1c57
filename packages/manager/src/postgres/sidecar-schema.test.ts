import { expect, test } from "vitest";
import { ManagerError, ManagerErrorCode } from "../manager-error.ts";
import { SIDECAR_VERSION, ensureSidecarSchema } from "./sidecar-schema.ts";
import type { StatementRunner } from "./sidecar-schema.ts";

interface Found {
  readonly usable: boolean;
  /** `undefined`: there is no table with a version. */
  readonly version?: number;
}

const NOTHING: Found = { usable: false };
const UNVERSIONED: Found = { usable: true };
const CURRENT: Found = { usable: true, version: SIDECAR_VERSION };

/** A database that says in turn what is there, and fails to migrate it. */
class FakeDatabase implements StatementRunner {
  readonly left: Found[];
  migrations = 0;
  #now: Found = NOTHING;
  readonly #failure: ManagerError | undefined;

  constructor(found: readonly Found[], failure?: ManagerError) {
    this.left = [...found];
    this.#failure = failure;
  }

  async query(sql: string): Promise<readonly Record<string, unknown>[]> {
    if (sql.includes("max(version)")) {
      return [{ version: this.#now.version ?? 0 }];
    }
    this.#now = this.left.shift() ?? NOTHING;
    return [{ usable: this.#now.usable, versioned: this.#now.version !== undefined }];
  }

  async execute(): Promise<void> {
    this.migrations += 1;
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}

const answered = (sqlState: string): ManagerError =>
  new ManagerError(ManagerErrorCode.DatabaseError, "as told", { sqlState });

test.each<[string, Found, number]>([
  ["nothing is there", NOTHING, 1],
  ["nobody has noted a version", UNVERSIONED, 1],
  ["it is older", { usable: true, version: SIDECAR_VERSION - 1 }, 1],
  ["only the version is left", { usable: false, version: SIDECAR_VERSION }, 1],
  ["it is current", CURRENT, 0],
  ["it is newer", { usable: true, version: SIDECAR_VERSION + 1 }, 0],
])("a schema is migrated where that is needed: %s", async (_, found, migrations) => {
  const database = new FakeDatabase([found]);
  await ensureSidecarSchema(database);
  expect(database.migrations).toBe(migrations);
});

test.each(["23505", "42P06", "42P07"])(
  "a race that another manager won (%s) is a success",
  async (sqlState) => {
    const database = new FakeDatabase([NOTHING, CURRENT], answered(sqlState));
    await ensureSidecarSchema(database);
    expect(database.left).toEqual([]);
  },
);

test("an error that looks like a race is none when the table is not there afterwards", async () => {
  const error = answered("23505");
  await expect(ensureSidecarSchema(new FakeDatabase([NOTHING, NOTHING], error))).rejects.toBe(
    error,
  );
});

test("a role that may not change the schema goes on with a table that is there", async () => {
  const error = answered("42501");
  await ensureSidecarSchema(new FakeDatabase([UNVERSIONED], error));
  const database = new FakeDatabase([NOTHING, CURRENT], error);
  await expect(ensureSidecarSchema(database)).rejects.toBe(error);
  expect(database.left).toEqual([CURRENT]);
});
