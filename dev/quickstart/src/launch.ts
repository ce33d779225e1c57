import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { takeBaseBackup } from "@multipooler/base-backup";
import { embeddedBinDir, openInstallation } from "@multipooler/pgctld";
import type { Installation, LocalPostgres } from "@multipooler/pgctld";
import { binariesModule } from "@multipooler/postgres-binaries";
import { isNew, isStandby, leaderOf, mayRun } from "./members.ts";
import type { Member, Members } from "./members.ts";
import { ensurePassword } from "./password.ts";
import { serveControl } from "./process-control.ts";
import { Server } from "./server.ts";
import { timed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const HOST = "127.0.0.1";
const USER = "postgres";

export interface LaunchContext {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Stops what was launched, the standbys before the one that they follow. */
  readonly parts: AsyncDisposableStack;
  /** Whether servers that run already are stopped in the end, too. */
  readonly takeOver: boolean;
}

/** How the servers of all members are set up. */
interface Setup extends LaunchContext {
  readonly leader: Member;
  readonly installation: Installation;
  readonly password: string;
}

/** A member whose PostgreSQL runs. */
export interface LaunchedMember {
  readonly member: Member;
  readonly server: Server;
}

/**
 * Launches the PostgreSQL of each, in the order of the members; one that is new is made, or copied from the
 * one that it follows.
 */
export async function launchServers(
  members: Members,
  context: LaunchContext,
): Promise<readonly [LaunchedMember, ...LaunchedMember[]]> {
  const leader = leaderOf(members);
  const installation = await openInstallation(await embeddedBinDir(binariesModule));
  const password = await ensurePassword(leader.places);
  const setup = { ...context, leader, installation, password };
  const led = await launch(leader, setup);
  const [first, ...others] = members;
  const launched: [LaunchedMember, ...LaunchedMember[]] = [
    first === leader ? led : await launch(first, setup),
  ];
  for (const member of others) {
    launched.push(member === leader ? led : await launch(member, setup));
  }
  return launched;
}

async function launch(member: Member, setup: Setup): Promise<LaunchedMember> {
  const { terminal, parts } = setup;
  const what = member.replica === undefined ? "" : ` of ${member.replica}`;
  const server = await timed(terminal, `starting PostgreSQL${what}`, () => start(member, setup));
  parts.use(await serveControl(server.postgres, { places: member.places, terminal }));
  return { member, server };
}

async function start(member: Member, setup: Setup): Promise<Server> {
  const { leader, signal, takeOver, parts } = setup;
  const { places, ports } = member;
  if (!mayRun(member)) {
    await rm(places.postgresLog, { force: true });
  }
  const server = parts.use(
    new Server({
      installation: setup.installation,
      dataDir: places.data,
      stateDir: places.server,
      socketDir: places.sockets,
      port: ports.postgres,
      user: USER,
      password: setup.password,
      logger: { info: () => undefined, warn: () => undefined },
    }),
  );
  const { postgres } = server;
  const isCopy = member !== leader && isNew(member);
  if (isCopy) {
    await copy(postgres, member, setup);
  } else {
    await postgres.initialize({}, { signal });
  }
  if (isCopy || (member !== leader && isStandby(member) && (await isStopped(postgres)))) {
    const applicationName = `zone1_${member.name}`;
    await postgres.follow({ host: HOST, port: leader.ports.postgres, applicationName }, { signal });
  }
  await server.start({ takeOver, signal });
  return server;
}

async function copy(
  postgres: LocalPostgres,
  { places }: Member,
  { leader, password, signal }: Setup,
): Promise<void> {
  await mkdir(dirname(places.data), { recursive: true });
  await takeBaseBackup(
    {
      source: {
        address: { type: "tcp", host: HOST, port: leader.ports.postgres },
        user: USER,
        credential: async () => ({ type: "password", password }),
      },
      dataDir: places.data,
      owner: await postgres.owner(),
    },
    { signal },
  );
}

async function isStopped(postgres: LocalPostgres): Promise<boolean> {
  return (await postgres.status()).state === "stopped";
}
