import { mkdir } from "node:fs/promises";
import { thingsToTry, whatRuns } from "./banner.ts";
import type { Switchover } from "./banner.ts";
import { QuickstartError } from "./error.ts";
import { hold } from "./hold.ts";
import { launchServers } from "./launch.ts";
import type { LaunchedMember } from "./launch.ts";
import { isStandby, membersIn, portsOf } from "./members.ts";
import type { Members } from "./members.ts";
import type { Ports, QuickstartOptions } from "./options.ts";
import { placesIn } from "./places.ts";
import type { Places } from "./places.ts";
import { decide } from "./plan.ts";
import type { Plan, Sighting } from "./plan.ts";
import { PoolerLog } from "./pooler-log.ts";
import { adoptPooler, startPooler } from "./pooler.ts";
import { checkFree } from "./ports.ts";
import { isAlive } from "./processes.ts";
import { isListening, probe } from "./probe.ts";
import { becomesReady } from "./ready-pooler.ts";
import { watchReplicas } from "./replica-watch.ts";
import type { RunningMember } from "./replica-watch.ts";
import { readState, removeState, writeState } from "./state.ts";
import type { State } from "./state.ts";
import { timed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Where things are, and who is told of them. */
interface Context {
  readonly directory: string;
  readonly places: Places;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/**
 * Sees to it that a PostgreSQL with a pooler in front of it runs, then keeps it running until the
 * signal aborts. Resolves with the exit code; rejects with a `QuickstartError` or a
 * `PgctldError`, or with the signal's reason when it aborts before all runs. In each
 * case what this call has started or taken over has ended by then.
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
  if (plan.kind !== "nothing" && plan.takeOver) {
    await endOrphans(context.places);
  }
  switch (plan.kind) {
    case "start-all": {
      const members = membersIn(directory, plan.ports, replicas);
      for (const member of members) {
        await checkFree(member, plan);
      }
      return await run(members, undefined, { ...context, takeOver: plan.takeOver });
    }
    case "complete": {
      const { state, takeOver } = plan;
      terminal.print(whatIsMissing(plan));
      // The replicas are those of the one that stops the pooler.
      const members = membersIn(directory, state.ports, takeOver ? replicas : 0);
      return await run(members, plan, { ...context, takeOver });
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

/** A pooler that runs, and what it lacks. */
type Incomplete = Extract<Plan, { kind: "complete" }>;

function whatIsMissing({ state, postgresListens }: Incomplete): string {
  return postgresListens
    ? `PostgreSQL and the pooler (process ${state.pooler}) run, the npm start that stops them does not.`
    : `The pooler runs (process ${state.pooler}), its PostgreSQL does not.`;
}

interface RunContext extends Context {
  /** Whether to stop in the end what runs already. */
  readonly takeOver: boolean;
}

/** Starts what does not run of the members, and holds all of it. */
async function run(
  members: Members,
  incomplete: Incomplete | undefined,
  context: RunContext,
): Promise<number> {
  const { places, terminal, signal, takeOver } = context;
  const owned = incomplete === undefined || takeOver;
  const [{ ports }] = members;
  await using parts = new AsyncDisposableStack();
  const [first, ...others] = await launchServers(members, { terminal, signal, parts, takeOver });
  const pooler =
    incomplete === undefined
      ? await startPooler(first.member)
      : adoptPooler(incomplete.state.pooler, { signal: endOf(parts) });
  const state = { owner: process.pid, pooler: pooler.pid, ports, replicas: [] };
  if (owned) {
    parts.defer(async () => {
      await pooler.stop();
      await removeState(places.state);
    });
    await writeState(places.state, state);
  }
  const log = parts.use(PoolerLog.open(places.poolerLog));
  const title =
    incomplete === undefined ? "starting the pooler" : "waiting for the pooler to serve";
  await timed(terminal, title, () => becomesReady(pooler, ports, { log, signal }));
  if (owned) {
    log.printTo((line) => terminal.print(line));
  }
  const replicas = await startReplicas(others, { state, context, parts });
  terminal.print(
    incomplete?.postgresListens === false
      ? "\nPostgreSQL is back, and the same pooler serves again.\n"
      : "\nMultipooler is ready.\n",
  );
  terminal.print(describe(state, first.server.pid, replicas, context));
  terminal.print(`Ctrl-C stops ${owned ? "all of it" : "PostgreSQL"} and keeps the data.\n`);
  using _ = watchReplicas(replicas, terminal);
  const { postgres } = first.server;
  return await hold({ postgres, pooler, httpPort: ports.http, owned, terminal, signal });
}

/** Aborts when the parts are disposed of. */
function endOf(parts: AsyncDisposableStack): AbortSignal {
  const end = new AbortController();
  parts.defer(() => end.abort());
  return end.signal;
}

interface ReplicaStart {
  readonly state: State;
  readonly context: Context;
  readonly parts: AsyncDisposableStack;
}

/** Starts the poolers of the replicas, whose servers run. */
async function startReplicas(
  launched: readonly LaunchedMember[],
  { state, context, parts }: ReplicaStart,
): Promise<readonly RunningMember[]> {
  const { places, terminal, signal } = context;
  const running: RunningMember[] = [];
  for (const { member, server } of launched) {
    const pooler = await startPooler(member);
    parts.defer(() => pooler.stop());
    running.push({ member, server, pooler });
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
async function endOrphans(places: Places): Promise<void> {
  const state = await readState(places.state);
  if (state === undefined) {
    return;
  }
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
    replicas: replicas.map(({ member, server, pooler: own }) => ({
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
