import { mkdir, rm } from "node:fs/promises";
import { thingsToTry, whatRuns } from "./banner.ts";
import type { Switchover } from "./banner.ts";
import { QuickstartError } from "./error.ts";
import { hold } from "./hold.ts";
import { launchServers } from "./launch.ts";
import { isStandby, membersIn, portsOf } from "./members.ts";
import type { Member, Members } from "./members.ts";
import type { Ports, QuickstartOptions } from "./options.ts";
import { placesIn } from "./places.ts";
import type { Places } from "./places.ts";
import { decide } from "./plan.ts";
import type { Sighting } from "./plan.ts";
import { PoolerLog } from "./pooler-log.ts";
import { adoptPooler, startPooler } from "./pooler.ts";
import type { Pooler } from "./pooler.ts";
import { checkFree } from "./ports.ts";
import { isAlive } from "./processes.ts";
import { isLasting, isListening, probe, untilReady } from "./probe.ts";
import { watchReplicas } from "./replica-watch.ts";
import type { RunningMember } from "./replica-watch.ts";
import { readState, removeState, writeState } from "./state.ts";
import type { State } from "./state.ts";
import { timed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const READY_DEADLINE_MS = 60_000;

/** What each of the three ways to start needs. */
interface Context {
  readonly directory: string;
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
  const { directory, replicas } = options;
  const context = { directory, places: placesIn(directory), terminal, signal };
  await mkdir(directory, { recursive: true });
  const plan = decide(await sight(context.places), options.ports);
  switch (plan.kind) {
    case "start-all":
      return await startAll(membersIn(directory, plan.ports, replicas), context);
    case "start-postgres": {
      // The replicas are those of whom runs the pooler.
      const { adopt, state } = plan;
      const members = membersIn(directory, state.ports, adopt ? replicas : 0);
      return await bringBack(members, { state, adopt }, context);
    }
    case "nothing":
      terminal.print(`Multipooler runs already (npm start is process ${plan.state.owner}).\n`);
      terminal.print(describe(plan.state, undefined, [], context));
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

async function startAll(members: Members, context: Context): Promise<number> {
  const { places, terminal, signal } = context;
  const [first] = members;
  const { ports } = first;
  const left = await readState(places.state);
  if (left !== undefined) {
    await endOrphans(left);
  }
  for (const member of members) {
    await checkFree(member);
  }
  await rm(places.postgresLog, { force: true });
  await using parts = new AsyncDisposableStack();
  const servers = await launchServers(members, { terminal, signal, parts });
  const postgres = servers.get(first);
  if (postgres === undefined) {
    throw new Error("PostgreSQL was not launched");
  }
  parts.defer(() => removeState(places.state));
  const pooler = await startPooler(first, postgres);
  parts.defer(() => pooler.stop());
  const state = { owner: process.pid, pooler: pooler.pid, ports, replicas: [] };
  await writeState(places.state, state);
  const log = parts.use(PoolerLog.open(places.poolerLog));
  await timed(terminal, "starting the pooler", async () => {
    await becomesReady(pooler, ports, { log, signal });
  });
  log.printTo((line) => terminal.print(line));
  const replicas = await startReplicas(members, { servers, state, context, parts });
  terminal.print(`\nMultipooler is ready.\n`);
  terminal.print(describe(state, postgres.pid, replicas, context));
  terminal.print("Ctrl-C stops all of it and keeps the data.\n");
  using _ = watchReplicas(replicas, terminal);
  return await hold({ postgres, pooler, httpPort: ports.http, owned: true, terminal, signal });
}

/** PostgreSQL died under a pooler of an earlier `npm start`. */
async function bringBack(
  members: Members,
  { state, adopt }: { readonly state: State; readonly adopt: boolean },
  context: Context,
): Promise<number> {
  const { places, terminal, signal } = context;
  const { ports } = state;
  terminal.print(`The pooler runs (process ${state.pooler}), its PostgreSQL does not.`);
  await using parts = new AsyncDisposableStack();
  if (adopt) {
    await endOrphans(state);
  }
  const servers = await launchServers(members, { terminal, signal, parts });
  const postgres = servers.get(members[0]);
  if (postgres === undefined) {
    throw new Error("PostgreSQL was not launched");
  }
  const watching = new AbortController();
  parts.defer(() => watching.abort());
  const pooler = adoptPooler(state.pooler, { signal: watching.signal });
  const adopted = { ...state, owner: process.pid, replicas: [] };
  if (adopt) {
    await writeState(places.state, adopted);
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
  const replicas = await startReplicas(members, { servers, state: adopted, context, parts });
  terminal.print("\nPostgreSQL is back, and the same pooler serves again.\n");
  terminal.print(describe(state, postgres.pid, replicas, context));
  terminal.print(`Ctrl-C stops ${adopt ? "both" : "PostgreSQL"} and keeps the data.\n`);
  using _ = watchReplicas(replicas, terminal);
  return await hold({ postgres, pooler, httpPort: ports.http, owned: adopt, terminal, signal });
}

interface ReplicaStart {
  readonly servers: ReadonlyMap<Member, RunningMember["postgres"]>;
  readonly state: State;
  readonly context: Context;
  readonly parts: AsyncDisposableStack;
}

/** Starts the poolers of the replicas, whose servers run. */
async function startReplicas(
  members: Members,
  { servers, state, context, parts }: ReplicaStart,
): Promise<readonly RunningMember[]> {
  const { places, terminal, signal } = context;
  const running: RunningMember[] = [];
  for (const member of members.slice(1)) {
    const postgres = servers.get(member);
    if (postgres === undefined) {
      continue;
    }
    const pooler = await startPooler(member, postgres);
    parts.defer(() => pooler.stop());
    running.push({ member, postgres, pooler });
    const replicas = running.map((replica) => replica.pooler.pid);
    await writeState(places.state, { ...state, replicas });
    const log = parts.use(PoolerLog.open(member.places.poolerLog));
    await timed(terminal, `starting the pooler of ${member.replica}`, async () => {
      await becomesReady(pooler, member.ports, { log, signal });
    });
    log.printTo((line) => terminal.print(`${member.replica}: ${line}`));
  }
  return running;
}

/** Ends the replicas' poolers of an earlier `npm start` that was killed. */
async function endOrphans(state: State): Promise<void> {
  for (const [index, pid] of state.replicas.entries()) {
    // Another process may have its id by now.
    const { http } = portsOf(state.ports, index + 1);
    if (isAlive(pid) && (await probe(http)) !== undefined) {
      const watching = new AbortController();
      await adoptPooler(pid, { signal: watching.signal }).stop();
      watching.abort();
    }
  }
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
  const what =
    answer !== undefined && isLasting(answer)
      ? "the pooler does not serve"
      : `the pooler was not ready within ${READY_DEADLINE_MS / 1000} s`;
  throw new QuickstartError("not-ready", `${what}: ${reason}`);
}

function describe(
  { ports, pooler }: Pick<State, "ports" | "pooler">,
  postgres: number | undefined,
  replicas: readonly RunningMember[],
  { places, terminal }: Context,
): string {
  const running = {
    ports,
    places,
    pooler,
    postgres,
    replicas: replicas.map(({ member, postgres: server, pooler: own }) => ({
      title: member.replica ?? member.name,
      ports: member.ports,
      places: member.places,
      postgres: server.pid,
      pooler: own.pid,
    })),
    switchover: switchoverOf(ports, replicas),
    cwd: terminal.cwd,
  };
  return `${whatRuns(running)}\nTry in another terminal:\n\n${thingsToTry(running)}`;
}

/** A replica may have taken the place of the first one. */
function switchoverOf({ grpc }: Ports, replicas: readonly RunningMember[]): Switchover | undefined {
  const leader = replicas.find(({ member }) => !isStandby(member));
  const [first, ...others] = replicas.filter((replica) => replica !== leader);
  const ports = (standbys: typeof others): number[] =>
    standbys.map(({ member }) => member.ports.grpc);
  if (leader !== undefined) {
    const followers = ports(first === undefined ? [] : [first, ...others]);
    return { from: leader.member.ports.grpc, to: grpc, followers, title: "the first one" };
  }
  return (
    first && {
      from: grpc,
      to: first.member.ports.grpc,
      followers: ports(others),
      title: first.member.replica ?? "",
    }
  );
}
