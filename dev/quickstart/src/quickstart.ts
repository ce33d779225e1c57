import { mkdir, rm } from "node:fs/promises";
import { startPostgres } from "@multipooler/embedded-postgres";
import type { EmbeddedPostgres } from "@multipooler/embedded-postgres";
import { thingsToTry, whatRuns } from "./banner.ts";
import { QuickstartError } from "./error.ts";
import { hold } from "./hold.ts";
import type { Ports, QuickstartOptions } from "./options.ts";
import { ensurePassword } from "./password.ts";
import { placesIn } from "./places.ts";
import type { Places } from "./places.ts";
import { decide } from "./plan.ts";
import type { Sighting } from "./plan.ts";
import { PoolerLog } from "./pooler-log.ts";
import { adoptPooler, startPooler } from "./pooler.ts";
import type { Pooler } from "./pooler.ts";
import { checkFree } from "./ports.ts";
import { isAlive } from "./processes.ts";
import { isListening, probe, untilReady } from "./probe.ts";
import { readState, removeState, writeState } from "./state.ts";
import type { State } from "./state.ts";
import type { Terminal } from "./terminal.ts";

const READY_DEADLINE_MS = 60_000;

/** What each of the three ways to start needs. */
interface Context {
  readonly places: Places;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/**
 * Sees to it that a PostgreSQL with a pooler in front of it runs, then keeps it running until the
 * signal aborts. Resolves with the exit code; rejects with a `QuickstartError` or an
 * `PgctldError`, or with the signal's reason when it aborts before all runs. In each
 * case what this call has started has ended by then.
 */
export async function quickstart(
  options: QuickstartOptions,
  terminal: Terminal,
  { signal }: { signal: AbortSignal },
): Promise<number> {
  const context = { places: placesIn(options.directory), terminal, signal };
  await mkdir(options.directory, { recursive: true });
  const plan = decide(await sight(context.places), options.ports);
  switch (plan.kind) {
    case "start-all":
      return await startAll(plan.ports, context);
    case "start-postgres":
      return await bringBack(plan.state, plan.adopt, context);
    case "nothing":
      terminal.print(`Multipooler runs already (npm start is process ${plan.state.owner}).\n`);
      terminal.print(describe(plan.state.ports, plan.state.pooler, undefined, context));
      if (plan.pooler.ready) {
        return 0;
      }
      throw new QuickstartError("not-ready", `the pooler is not ready: ${plan.pooler.reason}`);
  }
}

async function sight(places: Places): Promise<Sighting | undefined> {
  const state = await readState(places.state);
  if (state === undefined) {
    return undefined;
  }
  const pooler = isAlive(state.pooler) ? await probe(state.ports.http) : undefined;
  const postgresListens = await isListening(state.ports.postgres);
  return { state, pooler, postgresListens, ownerLives: isAlive(state.owner) };
}

async function startAll(ports: Ports, context: Context): Promise<number> {
  const { places, terminal, signal } = context;
  await checkFree(ports);
  await rm(places.postgresLog, { force: true });
  await using parts = new AsyncDisposableStack();
  const postgres = parts.use(await launchPostgres(ports.postgres, context));
  const pooler = await startPooler(places, ports);
  parts.defer(async () => {
    await pooler.stop();
    await removeState(places.state);
  });
  const log = parts.use(PoolerLog.open(places.poolerLog));
  await writeState(places.state, { owner: process.pid, pooler: pooler.pid, ports });
  await timed(terminal, "starting the pooler", async () => {
    await becomesReady(pooler, ports, { log, signal });
  });
  log.printTo((line) => terminal.print(line));
  terminal.print(`\nMultipooler is ready.\n`);
  terminal.print(describe(ports, pooler.pid, postgres, context));
  terminal.print("Ctrl-C stops all of it and keeps the data.\n");
  return await hold({ postgres, pooler, httpPort: ports.http, owned: true, terminal, signal });
}

/** PostgreSQL died under a pooler of an earlier `npm start`. */
async function bringBack(state: State, adopt: boolean, context: Context): Promise<number> {
  const { places, terminal, signal } = context;
  const { ports } = state;
  terminal.print(`The pooler runs (process ${state.pooler}), its PostgreSQL does not.`);
  await using parts = new AsyncDisposableStack();
  const postgres = parts.use(await launchPostgres(ports.postgres, context));
  const watching = new AbortController();
  parts.defer(() => watching.abort());
  const pooler = adoptPooler(state.pooler, { signal: watching.signal });
  if (adopt) {
    await writeState(places.state, { ...state, owner: process.pid });
    parts.defer(async () => {
      await pooler.stop();
      await removeState(places.state);
    });
  }
  const log = parts.use(PoolerLog.open(places.poolerLog));
  await timed(terminal, "waiting for the pooler to serve again", async () => {
    await becomesReady(pooler, ports, { log, signal });
  });
  if (adopt) {
    log.printTo((line) => terminal.print(line));
  }
  terminal.print("\nPostgreSQL is back, and the same pooler serves again.\n");
  terminal.print(describe(ports, pooler.pid, postgres, context));
  terminal.print(`Ctrl-C stops ${adopt ? "both" : "PostgreSQL"} and keeps the data.\n`);
  return await hold({ postgres, pooler, httpPort: ports.http, owned: adopt, terminal, signal });
}

async function launchPostgres(port: number, context: Context): Promise<EmbeddedPostgres> {
  const { places, terminal, signal } = context;
  const password = await ensurePassword(places);
  return await timed(terminal, "starting PostgreSQL", async () => {
    const { data: dataDir, server: stateDir } = places;
    const auth = "scram-sha-256";
    return await startPostgres({ dataDir, stateDir, port, auth, password }, { signal });
  });
}

async function becomesReady(
  pooler: Pooler,
  ports: Ports,
  { log, signal }: { log: PoolerLog; signal: AbortSignal },
): Promise<void> {
  const giveUp = new AbortController();
  void pooler.ended.then((how) => giveUp.abort(how));
  const deadline = AbortSignal.timeout(READY_DEADLINE_MS);
  const answer = await untilReady(true, ports.http, {
    signal: AbortSignal.any([signal, deadline, giveUp.signal]),
  });
  if (answer?.ready === true) {
    return;
  }
  signal.throwIfAborted();
  if (giveUp.signal.aborted) {
    throw new QuickstartError(
      "pooler-ended",
      log.last ?? `the pooler ended ${String(giveUp.signal.reason)}`,
    );
  }
  const reason = answer?.reason ?? log.last ?? "it says nothing";
  throw new QuickstartError(
    "not-ready",
    `the pooler was not ready within ${READY_DEADLINE_MS / 1000} s: ${reason}`,
  );
}

function describe(
  ports: Ports,
  pooler: number,
  postgres: EmbeddedPostgres | undefined,
  { places, terminal }: Context,
): string {
  const running = { ports, places, pooler, postgres: postgres?.pid, cwd: terminal.cwd };
  return `${whatRuns(running)}\nTry in another terminal:\n\n${thingsToTry(running)}`;
}

async function timed<T>(terminal: Terminal, title: string, action: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await action();
  terminal.print(`${title} … ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
