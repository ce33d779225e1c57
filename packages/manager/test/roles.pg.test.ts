import { startPostgres } from "@multipooler/test-postgres";
import { expect, test } from "vitest";
import { NO_TERM } from "../src/terms/consensus-term.ts";
import { ManagerFixture } from "./manager-fixture.ts";
import { VERSIONS } from "./replicated-pair.ts";
import { configFor } from "./server.ts";
import { temporaryDir } from "./temporary-dir.ts";

/** PostgreSQL is restarted twice. */
const TIMEOUT_MS = 120_000;

test.each(VERSIONS)(
  "PostgreSQL %s is demoted, promoted again by an undoing, demoted and promoted, and the controller follows",
  { timeout: TIMEOUT_MS },
  async (_, programs) => {
    await using directory = await temporaryDir();
    await using postgres = await startPostgres({ programs });
    const serverProcess = {
      check: async (): Promise<void> => undefined,
      isRunning: async (): Promise<boolean> => true,
      restartAsStandby: (): Promise<void> => postgres.restart({ role: "standby" }),
    };
    await using fixture = new ManagerFixture({
      database: configFor(postgres),
      poolerDir: directory.path,
      manager: { serverProcess },
    });
    const { manager, controller } = fixture;
    const state = async (): Promise<readonly unknown[]> => {
      const [row] = await postgres.sql("SELECT pg_is_in_recovery() AS in_recovery");
      return [manager.status().type, controller.calls.at(-1), row?.["in_recovery"]];
    };
    await fixture.open();
    await fixture.untilReady();
    await manager.consensus.setTerm({ ...NO_TERM, number: 1n });
    await manager.roles.demote({ term: 1n });
    expect(await state()).toEqual(["REPLICA", "REPLICA SERVING_RDONLY", true]);
    await manager.roles.undoDemote();
    expect(await state()).toEqual(["PRIMARY", "PRIMARY SERVING", false]);
    const { lsn } = await manager.roles.demote({ term: 1n });
    expect(await state()).toEqual(["REPLICA", "REPLICA SERVING_RDONLY", true]);
    await manager.consensus.setTerm({ ...NO_TERM, number: 2n });
    expect(await manager.roles.promote({ term: 2n, expectedLsn: lsn })).toMatchObject({
      wasAlready: false,
      term: 2n,
    });
    expect(await state()).toEqual(["PRIMARY", "PRIMARY SERVING", false]);
    // PostgreSQL was away twice, and that was ordered.
    const alarms = fixture.logger.messages("warn");
    expect(alarms.filter((message) => message.startsWith("connecting to PostgreSQL"))).toEqual([]);
  },
);
